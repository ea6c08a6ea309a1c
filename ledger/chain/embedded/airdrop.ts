/**
 * The faucet's transfer, as bytes: compute budget (limit), system transfer. The limit differs from one to the next, so that
 * two equal airdrops in one slot are two transactions.
 */
import { signRaw } from '../../crypto.js'
import type { KeyPair } from '../../crypto.js'
import { fromBase58 } from '../base58.js'

const SYSTEM_PROGRAM = new Uint8Array(32)
const COMPUTE_BUDGET = fromBase58('ComputeBudget111111111111111111111111111111', 32) ?? new Uint8Array(32)
const LIMIT_FROM = 2_000

export function airdropBytes(
  faucet: KeyPair,
  to: Uint8Array,
  lamports: bigint,
  blockhash: Uint8Array,
  nonce: number,
): Uint8Array {
  const limit = Buffer.alloc(5)
  limit[0] = 2
  limit.writeUInt32LE(LIMIT_FROM + (nonce % 1_000_000), 1)
  const transfer = Buffer.alloc(12)
  transfer[0] = 2
  transfer.writeBigUInt64LE(lamports, 4)
  const message = Buffer.concat([
    Buffer.from([1, 0, 2, 4]),
    faucet.publicKey,
    to,
    SYSTEM_PROGRAM,
    COMPUTE_BUDGET,
    blockhash,
    Buffer.from([2, 3, 0, limit.byteLength]),
    limit,
    Buffer.from([2, 2, 0, 1, transfer.byteLength]),
    transfer,
  ])
  return Buffer.concat([Buffer.from([1]), signRaw(faucet.secretKey, message), message])
}
