/** What is sealed inside `tokens`: a piece of output, or embedding vectors. */
import c from 'compact-encoding'
import { TAG_BYTES } from '../crypto.js'
import { SwarmError } from '../errors.js'
import type { AskPosition } from '../port.js'
import { MAX_LOGPROBS, MAX_TOKEN } from './body.js'
import { message, record, union } from './codec.js'
import type { Codec } from './codec.js'
import { bytes, float, list, oneOf, optional, string, uint } from './fields.js'
import { MAX_SEALED_FRAME_BYTES } from './tokens.js'

export const MAX_FRAME_TOKENS = 256
export const MAX_FRAME_TEXT_BYTES = 65_536
/** No vocabulary known has longer tokens; most are below 16 bytes. */
export const MAX_TOKEN_BYTES = 256
export const MAX_DIMENSIONS = 32_768
export const MAX_FRAME_VECTORS = 256

export type FrameBody =
  | {
      readonly kind: 'text'
      readonly channel: 'text' | 'thought'
      readonly tokens: readonly number[]
      readonly text: string
      readonly positions: readonly AskPosition[] | null
    }
  | { readonly kind: 'vectors'; readonly vectors: readonly Float32Array[] }

const token = uint(MAX_TOKEN)
const tokenBytes = bytes(MAX_TOKEN_BYTES)

type Alternative = AskPosition['top'][number]

const position = record<AskPosition>({
  token,
  logprob: float,
  bytes: tokenBytes,
  top: list(record<Alternative>({ token, logprob: float, bytes: tokenBytes }), MAX_LOGPROBS),
})

/** A dimension and so many float32, little endian. The bytes are copied: they lie unaligned in the message. */
const vector: Codec<Float32Array> = (() => {
  const dimension = uint(MAX_DIMENSIONS)
  return {
    preencode(state, value) {
      dimension.preencode(state, value.length)
      if (value.some(Number.isNaN)) throw SwarmError.OUT_OF_BOUNDS('a vector that is not all numbers')
      state.end += value.byteLength
    },
    encode(state, value) {
      dimension.encode(state, value.length)
      for (const one of value) c.float32.encode(state, one)
    },
    decode(state) {
      const length = dimension.decode(state)
      if (length * 4 > state.end - state.start) throw SwarmError.BAD_MESSAGE('a vector longer than its message')
      const value = new Float32Array(length)
      for (let i = 0; i < length; i++) value[i] = float.decode(state)
      return value
    },
  }
})()

type TextFrame = Omit<Extract<FrameBody, { kind: 'text' }>, 'kind'>

export const frameMessage = message<FrameBody>(
  'frame',
  1,
  MAX_SEALED_FRAME_BYTES - TAG_BYTES,
  union<FrameBody>('a frame', {
    text: record<TextFrame>({
      channel: oneOf('a channel', ['text', 'thought'] as const),
      tokens: list(token, MAX_FRAME_TOKENS),
      text: string(MAX_FRAME_TEXT_BYTES),
      positions: optional(list(position, MAX_FRAME_TOKENS)),
    }),
    vectors: record({ vectors: list(vector, MAX_FRAME_VECTORS) }),
  }),
)
