/** Message 14: the receipt of an ask that ended without `done` after output was delivered; `done` carries its own. */
import { REQUEST_ID_BYTES } from './ask.js'
import { message, record } from './codec.js'
import { bytes, fixed } from './fields.js'

/** A transaction of the ledger with the provider's signature is never larger. */
export const MAX_RECEIPT_BYTES = 16_384

export interface Receipt {
  readonly id: Uint8Array
  readonly receipt: Uint8Array
}

export const receiptMessage = message<Receipt>(
  'receipt',
  1,
  MAX_RECEIPT_BYTES + 32,
  record<Receipt>({ id: fixed(REQUEST_ID_BYTES), receipt: bytes(MAX_RECEIPT_BYTES) }),
)
