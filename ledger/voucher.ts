/**
 * A voucher: 50 bytes with which a channel's signer promises a cumulative amount. The format and the signature (ed25519
 * over exactly these bytes) are those of the Solana Foundation's payment-channels program, whose magic separates them
 * from everything else that is signed here:
 *
 *   56 01 | channel 32 | cumulative u64 LE, lamports | expires_at i64 LE, Unix seconds, 0 = never
 */
import b4a from 'b4a'
import { lamports } from './amount.js'
import type { Lamports } from './amount.js'
import { signRaw, verifyRaw } from './crypto.js'
import { LedgerError } from './errors.js'

export const VOUCHER_BYTES = 50
const MAX_I64 = 2n ** 63n - 1n

export interface Voucher {
  /** 32 bytes: the channel's account. */
  readonly channel: Uint8Array
  /** Everything promised on this channel since it was opened. */
  readonly cumulative: Lamports
  /** Unix seconds, 0 = never. */
  readonly expiresAt: bigint
}

export interface SignedVoucher {
  readonly voucher: Voucher
  /** 64 bytes. */
  readonly signature: Uint8Array
}

/** What a voucher is measured against. */
export interface VoucherRule {
  readonly channel: Uint8Array
  /** ed25519 key that the channel authorises. */
  readonly signer: Uint8Array
  readonly deposit: Lamports
  /** The highest voucher held so far. */
  readonly held: Voucher | null
  /** Unix seconds. A provider adds the time that it needs to settle. */
  readonly now: bigint
}

/** Throws `BAD_ENCODING` for a channel of another length or a time that is no i64. */
export function encodeVoucher(voucher: Voucher): Uint8Array {
  if (voucher.channel.byteLength !== 32) throw LedgerError.BAD_ENCODING('a channel has 32 bytes')
  if (voucher.expiresAt < 0n || voucher.expiresAt > MAX_I64) throw LedgerError.BAD_ENCODING('not a time of expiry')
  const out = b4a.alloc(VOUCHER_BYTES)
  const view = viewOf(out)
  out[0] = 0x56
  out[1] = 0x01
  out.set(voucher.channel, 2)
  view.setBigUint64(34, voucher.cumulative, true)
  view.setBigInt64(42, voucher.expiresAt, true)
  return out
}

/** Throws `BAD_ENCODING`. */
export function decodeVoucher(bytes: Uint8Array): Voucher {
  if (bytes.byteLength !== VOUCHER_BYTES) throw LedgerError.BAD_ENCODING(`a voucher of ${bytes.byteLength} bytes`)
  if (bytes[0] !== 0x56 || bytes[1] !== 0x01) throw LedgerError.BAD_ENCODING('bytes that are no voucher')
  const view = viewOf(bytes)
  const expiresAt = view.getBigInt64(42, true)
  if (expiresAt < 0n) throw LedgerError.BAD_ENCODING('a voucher that expires before 1970')
  return {
    channel: Uint8Array.from(bytes.subarray(2, 34)),
    cumulative: lamports(view.getBigUint64(34, true)),
    expiresAt,
  }
}

/** The caller makes the voucher durable before it signs it (ledger/store/vouchers). */
export function signVoucher(voucher: Voucher, secretKey: Uint8Array): SignedVoucher {
  return { voucher, signature: signRaw(secretKey, encodeVoucher(voucher)) }
}

export function isSignedBy(signed: SignedVoucher, signer: Uint8Array): boolean {
  return verifyRaw(signed.signature, signer, encodeVoucher(signed.voucher))
}

/**
 * `higher`: take it. `known`: the one held already, sent again. Everything else throws: `VOUCHER_OTHER_CHANNEL`,
 * `VOUCHER_EXPIRED`, `VOUCHER_OVER_DEPOSIT`, `VOUCHER_NOT_HIGHER`, `VOUCHER_BAD_SIGNATURE`.
 */
export function checkVoucher(signed: SignedVoucher, rule: VoucherRule): 'higher' | 'known' {
  const { voucher } = signed
  const { held } = rule
  if (!b4a.equals(voucher.channel, rule.channel)) throw LedgerError.VOUCHER_OTHER_CHANNEL()
  if (voucher.expiresAt !== 0n && voucher.expiresAt <= rule.now) throw LedgerError.VOUCHER_EXPIRED(voucher.expiresAt)
  if (voucher.cumulative > rule.deposit) throw LedgerError.VOUCHER_OVER_DEPOSIT(voucher.cumulative, rule.deposit)
  const known = held !== null && b4a.equals(encodeVoucher(voucher), encodeVoucher(held))
  if (!known && voucher.cumulative <= (held?.cumulative ?? 0n)) {
    throw LedgerError.VOUCHER_NOT_HIGHER(voucher.cumulative, held?.cumulative ?? 0n)
  }
  if (!isSignedBy(signed, rule.signer)) throw LedgerError.VOUCHER_BAD_SIGNATURE()
  return known ? 'known' : 'higher'
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
