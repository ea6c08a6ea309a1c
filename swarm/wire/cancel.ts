/** Message 10: the asker wants no more. What was delivered is charged; nothing further is sent for the request. */
import { code } from './code.js'
import { message, record } from './codec.js'
import { fixed, optional, uint } from './fields.js'
import { MAX_TOKENS, REQUEST_ID_BYTES } from './ask.js'

export interface Cancel {
  readonly id: Uint8Array
  /** `CANCELLED`, `DEADLINE_EXCEEDED` or the code of what the asker found wrong. */
  readonly reason: string
  /** Output positions, or vectors, that the reader took, resumed ones excluded; null = nothing said. */
  readonly taken: number | null
}

export const cancelMessage = message<Cancel>(
  'cancel',
  1,
  96,
  record<Cancel>({ id: fixed(REQUEST_ID_BYTES), reason: code, taken: optional(uint(MAX_TOKENS)) }),
)
