/** Lamports as people read them, exactly. */
import { amount as amountKind } from '../daemon/config-kinds.js'
import { DaemonError } from '../daemon/errors.js'
import { amount } from './words.js'

const DECIMALS = 9

/** `0.5 SOL (500 000 000 lamports)`; nothing is `0 SOL`. */
export function both(lamports: string | bigint): string {
  return BigInt(lamports) === 0n ? '0 SOL' : `${trimmed(lamports)} SOL (${grouped(lamports)} lamports)`
}

/** `12 345 lamports`, or `0.5 SOL` where there are many; `0`. */
export function short(lamports: string | bigint): string {
  const value = BigInt(lamports)
  return value === 0n ? '0' : amount(`${value}000000`)
}

/** All nine decimals, so that columns of it line up. */
export function sol(lamports: string | bigint): string {
  const value = BigInt(lamports)
  const digits = (value < 0n ? -value : value).toString().padStart(DECIMALS + 1, '0')
  return `${value < 0n ? '-' : ''}${digits.slice(0, -DECIMALS)}.${digits.slice(-DECIMALS)}`
}

/** `1 234 567`. */
export function grouped(value: string | bigint): string {
  return value.toString().replaceAll(/\B(?=(\d{3})+$)/g, ' ')
}

/** Microlamports; nothing is `0`. */
export function micro(microLamports: string): string {
  return microLamports === '0' ? '0' : amount(microLamports)
}

/** A price, in lamports per million tokens: `0.00002 SOL`, or `free`. */
export function perMillion(lamports: string): string {
  return lamports === '0' ? 'free' : `${trimmed(lamports)} SOL`
}

/** What a person wrote, in lamports. Throws `CONFIG_INVALID`, which names `what`. */
export function lamportsFrom(what: string, given: string): NonNullable<ReturnType<typeof amountKind.parse>> {
  const value = amountKind.parse(given)
  if (value !== undefined && value > 0n) return value
  throw DaemonError.CONFIG_INVALID(
    `${what} "${given}" is not allowed; it must be an amount above 0 such as 0.5SOL, "0.5 SOL" or 20000lamports (a whole number alone is lamports).`,
  )
}

/** SOL without its unit and without trailing zeros. */
export function trimmed(lamports: string | bigint): string {
  return sol(lamports).replace(/\.?0+$/, '')
}
