/** Error codes on the wire. */
import { SwarmError } from '../errors.js'
import type { Codec } from './codec.js'
import { string } from './fields.js'

const MAX_CODE_BYTES = 40
const CODE = /^[A-Z][A-Z0-9_]*$/

/** An error code as its name: a peer of another version can show and compare a code that it does not know. */
export const code: Codec<string> = (() => {
  const text = string(MAX_CODE_BYTES)
  return {
    preencode: text.preencode,
    encode: text.encode,
    decode(state) {
      const value = text.decode(state)
      if (!CODE.test(value)) throw SwarmError.BAD_MESSAGE('a code that is no code')
      return value
    },
  }
})()
