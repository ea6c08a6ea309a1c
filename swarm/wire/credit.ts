/** Message 6: the reader took something; the provider may send so much more. */
import { message, record } from './codec.js'
import { fixed, uint } from './fields.js'
import { MAX_CREDIT, REQUEST_ID_BYTES } from './ask.js'

export interface Credit {
  readonly id: Uint8Array
  readonly more: number
}

export const creditMessage = message<Credit>(
  'credit',
  1,
  32,
  record<Credit>({ id: fixed(REQUEST_ID_BYTES), more: uint(MAX_CREDIT) }),
)
