/** Message 10: the asker wants no more. What was delivered is charged; nothing further is sent for the request. */
import { code } from './code.js'
import { message, record } from './codec.js'
import { fixed } from './fields.js'
import { REQUEST_ID_BYTES } from './ask.js'

export interface Cancel {
  readonly id: Uint8Array
  /** `CANCELLED`, `DEADLINE_EXCEEDED` or the code of what the asker found wrong. */
  readonly reason: string
}

export const cancelMessage = message<Cancel>(
  'cancel',
  1,
  96,
  record<Cancel>({ id: fixed(REQUEST_ID_BYTES), reason: code }),
)
