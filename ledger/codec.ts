/**
 * Bounded, canonical codecs on top of compact-encoding: a value has exactly one encoding, and a length is checked
 * against its limit and against what is left before anything is made. Throws `BAD_ENCODING` or `UNKNOWN_VERSION`.
 */
import { isUtf8 } from 'node:buffer'
import b4a from 'b4a'
import c from 'compact-encoding'
import { LedgerError } from './errors.js'

interface State {
  start: number
  end: number
  buffer: Uint8Array | null
}

export interface Codec<T> {
  preencode(state: State, value: T): void
  encode(state: State, value: T): void
  decode(state: State): T
}

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

/** Whole number from 0 to `max`, at most 2^53 − 1, in its shortest form. */
export function uint(max: number): Codec<number> {
  return {
    preencode(state, value) {
      if (!Number.isInteger(value) || value < 0 || value > max) {
        throw LedgerError.BAD_ENCODING(`${value} is not a whole number up to ${max}`)
      }
      c.uint.preencode(state, value)
    },
    encode(state, value) {
      c.uint.encode(state, value)
    },
    decode(state) {
      const tag = byte(state)
      if (tag <= 0xfc) return bounded(tag, 0, max)
      const length = tag === 0xfd ? 2 : tag === 0xfe ? 4 : 8
      const value = take(state, length).reduceRight((sum, one) => sum * 256 + one, 0)
      return bounded(value, length === 2 ? 0xfd : length === 4 ? 0x10000 : 2 ** 32, max)
    },
  }
}

/** Whole number from `-max` to `max`, zigzag. */
export function int(max: number): Codec<number> {
  return mapped(
    uint(2 * max),
    (value: number) => (value < 0 ? -2 * value - 1 : 2 * value),
    (zigzag) => (zigzag % 2 === 1 ? -(zigzag + 1) / 2 : zigzag / 2),
  )
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
      const bytes = take(state, length)
      if (length > 0 && bytes[length - 1] === 0) throw LedgerError.BAD_ENCODING('a number not in its shortest form')
      const value = bytes.reduceRight((sum, one) => (sum << 8n) | BigInt(one), 0n)
      if (value > max) throw LedgerError.BAD_ENCODING(`${value} is above ${max}`)
      return value
    },
  }
}

/** Exactly `length` bytes. */
export function fixed(length: number): Codec<Uint8Array> {
  return {
    preencode(state, value) {
      if (value.byteLength !== length) {
        throw LedgerError.BAD_ENCODING(`${value.byteLength} bytes instead of ${length}`)
      }
      state.end += length
    },
    encode(state, value) {
      c.raw.encode(state, value)
    },
    decode(state) {
      return take(state, length)
    },
  }
}

/** A length and so many bytes, at most `max`. */
export function bytes(max: number): Codec<Uint8Array> {
  const length = uint(max)
  return {
    preencode(state, value) {
      length.preencode(state, value.byteLength)
      state.end += value.byteLength
    },
    encode(state, value) {
      length.encode(state, value.byteLength)
      c.raw.encode(state, value)
    },
    decode(state) {
      return take(state, length.decode(state))
    },
  }
}

/** UTF-8, at most `max` bytes, well-formed. */
export function text(max: number): Codec<string> {
  return mapped(
    bytes(max),
    (value: string): Uint8Array => b4a.from(value),
    (view) => {
      if (!isUtf8(view)) throw LedgerError.BAD_ENCODING('text that is not UTF-8')
      return b4a.toString(view)
    },
  )
}

export const flag: Codec<boolean> = mapped(
  uint(1),
  (value: boolean) => (value ? 1 : 0),
  (value) => value === 1,
)

/** A count and so many values, at most `max`. Each value takes at least one byte, which bounds the array made. */
export function list<T>(item: Codec<T>, max: number): Codec<readonly T[]> {
  const length = uint(max)
  return {
    preencode(state, values) {
      length.preencode(state, values.length)
      for (const value of values) item.preencode(state, value)
    },
    encode(state, values) {
      length.encode(state, values.length)
      for (const value of values) item.encode(state, value)
    },
    decode(state) {
      const count = length.decode(state)
      left(state, count)
      return Array.from({ length: count }, () => item.decode(state))
    },
  }
}

/** 0, or 1 and the value. */
export function optional<T>(codec: Codec<T>): Codec<T | null> {
  return {
    preencode(state, value) {
      state.end++
      if (value !== null) codec.preencode(state, value)
    },
    encode(state, value) {
      c.uint8.encode(state, value === null ? 0 : 1)
      if (value !== null) codec.encode(state, value)
    },
    decode(state) {
      return flag.decode(state) ? codec.decode(state) : null
    },
  }
}

/** One of `names`, as its place in the list: append, never reorder. */
export function oneOf<T extends string>(what: string, names: readonly T[]): Codec<T> {
  return mapped(
    uint(255),
    (name: T) => {
      const tag = names.indexOf(name)
      if (tag < 0) throw LedgerError.BAD_ENCODING(`${what} cannot be ${name}`)
      return tag
    },
    (tag) => {
      const name = names[tag]
      if (name === undefined) throw LedgerError.BAD_ENCODING(`${what} has no value ${tag}`)
      return name
    },
  )
}

/** Fields one after the other, in the order in which they are written here: append to a new version, never reorder. */
export function struct<T extends object>(fields: { readonly [K in keyof T]: Codec<T[K]> }): Codec<T> {
  const entries = Object.entries(fields) as [keyof T, Codec<T[keyof T]>][]
  return {
    preencode(state, value) {
      for (const [name, codec] of entries) codec.preencode(state, value[name])
    },
    encode(state, value) {
      for (const [name, codec] of entries) codec.encode(state, value[name])
    },
    decode(state) {
      const out: Partial<T> = {}
      for (const [name, codec] of entries) out[name] = codec.decode(state)
      return out as T
    },
  }
}

/** Another face of a codec: a branded number, a name, a text. */
export function mapped<A, B>(codec: Codec<A>, to: (value: B) => A, from: (value: A) => B): Codec<B> {
  return {
    preencode(state, value) {
      codec.preencode(state, to(value))
    },
    encode(state, value) {
      codec.encode(state, to(value))
    },
    decode(state) {
      return from(codec.decode(state))
    },
  }
}

function bytesOf(value: bigint): number {
  return value === 0n ? 0 : Math.ceil(value.toString(16).length / 2)
}

/** `least`: below it, a shorter form would have been there. Above 2^53 the sum is inexact, but above every `max` too. */
function bounded(value: number, least: number, max: number): number {
  if (value < least) throw LedgerError.BAD_ENCODING('a number not in its shortest form')
  if (value > max) throw LedgerError.BAD_ENCODING(`${value} is above ${max}`)
  return value
}

function byte(state: State): number {
  return take(state, 1)[0] ?? 0
}

function take(state: State, length: number): Uint8Array {
  return left(state, length).subarray(state.start, (state.start += length))
}

/** The bytes, of which at least `length` are unread. */
function left(state: State, length: number): Uint8Array {
  if (!state.buffer || state.end - state.start < length) throw LedgerError.BAD_ENCODING('bytes are missing')
  return state.buffer
}
