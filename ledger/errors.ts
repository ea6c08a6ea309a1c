/**
 * Failures of the ledger. Callers match `code`; a code is never reused or re-meant.
 *
 * Amounts and bytes say what a caller or a peer got wrong; `VOUCHER_*`, `CHANNEL_*` and `RECEIPT_*` are refusals of the
 * pure rules, thrown before anything has changed; `STORE_*` come from the disk.
 */
export type LedgerErrorCode =
  | 'AMOUNT_OUT_OF_RANGE'
  | 'PRICE_OUT_OF_RANGE'
  | 'TOKENS_OUT_OF_RANGE'
  | 'BAD_ENCODING'
  | 'UNKNOWN_VERSION'
  | 'BAD_SEAL'
  | 'BAD_WORDS'
  | 'BAD_EXPORT'
  | 'VOUCHER_BAD_SIGNATURE'
  | 'VOUCHER_EXPIRED'
  | 'VOUCHER_NOT_HIGHER'
  | 'VOUCHER_OTHER_CHANNEL'
  | 'VOUCHER_OVER_DEPOSIT'
  | 'CHANNEL_CLOSED'
  | 'CHANNEL_EXHAUSTED'
  | 'CHANNEL_BUSY'
  | 'REQUEST_UNKNOWN'
  | 'REQUEST_DUPLICATE'
  | 'RESERVATION_EXCEEDED'
  | 'CREDIT_EXCEEDED'
  | 'PAYMENT_AHEAD'
  | 'WRITE_OFF_TOO_LARGE'
  | 'BUDGET_EXCEEDED'
  | 'RECEIPT_MISMATCH'
  | 'RECEIPT_BAD_SIGNATURE'
  | 'STORE_CORRUPT'
  | 'STORE_WRITE_FAILED'
  | 'STORE_CLOSED'
  | 'STORE_FORKED'
  | 'STORE_INCOMPLETE'

export class LedgerError extends Error {
  readonly code: LedgerErrorCode

  private constructor(code: LedgerErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'LedgerError'
    this.code = code
  }

  static AMOUNT_OUT_OF_RANGE(message: string): LedgerError {
    return new LedgerError('AMOUNT_OUT_OF_RANGE', message)
  }

  static PRICE_OUT_OF_RANGE(message: string): LedgerError {
    return new LedgerError('PRICE_OUT_OF_RANGE', message)
  }

  static TOKENS_OUT_OF_RANGE(message: string): LedgerError {
    return new LedgerError('TOKENS_OUT_OF_RANGE', message)
  }

  /** Bytes that no version of this program writes. */
  static BAD_ENCODING(message: string): LedgerError {
    return new LedgerError('BAD_ENCODING', message)
  }

  static UNKNOWN_VERSION(what: string, version: number): LedgerError {
    return new LedgerError('UNKNOWN_VERSION', `${what} has version ${version}; a newer swarmd wrote it`)
  }

  /** A seal or ciphertext that does not open: another key, or changed bytes. */
  static BAD_SEAL(what: string): LedgerError {
    return new LedgerError('BAD_SEAL', `${what} does not open with this key`)
  }

  static BAD_WORDS(message: string): LedgerError {
    return new LedgerError('BAD_WORDS', message)
  }

  static BAD_EXPORT(message: string): LedgerError {
    return new LedgerError('BAD_EXPORT', message)
  }

  static VOUCHER_BAD_SIGNATURE(): LedgerError {
    return new LedgerError('VOUCHER_BAD_SIGNATURE', "the voucher is not signed by the channel's signer")
  }

  static VOUCHER_EXPIRED(expiresAt: bigint): LedgerError {
    return new LedgerError('VOUCHER_EXPIRED', `the voucher expired at ${expiresAt}`)
  }

  static VOUCHER_NOT_HIGHER(given: bigint, held: bigint): LedgerError {
    return new LedgerError('VOUCHER_NOT_HIGHER', `a voucher over ${given} after one over ${held} lamports`)
  }

  static VOUCHER_OTHER_CHANNEL(): LedgerError {
    return new LedgerError('VOUCHER_OTHER_CHANNEL', 'the voucher belongs to another channel')
  }

