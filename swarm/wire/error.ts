/** Message 12: what went wrong, with one request or (id of zeros) with the session, which then ends. */
import { code } from './code.js'
import { message, record } from './codec.js'
import { fixed, string } from './fields.js'
import { REQUEST_ID_BYTES } from './ask.js'
import { MAX_DETAIL_BYTES } from './answer.js'

export interface Failure {
  readonly id: Uint8Array
  readonly code: string
  readonly detail: string
}

export const errorMessage = message<Failure>(
  'error',
  1,
  2048,
  record<Failure>({ id: fixed(REQUEST_ID_BYTES), code, detail: string(MAX_DETAIL_BYTES) }),
)
