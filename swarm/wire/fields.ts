/** The kinds of fields that messages are made of, each with its bound. */
import { isUtf8 } from 'node:buffer'
import b4a from 'b4a'
import c from 'compact-encoding'
import { SwarmError } from '../errors.js'
import type { Codec, State } from './codec.js'

/** Whole number, 1 to 9 bytes, at most `max`. */
export function uint(max: number): Codec<number> {
  return {
    preencode(state, value) {
      if (!Number.isSafeInteger(value) || value < 0 || value > max) {
        throw SwarmError.OUT_OF_BOUNDS(`${value} is not a whole number from 0 to ${max}`)
      }
      c.uint.preencode(state, value)
    },
    encode(state, value) {
      c.uint.encode(state, value)
    },
    decode(state) {
      const start = state.start
      const value = c.uint.decode(state)
      if (value > max) throw SwarmError.BAD_MESSAGE(`${value} is above its limit of ${max}`)
      if (state.start - start !== uintBytes(value))
        throw SwarmError.BAD_MESSAGE('a number in a longer form than needed')
      return value
    },
  }
}

function uintBytes(value: number): number {
  return value <= 0xfc ? 1 : value <= 0xffff ? 3 : value <= 0xffffffff ? 5 : 9
}

/** Zigzag number from `-max` to `max`. */
export function int(max: number): Codec<number> {
  const zigzag = uint(2 * max)
  return {
    preencode(state, value) {
      zigzag.preencode(state, value < 0 ? -2 * value - 1 : 2 * value)
    },
    encode(state, value) {
      zigzag.encode(state, value < 0 ? -2 * value - 1 : 2 * value)
    },
    decode(state) {
      const value = zigzag.decode(state)
      return value % 2 === 1 ? -(value + 1) / 2 : value / 2
    },
  }
}

/** Eight bytes, little endian. */
export const u64: Codec<bigint> = {
  preencode(state, value) {
    if (value < 0n || value > 2n ** 64n - 1n) throw SwarmError.OUT_OF_BOUNDS(`${value} is not a u64`)
    state.end += 8
  },
  encode(state, value) {
    c.biguint64.encode(state, value)
  },
  decode(state) {
    return c.biguint64.decode(state)
  },
}

/** A number that is not NaN, as float32. */
export const float: Codec<number> = {
  preencode(state, value) {
    if (Number.isNaN(value)) throw SwarmError.OUT_OF_BOUNDS('not a number')
    state.end += 4
  },
  encode(state, value) {
    c.float32.encode(state, value)
  },
  decode(state) {
    const value = c.float32.decode(state)
    if (Number.isNaN(value)) throw SwarmError.BAD_MESSAGE('not a number')
    return value
  },
}

/** Exactly `length` bytes: a view into the message, copy it to keep it. */
export function fixed(length: number): Codec<Uint8Array> {
  return {
    preencode(state, value) {
      if (value.byteLength !== length) throw SwarmError.OUT_OF_BOUNDS(`${value.byteLength} bytes instead of ${length}`)
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

/** A length and so many bytes, at most `max`: a view into the message. */
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
export function string(max: number): Codec<string> {
  const length = uint(max)
  return {
    preencode(state, value) {
      const size = b4a.byteLength(value)
      if (size > max) throw SwarmError.OUT_OF_BOUNDS(`a text of ${size} bytes, at most ${max} are allowed`)
      length.preencode(state, size)
      state.end += size
    },
    encode(state, value) {
      // compact-encoding writes the length too.
      c.string.encode(state, value)
    },
    decode(state) {
      const view = take(state, length.decode(state))
      if (!isUtf8(view)) throw SwarmError.BAD_MESSAGE('text that is not UTF-8')
      return b4a.toString(view)
    },
  }
}

/** A count and so many values, at most `max`. The array grows as values are read, each of at least a byte: a lying count makes nothing. */
export function list<T>(item: Codec<T>, max: number): Codec<readonly T[]> {
  const length = uint(max)
  return {
    preencode(state, value) {
      if (value.length > max) {
        throw SwarmError.OUT_OF_BOUNDS(`a list of ${value.length} parts, at most ${max} travel to a peer`)
      }
      length.preencode(state, value.length)
      for (const one of value) item.preencode(state, one)
    },
    encode(state, value) {
      length.encode(state, value.length)
      for (const one of value) item.encode(state, one)
    },
    decode(state) {
      const count = length.decode(state)
      const out: T[] = []
      for (let i = 0; i < count; i++) out.push(item.decode(state))
      return out
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
      const flag = c.uint8.decode(state)
      if (flag > 1) throw SwarmError.UNKNOWN_TAG('an optional field', flag)
      return flag === 1 ? codec.decode(state) : null
    },
  }
}

/** One of `names`, as its place in the list: append, never reorder. */
export function oneOf<T extends string>(what: string, names: readonly T[]): Codec<T> {
  return {
    preencode(state, value) {
      if (!names.includes(value)) throw SwarmError.OUT_OF_BOUNDS(`${what} cannot be ${value}`)
      state.end++
    },
    encode(state, value) {
      c.uint8.encode(state, names.indexOf(value))
    },
    decode(state) {
      const tag = c.uint8.decode(state)
      const name = names[tag]
      if (name === undefined) throw SwarmError.UNKNOWN_TAG(what, tag)
      return name
    },
  }
}

/** A subset of `names` as bits of one byte: append, never reorder. Ascending, each once. */
export function setOf<T extends string>(what: string, names: readonly T[]): Codec<readonly T[]> {
  const bitsOf = (value: readonly T[]): number => value.reduce((bits, name) => bits | (1 << names.indexOf(name)), 0)
  return {
    preencode(state, value) {
      if (value.some((name) => !names.includes(name))) throw SwarmError.OUT_OF_BOUNDS(`${what} of no known name`)
      state.end++
    },
    encode(state, value) {
      c.uint8.encode(state, bitsOf(value))
    },
    decode(state) {
      const bits = c.uint8.decode(state)
      if (bits >= 1 << names.length) throw SwarmError.UNKNOWN_TAG(what, bits)
      return names.filter((_, i) => bits & (1 << i))
    },
  }
}

/** 0 or 1. */
export const flag: Codec<boolean> = {
  preencode(state) {
    state.end++
  },
  encode(state, value) {
    c.uint8.encode(state, value ? 1 : 0)
  },
  decode(state) {
    const value = c.uint8.decode(state)
    if (value > 1) throw SwarmError.UNKNOWN_TAG('a flag', value)
    return value === 1
  },
}

function take(state: State, length: number): Uint8Array {
  if (!state.buffer || state.end - state.start < length) throw SwarmError.BAD_MESSAGE('bytes are missing')
  return state.buffer.subarray(state.start, (state.start += length))
}
