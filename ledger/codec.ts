/**
 * The ledger's encodings: the fields of fields.ts with this folder's errors, amounts of any length, and a version byte
 * first. Throws `BAD_ENCODING` or `UNKNOWN_VERSION`.
 */
import b4a from 'b4a'
import c from 'compact-encoding'
import { LedgerError } from './errors.js'
import { fieldsOf } from './fields.js'
import type { Codec, State } from './fields.js'

export { mapped, record as struct } from './fields.js'
export type { Codec } from './fields.js'

const fields = fieldsOf({
  value: (message) => LedgerError.BAD_ENCODING(message),
  bytes: (message) => LedgerError.BAD_ENCODING(message),
  tag: (what, tag) => LedgerError.BAD_ENCODING(`${what} has no value ${tag}`),
})

export const { uint, int, fixed, bytes, flag, optional, list, oneOf } = fields
export const text = fields.string

export function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  const state: State = { start: 0, end: 0, buffer: null }
  codec.preencode(state, value)
  state.buffer = b4a.allocUnsafeSlow(state.end)
  codec.encode(state, value)
  return state.buffer
}

/** All of `bytes` must be read. What comes out holds views into `bytes`. */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  const state: State = { start: 0, end: bytes.byteLength, buffer: bytes }
  const value = codec.decode(state)
  if (state.start !== state.end) throw LedgerError.BAD_ENCODING(`${state.end - state.start} bytes too many`)
  return value
}

/** The first byte of everything: what it is called in errors, and the only version known. */
export function version(what: string, known: number): Codec<number> {
  return {
    preencode(state) {
      state.end++
    },
    encode(state) {
      c.uint8.encode(state, known)
    },
    decode(state) {
      const given = byte(state)
      if (given !== known) throw LedgerError.UNKNOWN_VERSION(what, given)
      return given
    },
  }
}

/** `length uint8 | that many bytes, little endian, the last one not zero`. */
export function bigUint(max: bigint): Codec<bigint> {
  const most = Math.ceil(max.toString(16).length / 2)
  return {
    preencode(state, value) {
      if (value < 0n || value > max) throw LedgerError.BAD_ENCODING(`${value} is not a whole number up to ${max}`)
      state.end += 1 + bytesOf(value)
    },
    encode(state, value) {
      const length = bytesOf(value)
      c.uint8.encode(state, length)
      for (let i = 0, rest = value; i < length; i++, rest >>= 8n) c.uint8.encode(state, Number(rest & 0xffn))
    },
    decode(state) {
      const length = byte(state)
      if (length > most) throw LedgerError.BAD_ENCODING(`a number of ${length} bytes`)
      const view = fields.take(state, length)
      if (length > 0 && view[length - 1] === 0) throw LedgerError.BAD_ENCODING('a number not in its shortest form')
      const value = view.reduceRight((sum, one) => (sum << 8n) | BigInt(one), 0n)
      if (value > max) throw LedgerError.BAD_ENCODING(`${value} is above ${max}`)
      return value
    },
  }
}

function bytesOf(value: bigint): number {
  return value === 0n ? 0 : Math.ceil(value.toString(16).length / 2)
}

function byte(state: State): number {
  return fields.take(state, 1)[0] ?? 0
}