  static VOUCHER_OVER_DEPOSIT(given: bigint, deposit: bigint): LedgerError {
    return new LedgerError('VOUCHER_OVER_DEPOSIT', `a voucher over ${given} of a deposit of ${deposit} lamports`)
  }

  static CHANNEL_CLOSED(): LedgerError {
    return new LedgerError('CHANNEL_CLOSED', 'the channel takes no new requests')
  }

  /** What is left of the deposit does not cover the request at its maximum. */
  static CHANNEL_EXHAUSTED(needed: bigint, left: bigint): LedgerError {
    return new LedgerError('CHANNEL_EXHAUSTED', `the request may cost ${needed} of ${left} microlamports left`)
  }

  static CHANNEL_BUSY(limit: number): LedgerError {
    return new LedgerError('CHANNEL_BUSY', `the channel carries ${limit} requests already`)
  }

  static REQUEST_UNKNOWN(request: string): LedgerError {
    return new LedgerError('REQUEST_UNKNOWN', `the channel has no reservation for request ${request}`)
  }

  static REQUEST_DUPLICATE(request: string): LedgerError {
    return new LedgerError('REQUEST_DUPLICATE', `request ${request} has a reservation already`)
  }

  static RESERVATION_EXCEEDED(cost: bigint, limit: bigint): LedgerError {
    return new LedgerError('RESERVATION_EXCEEDED', `${cost} microlamports delivered, ${limit} reserved`)
  }

  /** Serving on would put more than one window at risk: wait for a voucher. */
  static CREDIT_EXCEEDED(owed: bigint, window: bigint): LedgerError {
    return new LedgerError('CREDIT_EXCEEDED', `${owed} microlamports would be unpaid, the window is ${window}`)
  }

  /** Paying this would give the other side more than what was delivered and agreed ahead. */
  static PAYMENT_AHEAD(given: bigint, due: bigint): LedgerError {
    return new LedgerError('PAYMENT_AHEAD', `a payment of ${given} lamports where ${due} are due`)
  }

  static WRITE_OFF_TOO_LARGE(amount: bigint, unpaid: bigint): LedgerError {
    return new LedgerError('WRITE_OFF_TOO_LARGE', `a write-off of ${amount} of ${unpaid} microlamports unpaid`)
  }

  /** The owner's limit says no; nothing has been sent. The message is for the owner. */
  static BUDGET_EXCEEDED(message: string): LedgerError {
    return new LedgerError('BUDGET_EXCEEDED', message)
  }

  /** The receipt says something else than what this side saw. */
  static RECEIPT_MISMATCH(fields: readonly string[]): LedgerError {
    return new LedgerError('RECEIPT_MISMATCH', `the receipt differs from what was seen in: ${fields.join(', ')}`)
  }

  static RECEIPT_BAD_SIGNATURE(who: 'provider' | 'consumer'): LedgerError {
    return new LedgerError('RECEIPT_BAD_SIGNATURE', `the ${who}'s signature does not fit the receipt`)
  }

  /** Bytes that were durable have changed: never repaired by itself. */
  static STORE_CORRUPT(message: string): LedgerError {
    return new LedgerError('STORE_CORRUPT', message)
  }

  /** Nothing of the failed write counts; the store takes no more writes until it is opened again. */
  static STORE_WRITE_FAILED(what: string, cause: unknown): LedgerError {
    const reason = cause instanceof Error ? cause.message : String(cause)
    return new LedgerError('STORE_WRITE_FAILED', `${what} cannot be written: ${reason}`, cause)
  }

  static STORE_CLOSED(what: string): LedgerError {
    return new LedgerError('STORE_CLOSED', `${what} is closed`)
  }

  /** A restore was cut short, or the copy that it reads has holes. */
  static STORE_INCOMPLETE(
    message = 'a restore of this ledger was cut short: stop the node, then "swarmd history restore --from" the same copy goes on with it',
  ): LedgerError {
    return new LedgerError('STORE_INCOMPLETE', message)
  }

  /** A replica that is older than what this node has signed: going on from it would fork the log. */
  static STORE_FORKED(message: string): LedgerError {
    return new LedgerError('STORE_FORKED', message)
  }
}
