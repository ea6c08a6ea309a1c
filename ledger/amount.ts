/**
 * Money as branded bigints with one door each, so that a price can never be added to an amount.
 *
 * `Lamports`       u64, 10^-9 SOL: what a voucher and the chain speak.
 * `MicroLamports`  10^-6 lamport: what tokens cost. Costs accrue here; rounding happens once, on the cumulative sum.
 */
import { LedgerError } from './errors.js'

declare const lamportsBrand: unique symbol
declare const microLamportsBrand: unique symbol

export type Lamports = bigint & { readonly [lamportsBrand]: true }
export type MicroLamports = bigint & { readonly [microLamportsBrand]: true }

export const MAX_U64 = 2n ** 64n - 1n
const MICRO = 1_000_000n
/** Every lamport amount has a microlamport form: 2^64 lamports is below this. */
const MAX_MICRO = MAX_U64 * MICRO

/** The only door to `Lamports`. Throws `AMOUNT_OUT_OF_RANGE` outside u64. */
export function lamports(value: bigint): Lamports {
  if (value < 0n || value > MAX_U64) throw LedgerError.AMOUNT_OUT_OF_RANGE(`${value} is not a u64 amount of lamports`)
  return value as Lamports
}

/** The only door to `MicroLamports`. Throws `AMOUNT_OUT_OF_RANGE` when negative or above 2^64 lamports. */
export function microLamports(value: bigint): MicroLamports {
  if (value < 0n || value > MAX_MICRO)
    throw LedgerError.AMOUNT_OUT_OF_RANGE(`${value} is not an amount of microlamports`)
  return value as MicroLamports
}

export function addMicroLamports(a: MicroLamports, b: MicroLamports): MicroLamports {
  return microLamports(a + b)
}

/** Rounds a cumulative sum up to whole lamports: the provider is never short, by at most one lamport a channel. */
export function ceilToLamports(amount: MicroLamports): Lamports {
  return lamports((amount + MICRO - 1n) / MICRO)
}
