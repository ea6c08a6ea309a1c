/** Why money or its record stands in the way of a request. Callers match `code`. */
export type PaymentErrorCode =
  | 'PAYMENT_REQUIRED' // somebody has to pay, or to say with what
  | 'NO_MEANS' // this node cannot pay now: chain or wallet are in the way, not the provider
  | 'COST_LIMIT' // the asker's own ceiling
  | 'TERMS_REFUSED' // a provider wants other terms than its offer and this ask make
  | 'LEDGER_UNAVAILABLE' // no record can be kept, so nothing is bought or sold

export class PaymentError extends Error {
  readonly code: PaymentErrorCode

  private constructor(code: PaymentErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'PaymentError'
    this.code = code
  }

  static PAYMENT_REQUIRED(message: string): PaymentError {
    return new PaymentError('PAYMENT_REQUIRED', message)
  }

  static NO_MEANS(message: string): PaymentError {
    return new PaymentError('NO_MEANS', message)
  }

  static COST_LIMIT(message: string): PaymentError {
    return new PaymentError('COST_LIMIT', message)
  }

  static TERMS_REFUSED(message: string): PaymentError {
    return new PaymentError('TERMS_REFUSED', message)
  }

  static LEDGER_UNAVAILABLE(cause: unknown): PaymentError {
    return new PaymentError(
      'LEDGER_UNAVAILABLE',
      "This node's ledger cannot be written, so it buys and sells nothing. `swarmd status` says why.",
      cause,
    )
  }
}
