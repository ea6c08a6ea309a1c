/**
 * What a transaction costs before it runs: 5,000 lamports a signature, those of the signature precompiles included, and the
 * priority fee it offers (Agave `fee/src/lib.rs`, `compute-budget-instruction`). Only for getFeeForMessage: what was really
 * taken is read from the balances.
 */
import { toBase58 } from '../base58.js'
import type { WireInstruction, WireMessage } from './wire.js'

const LAMPORTS_PER_SIGNATURE = 5_000
const MICRO = 1_000_000n
const DEFAULT_UNITS = 200_000
const BUILTIN_UNITS = 3_000
const MAX_UNITS = 1_400_000
const COMPUTE_BUDGET = 'ComputeBudget111111111111111111111111111111'
const PRECOMPILES = new Set([
  'Ed25519SigVerify111111111111111111111111111',
  'KeccakSecp256k11111111111111111111111111111',
  'Secp256r1SigVerify1111111111111111111111111',
])
const BUILTINS = new Set([
  COMPUTE_BUDGET,
  ...PRECOMPILES,
  '11111111111111111111111111111111',
  'BPFLoaderUpgradeab1e11111111111111111111111',
  'Vote111111111111111111111111111111111111111',
])

export function feeOf(message: WireMessage): number {
  const programs = message.instructions.map(({ program }) => toBase58(message.keys[program] ?? new Uint8Array(32)))
  let signatures = message.required
  let price = 0n
  let limit: number | null = null
  let standard = 0
  for (const [index, instruction] of message.instructions.entries()) {
    const program = programs[index] ?? ''
    standard += BUILTINS.has(program) ? BUILTIN_UNITS : DEFAULT_UNITS
    if (PRECOMPILES.has(program)) signatures += instruction.data[0] ?? 0
    if (program !== COMPUTE_BUDGET) continue
    if (instruction.data[0] === 2) limit = Number(number(instruction, 4))
    if (instruction.data[0] === 3) price = number(instruction, 8)
  }
  const units = BigInt(Math.min(limit ?? standard, MAX_UNITS))
  return signatures * LAMPORTS_PER_SIGNATURE + Number((price * units + MICRO - 1n) / MICRO)
}

/** Little endian, after the discriminator. */
function number({ data }: WireInstruction, bytes: number): bigint {
  let value = 0n
  for (let at = bytes; at >= 1; at--) value = (value << 8n) | BigInt(data[at] ?? 0)
  return value
}
