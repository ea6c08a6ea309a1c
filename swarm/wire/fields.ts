/** The kinds of fields that messages are made of: those of the ledger with this folder's errors, and a few more. */
import c from 'compact-encoding'
import { fieldsOf } from '../../ledger/fields.js'
import { SwarmError } from '../errors.js'
import type { Codec } from './codec.js'

export const { uint, int, fixed, bytes, string, list, optional, oneOf, flag } = fieldsOf({
  value: (message) => SwarmError.OUT_OF_BOUNDS(message),
  bytes: (message) => SwarmError.BAD_MESSAGE(message),
  tag: (what, tag) => SwarmError.UNKNOWN_TAG(what, tag),
})

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
