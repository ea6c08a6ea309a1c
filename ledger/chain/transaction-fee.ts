/** What a signed transaction costs whoever pays for it, read from its bytes. */
import { ComputeBudgetProgram, Ed25519Program, Transaction } from '@solana/web3.js'
import type { TransactionInstruction } from '@solana/web3.js'
import { lamports } from '../amount.js'
import type { Lamports } from '../amount.js'
import { LAMPORTS_PER_SIGNATURE } from './settle-policy.js'

const MICRO = 1_000_000n
/** First bytes of the compute budget's instructions. */
const SET_LIMIT = 2
const SET_PRICE = 3

/**
 * 5,000 lamports for each signature, those that the Ed25519 precompile checks included, and the priority fee. `wire`: a
 * legacy transaction as the outbox keeps it.
 */
export function feeOf(wire: Uint8Array): Lamports {
  const { signatures, instructions } = Transaction.from(wire)
  const checked = instructions
    .filter(({ programId }) => programId.equals(Ed25519Program.programId))
    .reduce((sum, { data }) => sum + (data[0] ?? 0), 0)
  return lamports(LAMPORTS_PER_SIGNATURE * BigInt(signatures.length + checked) + priorityFee(instructions))
}

/** Limit × price, rounded up to a lamport. */
function priorityFee(instructions: readonly TransactionInstruction[]): bigint {
  const budget = instructions.filter(({ programId }) => programId.equals(ComputeBudgetProgram.programId))
  const limit = budget.find(({ data }) => data[0] === SET_LIMIT)?.data.readUInt32LE(1) ?? 0
  const price = budget.find(({ data }) => data[0] === SET_PRICE)?.data.readBigUInt64LE(1) ?? 0n
  return (BigInt(limit) * price + MICRO - 1n) / MICRO
}
