/** Message 7: payment while tokens flow. A provider without a ledger answers `UNSUPPORTED`. */
import { message, record } from './codec.js'
import { fixed, u64 } from './fields.js'

export interface Voucher {
  readonly channel: Uint8Array
  /** Lamports owed on the channel in all. */
  readonly cumulative: bigint
  /** Unix seconds, 0 = never. */
  readonly expires: bigint
  readonly signature: Uint8Array
}

export const voucherMessage = message<Voucher>(
  'voucher',
  1,
  128,
  record<Voucher>({ channel: fixed(32), cumulative: u64, expires: u64, signature: fixed(64) }),
)
