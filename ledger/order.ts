/**
 * What an order on chain says of its request: a commitment that shows nobody whether a guessed prompt is right, and binds a
 * provider that is given the salt.
 *
 *   request hash = BLAKE2b-256(key = salt 32, "swarmd/1/order/request" | 00 | request bytes of exchange.ts)
 *
 * The salt is the order's own and no content key: an order may be shown to one provider after the other, and each attempt
 * has a content key of its own.
 */
import type { Lamports, MicroLamports } from './amount.js'
import { ceilToLamports } from './amount.js'
import { keyedHash, KEY_BYTES, randomBytes } from './crypto.js'
import { encodeRequest } from './exchange.js'
import type { ExchangeBody } from './exchange.js'

/** 32 random bytes. */
export function newOrderSalt(): Uint8Array {
  return randomBytes(KEY_BYTES)
}

/** 32 bytes. Throws `BAD_ENCODING` for what no record can hold. */
export function requestCommitment(salt: Uint8Array, body: ExchangeBody, maxTokens: number | null): Uint8Array {
  return keyedHash(salt, 'swarmd/1/order/request', encodeRequest(body, maxTokens))
}

/** What a claim states for an answer of this cost: rounded up once, as a channel's sum is. */
export function claimOf(cost: MicroLamports): Lamports {
  return ceilToLamports(cost)
}
