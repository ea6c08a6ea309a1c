/**
 * The kinds of fields that bytes are made of, here and on the wire: bounded and canonical. A value has exactly one
 * encoding, and a length is checked against its limit and against what is left before anything is made. Each folder
 * builds its own set, which throws its own errors.
 */
import { isUtf8 } from 'node:buffer'
import b4a from 'b4a'
import c from 'compact-encoding'

export interface State {
  start: number
  end: number
  buffer: Uint8Array | null
}

export interface Codec<T> {
  readonly preencode: (state: State, value: T) => void
  readonly encode: (state: State, value: T) => void
  readonly decode: (state: State) => T
}

/** The errors of a folder. */
export interface Refusals {
  /** A value that may not be written. */
  readonly value: (message: string) => Error
  /** Bytes that nobody should have written. */
  readonly bytes: (message: string) => Error
  /** A variant, flag or bit that this version does not have. */
  readonly tag: (what: string, tag: number) => Error
}

/** Fields one after the other, in the order in which they are written down: append to a new version, never reorder. */
export function record<T extends object>(fields: { readonly [K in keyof T]-?: Codec<T[K]> }): Codec<T> {
  const entries = Object.entries(fields) as [keyof T, Codec<T[keyof T]>][]
  return {
    preencode(state, value) {
      for (const [key, field] of entries) field.preencode(state, value[key])
    },
    encode(state, value) {
      for (const [key, field] of entries) field.encode(state, value[key])
    },
    decode(state) {
      const value: Partial<T> = {}
      for (const [key, field] of entries) value[key] = field.decode(state)
      return value as T
    },
  }
}

/** Another face of a codec: a branded number, a name. */
export function mapped<A, B>(codec: Codec<A>, to: (value: B) => A, from: (value: A) => B): Codec<B> {
  return {
    preencode: (state, value) => codec.preencode(state, to(value)),
    encode: (state, value) => codec.encode(state, to(value)),
    decode: (state) => from(codec.decode(state)),
  }
}

/** What both sides share. The functions belong to their set: its errors are bound. */
export interface Fields {
  /** Whole number from 0 to `max`, 1, 3, 5 or 9 bytes in its shortest form; `max` is at most 2^53 − 1. */
  readonly uint: (max: number) => Codec<number>
  /** Whole number from `-max` to `max`, zigzag. */
  readonly int: (max: number) => Codec<number>
  /** Exactly `length` bytes: a view into what is read. */
  readonly fixed: (length: number) => Codec<Uint8Array>
  /** A length and so many bytes, at most `max`: a view into what is read. */
  readonly bytes: (max: number) => Codec<Uint8Array>
  /** UTF-8, at most `max` bytes, well-formed. */
  readonly string: (max: number) => Codec<string>
  /** 0 or 1. */
  readonly flag: Codec<boolean>
  /** 0, or 1 and the value. */
  readonly optional: <T>(codec: Codec<T>) => Codec<T | null>
  /** A count and so many values, at most `max`, each of at least a byte: a lying count makes nothing. */
  readonly list: <T>(item: Codec<T>, max: number) => Codec<readonly T[]>
  /** One of `names`, as its place in the list: append, never reorder. */
  readonly oneOf: <T extends string>(what: string, names: readonly T[]) => Codec<T>
  /** The next `length` bytes, read. */
  readonly take: (state: State, length: number) => Uint8Array
}

