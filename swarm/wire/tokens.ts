/**
 * Message 5: output. `sealed` is a frame body (frame.ts) under the response subkey; `sequence` counts sealed parts of
 * the request from 0 and is their nonce. Token ids reveal the text, so they are inside.
 */
import { message, record } from './codec.js'
import { bytes, fixed, uint } from './fields.js'
import { MAX_TOKENS, REQUEST_ID_BYTES } from './ask.js'

/** A vector of the largest dimension fits, with its tag. */
export const MAX_SEALED_FRAME_BYTES = 2 ** 18
export const MAX_SEQUENCE = 2 ** 32 - 1

export interface Tokens {
  readonly id: Uint8Array
  readonly sequence: number
  /** Output position of the first token, or place of the first vector. */
  readonly index: number
  readonly sealed: Uint8Array
}

export const tokensMessage = message<Tokens>(
  'tokens',
  1,
  MAX_SEALED_FRAME_BYTES + 64,
  record<Tokens>({
    id: fixed(REQUEST_ID_BYTES),
    sequence: uint(MAX_SEQUENCE),
    index: uint(MAX_TOKENS),
    sealed: bytes(MAX_SEALED_FRAME_BYTES),
  }),
)
