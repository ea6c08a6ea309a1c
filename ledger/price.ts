/**
 * Prices of one offer. A price is lamports per million tokens, which *is* microlamports per token, so
 * cost = tokens × price with no division and no rounding.
 */
import { MAX_U64, microLamports } from './amount.js'
import type { MicroLamports } from './amount.js'
import { LedgerError } from './errors.js'

declare const priceBrand: unique symbol

/** Lamports per million tokens (u64) = microlamports per token. */
export type Price = bigint & { readonly [priceBrand]: true }

/** `input`: prompt tokens computed; `cached`: prompt tokens reused from the provider's cache; `output`: tokens generated. */
export interface Prices {
  readonly input: Price
  readonly cached: Price
  readonly output: Price
}

/** Token counts of one request; `cached` is not part of `input`. */
export interface Usage {
  readonly input: number
  readonly cached: number
  readonly output: number
}

/** The only door to `Price`. Throws `PRICE_OUT_OF_RANGE` outside u64. */
export function price(value: bigint): Price {
  if (value < 0n || value > MAX_U64) throw LedgerError.PRICE_OUT_OF_RANGE(`${value} is not a u64 price`)
  return value as Price
}

export const FREE: Prices = { input: price(0n), cached: price(0n), output: price(0n) }

export function isFree(prices: Prices): boolean {
  return prices.input === 0n && prices.cached === 0n && prices.output === 0n
}

/** What `usage` costs at `prices`, exactly. Throws `TOKENS_OUT_OF_RANGE` for a count that is no safe whole number. */
export function cost(prices: Prices, usage: Usage): MicroLamports {
  return microLamports(
    tokens(usage.input) * prices.input + tokens(usage.cached) * prices.cached + tokens(usage.output) * prices.output,
  )
}

function tokens(count: number): bigint {
  if (!Number.isSafeInteger(count) || count < 0) throw LedgerError.TOKENS_OUT_OF_RANGE(`${count} is not a token count`)
  return BigInt(count)
}
