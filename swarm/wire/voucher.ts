/** Message 7: payment while tokens flow. A provider without a ledger answers `UNSUPPORTED`. */
import { SwarmError } from '../errors.js'
import type { SignedPayment } from '../port.js'
import { message, record } from './codec.js'
import type { Codec } from './codec.js'
import { fixed, u64 } from './fields.js'

export type Voucher = SignedPayment

/** The format of vouchers gives it an i64; times before 1970 do not travel. */
const MAX_EXPIRES = 2n ** 63n - 1n

/** Unix seconds, 0 = never. */
export const expires: Codec<bigint> = {
  preencode(state, value) {
    if (value > MAX_EXPIRES) throw SwarmError.OUT_OF_BOUNDS(`${value} is no time of expiry`)
    u64.preencode(state, value)
  },
  encode: u64.encode,
  decode(state) {
    const value = u64.decode(state)
    if (value > MAX_EXPIRES) throw SwarmError.BAD_MESSAGE(`${value} is no time of expiry`)
    return value
  },
}

export const voucherMessage = message<Voucher>(
  'voucher',
  1,
  128,
  record<Voucher>({ channel: fixed(32), cumulative: u64, expires, signature: fixed(64) }),
)
