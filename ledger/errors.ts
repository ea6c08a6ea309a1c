/**
 * Failures of the ledger. Callers match `code`; a code is never reused or re-meant.
 */
export type LedgerErrorCode = 'AMOUNT_OUT_OF_RANGE' | 'PRICE_OUT_OF_RANGE' | 'TOKENS_OUT_OF_RANGE'

export class LedgerError extends Error {
  readonly code: LedgerErrorCode

  private constructor(code: LedgerErrorCode, message: string) {
    super(message)
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
}