export function fieldsOf(refusals: Refusals): Fields {
  const need = (state: State, length: number): Uint8Array => {
    if (!state.buffer || state.end - state.start < length) throw refusals.bytes('bytes are missing')
    return state.buffer
  }
  const take = (state: State, length: number): Uint8Array =>
    need(state, length).subarray(state.start, (state.start += length))
  const byte = (state: State): number => need(state, 1)[state.start++] ?? 0

  const uint = (max: number): Codec<number> => ({
    preencode(state, value) {
      if (!Number.isSafeInteger(value) || value < 0 || value > max) {
        throw refusals.value(`${value} is not a whole number from 0 to ${max}`)
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
      const least = length === 2 ? 0xfd : length === 4 ? 0x10000 : 2 ** 32
      const view = take(state, length)
      let value = 0
      for (let i = length - 1; i >= 0; i--) value = value * 256 + (view[i] ?? 0)
      return bounded(value, least, max)
    },
  })
  /** Below `least` a shorter form would have been there. Above 2^53 a sum is inexact, but above every `max` too. */
  const bounded = (value: number, least: number, max: number): number => {
    if (value < least) throw refusals.bytes('a number in a longer form than needed')
    if (value > max) throw refusals.bytes(`${value} is above its limit of ${max}`)
    return value
  }
  const tagged = (state: State, what: string, count: number): number => {
    const tag = byte(state)
    if (tag >= count) throw refusals.tag(what, tag)
    return tag
  }

  const bytes = (max: number): Codec<Uint8Array> => {
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
      decode: (state) => take(state, length.decode(state)),
    }
  }

  return {
    uint,
    bytes,
    take,
    int: (max) =>
      mapped(
        uint(2 * max),
        (value: number) => (value < 0 ? -2 * value - 1 : 2 * value),
        (zigzag) => (zigzag % 2 === 1 ? -(zigzag + 1) / 2 : zigzag / 2),
      ),
    fixed: (length) => ({
      preencode(state, value) {
        if (value.byteLength !== length) throw refusals.value(`${value.byteLength} bytes instead of ${length}`)
        state.end += length
      },
      encode(state, value) {
        c.raw.encode(state, value)
      },
      decode: (state) => take(state, length),
    }),
    string(max) {
      const length = uint(max)
      return {
        preencode(state, value) {
          const size = b4a.byteLength(value)
          if (size > max) throw refusals.value(`a text of ${size} bytes, at most ${max} are allowed`)
          length.preencode(state, size)
          state.end += size
        },
        encode(state, value) {
          // compact-encoding writes the length too.
          c.string.encode(state, value)
        },
        decode(state) {
          const view = take(state, length.decode(state))
          if (!isUtf8(view)) throw refusals.bytes('text that is not UTF-8')
          return b4a.toString(view)
        },
      }
    },
    flag: {
      preencode(state) {
        state.end++
      },
      encode(state, value) {
        c.uint8.encode(state, value ? 1 : 0)
      },
      decode: (state) => tagged(state, 'a flag', 2) === 1,
    },
    optional: (codec) => ({
      preencode(state, value) {
        state.end++
        if (value !== null) codec.preencode(state, value)
      },
      encode(state, value) {
        c.uint8.encode(state, value === null ? 0 : 1)
        if (value !== null) codec.encode(state, value)
      },
      decode: (state) => (tagged(state, 'an optional field', 2) === 1 ? codec.decode(state) : null),
    }),
    list<T>(item: Codec<T>, max: number) {
      const length = uint(max)
      return {
        preencode(state: State, values: readonly T[]) {
          if (values.length > max) {
            throw refusals.value(`a list of ${values.length} parts, at most ${max} are allowed`)
          }
          length.preencode(state, values.length)
          for (const value of values) item.preencode(state, value)
        },
        encode(state: State, values: readonly T[]) {
          length.encode(state, values.length)
          for (const value of values) item.encode(state, value)
        },
        decode(state: State) {
          const count = length.decode(state)
          need(state, count)
          const out: T[] = []
          for (let i = 0; i < count; i++) out.push(item.decode(state))
          return out
        },
      }
    },
    oneOf: (what, names) => ({
      preencode(state, value) {
        if (!names.includes(value)) throw refusals.value(`${what} cannot be ${value}`)
        state.end++
      },
      encode(state, value) {
        c.uint8.encode(state, names.indexOf(value))
      },
      decode(state) {
        const tag = tagged(state, what, names.length)
        const name = names[tag]
        if (name === undefined) throw refusals.tag(what, tag)
        return name
      },
    }),
  }
}
