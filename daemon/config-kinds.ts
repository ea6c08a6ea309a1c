/**
 * Kinds of config values: what is allowed, in words, and how text (flags, environment) and TOML values become the typed
 * value. A kind answers `undefined` for a value that it does not allow; the caller names the key, the value and `allowed`.
 */
import { lamports, parseLamports } from '../ledger/amount.js'
import type { Lamports } from '../ledger/amount.js'

export interface Kind<T> {
  /** Completes the sentence "… is not allowed; it must be …". */
  readonly allowed: string
  /** `raw`: text from a flag or the environment, or a TOML value. */
  parse(raw: unknown): T | undefined
}

export function integer(min: number, max: number, zeroMeans: string | null = null): Kind<number> {
  const allowed = `a whole number from ${min} to ${max}${zeroMeans === null ? '' : ` (0 = ${zeroMeans})`}`
  return {
    allowed,
    parse(raw) {
      const value = typeof raw === 'string' && /^\d{1,15}$/.test(raw) ? Number(raw) : raw
      if (typeof value !== 'number' || !Number.isSafeInteger(value)) return undefined
      return value >= min && value <= max ? value : undefined
    },
  }
}

/** u64 as bigint: TOML integers come as bigint where a number could not hold them. */
export function unsigned64(unit: string): Kind<bigint> {
  return {
    allowed: `a whole number of ${unit} from 0 to 18446744073709551615`,
    parse(raw) {
      const value = toBigInt(raw)
      return value !== undefined && value >= 0n && value < 1n << 64n ? value : undefined
    },
  }
}

/** Money: a whole number of lamports, or text with a unit. */
export const amount: Kind<Lamports> = {
  allowed: 'an amount such as "0.5 SOL" or "20000 lamports" (a number alone is lamports)',
  parse(raw) {
    const whole = toBigInt(raw)
    const [, number = '', unit = ''] = (typeof raw === 'string' && /^([\d.]{1,40}) ?([A-Za-z]+)$/.exec(raw)) || []
    try {
      if (whole !== undefined) return lamports(whole)
      if (unit.toLowerCase() === 'sol') return parseLamports(number)
      return /^lamports?$/i.test(unit) && /^\d+$/.test(number) ? lamports(BigInt(number)) : undefined
    } catch {
      return undefined
    }
  },
}

/** Microlamports per compute unit: `N`, or `auto` and the most, `auto N`. Kept as text; daemon/config-options.ts reads it. */
export const priorityFee: Kind<string> = {
  allowed: 'a whole number below 1000000000, or "auto N": what others paid of late, N at most ("auto": 50000)',
  parse(raw) {
    const text = typeof raw === 'bigint' || typeof raw === 'number' ? String(raw) : raw
    return typeof text === 'string' && /^(\d{1,9}|auto|auto [1-9]\d{0,8})$/.test(text) ? text : undefined
  },
}

function toBigInt(raw: unknown): bigint | undefined {
  if (typeof raw === 'bigint') return raw
  if (typeof raw === 'number' && Number.isSafeInteger(raw)) return BigInt(raw)
  return typeof raw === 'string' && /^\d{1,20}$/.test(raw) ? BigInt(raw) : undefined
}

export function text(allowed: string, pattern: RegExp): Kind<string> {
  return { allowed, parse: (raw) => (typeof raw === 'string' && pattern.test(raw) ? raw : undefined) }
}

export function oneOf<T extends string>(...values: readonly T[]): Kind<T> {
  return { allowed: `one of ${values.join(', ')}`, parse: (raw) => values.find((value) => value === raw) }
}

export const yesOrNo: Kind<boolean> = {
  allowed: 'true or false',
  parse(raw) {
    if (typeof raw === 'boolean') return raw
    return raw === 'true' || raw === '1' ? true : raw === 'false' || raw === '0' ? false : undefined
  },
}

/** A list of at most `limit`: repeated flags, text separated by commas, a TOML array, or all of that. */
export function listOf<T>(item: Kind<T>, limit: number): Kind<readonly T[]> {
  return {
    allowed: `at most ${limit}, each ${item.allowed}`,
    parse(raw) {
      const parts: readonly unknown[] | undefined =
        typeof raw === 'string' ? split(raw) : Array.isArray(raw) ? raw.flatMap(separate) : undefined
      if (!parts || parts.length > limit) return undefined
      const values: T[] = []
      for (const part of parts) {
        const value = item.parse(part)
        if (value === undefined) return undefined
        values.push(value)
      }
      return values
    },
  }
}

function split(text: string): readonly string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

/** A flag that is repeated may also hold several at once. */
function separate(part: unknown): readonly unknown[] {
  return typeof part === 'string' && part.includes(',') ? split(part) : [part]
}

/** Name → name: a TOML table, or `from=to` repeated or separated by commas. */
export function mapOf(limit: number): Kind<Readonly<Record<string, string>>> {
  return {
    allowed: `at most ${limit} pairs NAME=MODEL, names of 1 to 96 characters`,
    parse(raw) {
      const pairs = typeof raw === 'string' ? split(raw).map(pair) : Array.isArray(raw) ? raw.map(pair) : entries(raw)
      if (!pairs || pairs.length > limit) return undefined
      const names = new Map<string, string>()
      for (const [from, to] of pairs) {
        if (!isName(from) || !isName(to)) return undefined
        names.set(from, to)
      }
      return Object.fromEntries(names)
    },
  }
}

function pair(part: unknown): readonly [unknown, unknown] {
  if (typeof part !== 'string') return [part, part]
  const at = part.indexOf('=')
  return at < 0 ? [part, undefined] : [part.slice(0, at).trim(), part.slice(at + 1).trim()]
}

function entries(raw: unknown): readonly (readonly [unknown, unknown])[] | undefined {
  return typeof raw === 'object' && raw !== null ? Object.entries(raw) : undefined
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length >= 1 && value.length <= 96 && !/\s/.test(value)
}

export interface HostPort {
  readonly host: string
  readonly port: number
}

/** `host:port`, IPv6 hosts in brackets. */
export const hostPort: Kind<HostPort> = {
  allowed: 'HOST:PORT with a port from 1 to 65535, e.g. 192.0.2.7:49737 or [2001:db8::7]:49737',
  parse(raw) {
    if (typeof raw !== 'string') return undefined
    const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]{1,253})):(\d{1,5})$/.exec(raw)
    const host = match?.[1] ?? match?.[2]
    const port = Number(match?.[3])
    return host !== undefined && port >= 1 && port <= 65535 ? { host, port } : undefined
  },
}

/** 32 bytes as 64 hex digits. */
export const bytes32: Kind<Uint8Array> = {
  allowed: '64 hexadecimal digits (32 bytes)',
  parse: (raw) =>
    typeof raw === 'string' && /^[0-9a-fA-F]{64}$/.test(raw) ? Uint8Array.from(Buffer.from(raw, 'hex')) : undefined,
}

/** `scheme://host[:port]`, as browsers send it in `Origin`. */
export const origin: Kind<string> = {
  allowed: 'an origin such as https://chat.example (scheme, host and port, no path)',
  parse(raw) {
    if (typeof raw !== 'string' || !URL.canParse(raw)) return undefined
    const parsed = new URL(raw).origin
    return parsed !== 'null' && parsed === raw.toLowerCase() ? parsed : undefined
  },
}
