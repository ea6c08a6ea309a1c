/**
 * Reads a transaction as it travels, and refuses whatever LiteSVM could stumble over: its native code ends the whole
 * process on bytes that it cannot decode, so nothing reaches it that was not read here to the last byte.
 *
 *   transaction = signatures: shortvec of 64 | message
 *   message     = [0x80 | version] required u8 | read-only signed u8 | read-only unsigned u8 | keys: shortvec of 32
 *               | blockhash 32 | instructions: shortvec | version 0: lookups: shortvec
 *   instruction = program u8 | accounts: shortvec of u8 | data: shortvec of u8
 *   lookup      = table 32 | writable: shortvec of u8 | read-only: shortvec of u8
 *   shortvec    = count in 7-bit groups, at most 16 bits, shortest form | the items
 *
 * The checks are those of `sanitize` in Agave's transaction and message.
 */
import { RpcError } from './rpc-error.js'

/** A packet: what a real node accepts. */
export const MAX_TRANSACTION_BYTES = 1232
const MAX_KEYS = 256

export interface WireInstruction {
  readonly program: number
  readonly accounts: Uint8Array
  readonly data: Uint8Array
}

export interface WireLookup {
  readonly table: Uint8Array
  readonly writable: Uint8Array
  readonly readonly: Uint8Array
}

export interface WireMessage {
  readonly version: 'legacy' | 0
  readonly required: number
  readonly readonlySigned: number
  readonly readonlyUnsigned: number
  readonly keys: readonly Uint8Array[]
  readonly blockhash: Uint8Array
  readonly instructions: readonly WireInstruction[]
  readonly lookups: readonly WireLookup[]
}

export interface WireTransaction {
  readonly bytes: Uint8Array
  readonly signatures: readonly Uint8Array[]
  readonly message: WireMessage
}

/** Throws `-32602`. */
export function readTransaction(bytes: Uint8Array): WireTransaction {
  if (bytes.byteLength > MAX_TRANSACTION_BYTES)
    throw refused(`transaction too large: ${bytes.byteLength} bytes (max: ${MAX_TRANSACTION_BYTES} bytes)`)
  const reader = new Reader(bytes)
  const signatures = reader.list(() => reader.take(64))
  const message = messageOf(reader)
  reader.end()
  if (signatures.length !== message.required) throw refused('signature count does not match the header')
  return { bytes, signatures, message }
}

/** Throws `-32602`. */
export function readMessage(bytes: Uint8Array): WireMessage {
  if (bytes.byteLength > MAX_TRANSACTION_BYTES) throw refused('message too large')
  const reader = new Reader(bytes)
  const message = messageOf(reader)
  reader.end()
  return message
}

/** May the static key at `index` be written? */
export function isWritable(message: WireMessage, index: number): boolean {
  return index < message.required
    ? index < message.required - message.readonlySigned
    : index < message.keys.length - message.readonlyUnsigned
}

function messageOf(reader: Reader): WireMessage {
  const first = reader.byte()
  const versioned = (first & 0x80) !== 0
  if (versioned && first !== 0x80) throw refused(`transaction version ${first & 0x7f} is not supported`)
  const required = versioned ? reader.byte() : first
  const readonlySigned = reader.byte()
  const readonlyUnsigned = reader.byte()
  const keys = reader.list(() => reader.take(32))
  const blockhash = reader.take(32)
  const instructions = reader.list(() => ({ program: reader.byte(), accounts: reader.bytes(), data: reader.bytes() }))
  const lookups = versioned
    ? reader.list(() => ({ table: reader.take(32), writable: reader.bytes(), readonly: reader.bytes() }))
    : []
  const message: WireMessage = {
    version: versioned ? 0 : 'legacy',
    required,
    readonlySigned,
    readonlyUnsigned,
    keys,
    blockhash,
    instructions,
    lookups,
  }
  sanitize(message)
  return message
}

function sanitize(message: WireMessage): void {
  const { required, readonlySigned, readonlyUnsigned, keys, instructions, lookups } = message
  const loaded = lookups.reduce((sum, { writable, readonly }) => sum + writable.length + readonly.length, 0)
  const accounts = keys.length + loaded
  if (readonlySigned >= required) throw refused('no writable signer')
  if (required + readonlyUnsigned > keys.length) throw refused('the header counts more keys than there are')
  if (accounts > MAX_KEYS) throw refused('too many accounts')
  if (lookups.some(({ writable, readonly }) => writable.length + readonly.length === 0))
    throw refused('an empty lookup')
  for (const { program, accounts: indexes } of instructions) {
    if (program === 0 || program >= keys.length) throw refused('program index out of bounds')
    if (indexes.some((index) => index >= accounts)) throw refused('account index out of bounds')
  }
}

class Reader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  byte(): number {
    const value = this.#bytes[this.#at++]
    if (value === undefined) throw refused('unexpected end')
    return value
  }

  take(length: number): Uint8Array {
    if (this.#bytes.byteLength - this.#at < length) throw refused('unexpected end')
    return this.#bytes.subarray(this.#at, (this.#at += length))
  }

  bytes(): Uint8Array {
    return this.take(this.#count())
  }

  /** Every item takes at least a byte, so a count can never allocate more than the bytes that are there. */
  list<T>(item: () => T): T[] {
    const items: T[] = []
    for (let left = this.#count(); left > 0; left--) items.push(item())
    return items
  }

  end(): void {
    if (this.#at !== this.#bytes.byteLength) throw refused('bytes left over')
  }

  #count(): number {
    let value = 0
    for (let shift = 0; shift < 21; shift += 7) {
      const byte = this.byte()
      value |= (byte & 0x7f) << shift
      if ((byte & 0x80) !== 0) continue
      if (byte === 0 && shift > 0) break
      if (value > 0xffff) break
      return value
    }
    throw refused('a malformed count')
  }
}

function refused(reason: string): RpcError {
  return RpcError.INVALID_PARAMS(`failed to deserialize solana_transaction::versioned::VersionedTransaction: ${reason}`)
}
