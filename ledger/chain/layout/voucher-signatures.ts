/**
 * The Ed25519 instruction that carries vouchers to the program:
 *
 *   count u8 | 0 | count × { signature, FFFF, key, FFFF, message, 50, FFFF : u16 LE } | count × { signature 64, key 32, voucher 50 }
 *
 * FFFF means this very instruction: the program takes no bytes from anywhere else in the transaction.
 */
import { Ed25519Program, TransactionInstruction } from '@solana/web3.js'
import { LedgerError } from '../../errors.js'
import { encodeVoucher, VOUCHER_BYTES } from '../../voucher.js'
import type { SignedVoucher } from '../../voucher.js'

const HEAD = 2
const OFFSETS = 14
const ENTRY = 64 + 32 + VOUCHER_BYTES
const HERE = 0xffff
/** More do not fit in a transaction, whatever else is in it. */
const MAX_VOUCHERS = 8

export interface VoucherSignature {
  readonly signed: SignedVoucher
  /** 32 bytes: the channel's signer. */
  readonly signer: Uint8Array
}

/** Throws `BAD_ENCODING` for no voucher or more than fit. The signatures are checked by the chain, not here. */
export function voucherSignatures(vouchers: readonly VoucherSignature[]): TransactionInstruction {
  const count = vouchers.length
  if (count === 0 || count > MAX_VOUCHERS) throw LedgerError.BAD_ENCODING(`${count} vouchers in one transaction`)
  const data = Buffer.alloc(HEAD + count * (OFFSETS + ENTRY))
  data[0] = count
  vouchers.forEach(({ signed, signer }, index) => {
    const at = HEAD + count * OFFSETS + index * ENTRY
    const offsets = [at, HERE, at + 64, HERE, at + 96, VOUCHER_BYTES, HERE]
    offsets.forEach((value, place) => data.writeUInt16LE(value, HEAD + index * OFFSETS + 2 * place))
    data.set(signed.signature, at)
    data.set(signer, at + 64)
    data.set(encodeVoucher(signed.voucher), at + 96)
  })
  return new TransactionInstruction({ programId: Ed25519Program.programId, keys: [], data })
}
