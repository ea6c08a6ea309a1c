/**
 * Money as branded bigints with one door each, so that a price can never be added to an amount.
 *
 * `Lamports`       u64, 10^-9 SOL: what a voucher and the chain speak.
 * `MicroLamports`  10^-6 lamport: what tokens cost. Costs accrue here; rounding happens once, on the cumulative sum.
 *
 * Nothing here divides by anything but a power of ten, and no amount is ever a float.
 */
import { LedgerError } from './errors.js'

declare const lamportsBrand: unique symbol
declare const microLamportsBrand: unique symbol

export type Lamports = bigint & { readonly [lamportsBrand]: true }
export type MicroLamports = bigint & { readonly [microLamportsBrand]: true }

/** A coin's name and decimals, for texts only: the arithmetic is the same for every mint. */
export interface Coin {
  readonly symbol: string
  readonly decimals: number
}

export const SOL: Coin = { symbol: 'SOL', decimals: 9 }

export const MAX_U64 = 2n ** 64n - 1n
const MICRO = 1_000_000n
/** Every lamport amount has a microlamport form: 2^64 lamports is below this. */
export const MAX_MICRO = MAX_U64 * MICRO

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

export const NO_LAMPORTS = lamports(0n)
export const NO_COST = microLamports(0n)

export function addLamports(a: Lamports, b: Lamports): Lamports {
  return lamports(a + b)
}

/** Throws `AMOUNT_OUT_OF_RANGE` when `b` is larger: an amount is never negative. */
export function subtractLamports(a: Lamports, b: Lamports): Lamports {
  return lamports(a - b)
}

export function addMicroLamports(a: MicroLamports, b: MicroLamports): MicroLamports {
  return microLamports(a + b)
}

/** Throws `AMOUNT_OUT_OF_RANGE` when `b` is larger: an amount is never negative. */
export function subtractMicroLamports(a: MicroLamports, b: MicroLamports): MicroLamports {
  return microLamports(a - b)
}

export function toMicroLamports(amount: Lamports): MicroLamports {
  return microLamports(amount * MICRO)
}

/** Rounds a cumulative sum up to whole lamports: the provider is never short, by at most one lamport a channel. */
export function ceilToLamports(amount: MicroLamports): Lamports {
  return lamports((amount + MICRO - 1n) / MICRO)
}

/** Rounds down: what a person is told that has been earned in full lamports. */
export function floorToLamports(amount: MicroLamports): Lamports {
  return lamports(amount / MICRO)
}

/** `1.5 SOL`, exact, without trailing zeros. */
export function formatLamports(amount: Lamports, coin: Coin = SOL): string {
  return `${decimal(amount, coin.decimals)} ${coin.symbol}`
}

/** `0.000000000000025 SOL`: exact, six decimals more than the coin has. */
export function formatMicroLamports(amount: MicroLamports, coin: Coin = SOL): string {
  return `${decimal(amount, coin.decimals + 6)} ${coin.symbol}`
}

/** Reads `1.5` as that many coins. Throws `AMOUNT_OUT_OF_RANGE` for anything that is not exactly a number of lamports. */
export function parseLamports(text: string, coin: Coin = SOL): Lamports {
  const match = /^(\d{1,20})(?:\.(\d+))?$/.exec(text)
  const [, whole = '', fraction = ''] = match ?? []
  if (!match || fraction.length > coin.decimals) {
    throw LedgerError.AMOUNT_OUT_OF_RANGE(
      `"${text.slice(0, 40)}" is not an amount of ${coin.symbol} with at most ${coin.decimals} decimals`,
    )
  }
  return lamports(BigInt(whole + fraction.padEnd(coin.decimals, '0')))
}

function decimal(value: bigint, decimals: number): string {
  const digits = value.toString().padStart(decimals + 1, '0')
  const whole = digits.slice(0, digits.length - decimals)
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, '')
  return fraction === '' ? whole : `${whole}.${fraction}`
}
