/** Numbers, times and prices as people read them. */
import type { PriceView } from '../daemon/control/snapshot.js'

export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = count
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? ''}`
}

/** `135M`, `8.2B`; `?` for 0. */
export function weights(count: number): string {
  if (count === 0) return '?'
  if (count >= 1e9) return `${trim(count / 1e9)}B`
  if (count >= 1e6) return `${trim(count / 1e6)}M`
  return `${Math.round(count / 1e3)}k`
}

/** `3d 4h`, `2h 5m`, `12s`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ]
  if (days > 0) return `${days}d ${hours}h`
  if (hours > 0) return `${hours}h ${minutes}m`
  return minutes > 0 ? `${minutes}m ${seconds % 60}s` : `${seconds}s`
}

/** `free`, or `20000 / 60000` (input / output), lamports per million tokens. */
export function priceWords(price: PriceView | null): string {
  if (price === null) return 'own'
  if (price.input === '0' && price.cached === '0' && price.output === '0') return 'free'
  return `${price.input} / ${price.output}`
}

/** Microlamports as people read them: `free`, `12.5 lamports`, `0.0015 SOL`; exact. */
export function amount(microLamports: string): string {
  const value = BigInt(microLamports)
  if (value === 0n) return 'free'
  const [unit, decimals] = value >= 10n ** 12n ? (['SOL', 15] as const) : (['lamports', 6] as const)
  const digits = value.toString().padStart(decimals + 1, '0')
  const fraction = digits.slice(-decimals).replace(/0+$/, '')
  return `${digits.slice(0, -decimals)}${fraction === '' ? '' : `.${fraction}`} ${unit}`
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function trim(value: number): string {
  return value >= 100 ? String(Math.round(value)) : value.toFixed(1).replace(/\.0$/, '')
}
