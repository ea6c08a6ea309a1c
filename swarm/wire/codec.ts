/**
 * Bounded, canonical codecs on top of compact-encoding.
 *
 * Every message is `version uint8 | fields in the stated order`. A value has exactly one encoding, so
 * `encode(decode(bytes))` gives the same bytes, and a decoder never allocates more than the message that it reads, times
 * a small constant: lengths are checked against their limit and against what is left before anything is made.
 */
import b4a from 'b4a'
import c from 'compact-encoding'
import type { Codec, State } from '../../ledger/fields.js'
import { SwarmError } from '../errors.js'

export { record } from '../../ledger/fields.js'
export type { Codec } from '../../ledger/fields.js'

/** A top-level message: its name for errors, its size limit, and its codec (version byte included). */
export interface WireMessage<T> extends Codec<T> {
  readonly name: string
  readonly maxBytes: number
}

export function encode<T>(message: Codec<T>, value: T): Uint8Array {
  const state: State = { start: 0, end: 0, buffer: null }
  message.preencode(state, value)
  state.buffer = b4a.allocUnsafe(state.end)
  message.encode(state, value)
  return state.buffer
}

/** Throws `MESSAGE_TOO_LARGE`, `UNKNOWN_VERSION`, `UNKNOWN_TAG` or `BAD_MESSAGE`; all of `bytes` must be read. */
export function decode<T>(message: WireMessage<T>, bytes: Uint8Array): T {
  if (bytes.byteLength > message.maxBytes) {
    throw SwarmError.MESSAGE_TOO_LARGE(message.name, bytes.byteLength, message.maxBytes)
  }
  const state: State = { start: 0, end: bytes.byteLength, buffer: bytes }
  let value: T
  try {
    value = message.decode(state)
  } catch (error) {
    if (error instanceof SwarmError) throw error
    // compact-encoding throws plain errors, all of which mean that the bytes end too early.
    throw SwarmError.BAD_MESSAGE(`${message.name} is cut short`)
  }
  if (state.start !== state.end) throw SwarmError.BAD_MESSAGE(`${message.name} has bytes after its end`)
  return value
}

/** `version uint8 | body`. */
export function message<T>(name: string, version: number, maxBytes: number, body: Codec<T>): WireMessage<T> {
  return {
    name,
    maxBytes,
    preencode(state, value) {
      state.end++
      body.preencode(state, value)
    },
    encode(state, value) {
      c.uint8.encode(state, version)
      body.encode(state, value)
    },
    decode(state) {
      const got = c.uint8.decode(state)
      if (got !== version) throw SwarmError.UNKNOWN_VERSION(name, got)
      return body.decode(state)
    },
  }
}

type Tagged = { readonly kind: string }

/** `tag uint8 | the variant's fields`, the tag being the variant's place in the record: append, never reorder. */
export function union<T extends Tagged>(
  what: string,
  variants: { readonly [K in T['kind']]: Codec<Omit<Extract<T, { readonly kind: K }>, 'kind'>> },
): Codec<T> {
  const kinds = Object.keys(variants) as T['kind'][]
  const codecs = Object.values(variants) as Codec<object>[]
  const codecOf = (kind: string, tag: number): Codec<object> => {
    const codec = codecs[tag]
    if (!codec) throw SwarmError.OUT_OF_BOUNDS(`${what} cannot be ${kind}`)
    return codec
  }
  return {
    preencode(state, value) {
      state.end++
      codecOf(value.kind, kinds.indexOf(value.kind)).preencode(state, value)
    },
    encode(state, value) {
      const tag = kinds.indexOf(value.kind)
      c.uint8.encode(state, tag)
      codecOf(value.kind, tag).encode(state, value)
    },
    decode(state) {
      const tag = c.uint8.decode(state)
      const codec = codecs[tag]
      if (!codec) throw SwarmError.UNKNOWN_TAG(what, tag)
      return { kind: kinds[tag], ...codec.decode(state) } as unknown as T
    },
  }
}
