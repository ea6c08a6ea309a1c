/** Positional parameters of a JSON-RPC call, checked as they are read. Throws `-32602` as real nodes word it. */
import { fromBase58 } from '../base58.js'
import { RpcError } from './rpc-error.js'

export type Config = Readonly<Record<string, unknown>>

const COMMITMENTS = new Set(['processed', 'confirmed', 'finalized', 'recent', 'single', 'singleGossip', 'root', 'max'])
const MAX_LIST = 256

export class Params {
  readonly #values: readonly unknown[]

  constructor(values: readonly unknown[]) {
    this.#values = values
  }

  get length(): number {
    return this.#values.length
  }

  value(index: number): unknown {
    return this.#values[index]
  }

  text(index: number): string {
    const value = this.#values[index]
    if (typeof value !== 'string') throw missing(index, 'a string')
    return value
  }

  key(index: number): Uint8Array {
    return keyOf(this.text(index))
  }

  integer(index: number): number {
    return integerOf(this.#values[index], `parameter ${index}`)
  }

  /** A list of texts, bounded. */
  texts(index: number, limit: number = MAX_LIST): string[] {
    const value = this.#values[index]
    if (!Array.isArray(value)) throw missing(index, 'a list')
    if (value.length > limit) throw RpcError.INVALID_PARAMS(`Too many inputs provided; max ${limit}`)
    return value.map((item: unknown) => {
      if (typeof item !== 'string') throw missing(index, 'a list of strings')
      return item
    })
  }

  /** An optional object. `slot` refuses a `minContextSlot` that is not reached, and a commitment that is none. */
  config(index: number, slot: number): Config {
    const value = this.#values[index]
    if (value === undefined || value === null) return {}
    // getTransaction once took the encoding in its place.
    if (typeof value === 'string') return { encoding: value }
    if (typeof value !== 'object' || Array.isArray(value)) throw missing(index, 'an object')
    const config = value as Config
    const { commitment, minContextSlot } = config
    if (
      commitment !== undefined &&
      commitment !== null &&
      !(typeof commitment === 'string' && COMMITMENTS.has(commitment))
    )
      throw RpcError.INVALID_PARAMS('Invalid params: unknown commitment.')
    if (minContextSlot !== undefined && minContextSlot !== null && integerOf(minContextSlot, 'minContextSlot') > slot)
      throw RpcError.MIN_CONTEXT_SLOT_NOT_REACHED(slot)
    return config
  }
}

export function keyOf(text: string): Uint8Array {
  const bytes = fromBase58(text)
  if (!bytes) throw RpcError.INVALID_PARAMS('Invalid param: Invalid')
  if (bytes.byteLength !== 32) throw RpcError.INVALID_PARAMS('Invalid param: WrongSize')
  return bytes
}

export function signatureOf(text: string): string {
  if (fromBase58(text, 64) === null) throw RpcError.INVALID_PARAMS('Invalid param: WrongSize')
  return text
}

export function integerOf(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw RpcError.INVALID_PARAMS(`Invalid params: ${what} must be a whole number.`)
  return value
}

export function flag(config: Config, name: string): boolean {
  return config[name] === true
}

/** A transaction or message in base58 or base64. */
export function wireBytes(text: string, encoding: unknown): Uint8Array {
  if (encoding === undefined || encoding === null || encoding === 'base58') {
    const bytes = fromBase58(text)
    if (!bytes) throw RpcError.INVALID_PARAMS('invalid base58 encoding')
    return bytes
  }
  if (encoding !== 'base64') throw RpcError.INVALID_PARAMS('unsupported encoding. Supported encodings: base58, base64')
  const bytes = Buffer.from(text, 'base64')
  // Node skips what is no base64; the same text must come back.
  if (bytes.toString('base64').replace(/=+$/, '') !== text.replace(/=+$/, ''))
    throw RpcError.INVALID_PARAMS('invalid base64 encoding')
  return bytes
}

function missing(index: number, wanted: string): RpcError {
  return RpcError.INVALID_PARAMS(`Invalid params: parameter ${index} must be ${wanted}.`)
}
