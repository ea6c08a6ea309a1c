/** Message 9: the asker's signature under the receipt. A provider without a ledger answers `UNSUPPORTED`. */
import { message, record } from './codec.js'
import { fixed } from './fields.js'
import { REQUEST_ID_BYTES } from './ask.js'

export interface Countersign {
  readonly id: Uint8Array
  readonly signature: Uint8Array
}

export const countersignMessage = message<Countersign>(
  'countersign',
  1,
  96,
  record<Countersign>({ id: fixed(REQUEST_ID_BYTES), signature: fixed(64) }),
)
