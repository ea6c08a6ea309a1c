/**
 * Why a request of ours could not be answered. Callers match `code`; `context` is for people and for the HTTP dialects
 * (near names, both numbers of a limit), and never holds a prompt or a key.
 */
export type ConsumerErrorCode =
  | 'MODEL_NOT_FOUND'
  | 'NO_PROVIDER'
  | 'NOT_READY'
  | 'UNSUPPORTED'
  | 'DEADLINE_EXCEEDED'
  | 'CANCELLED'
  | 'PRICE_TOO_HIGH'
  | 'BUSY'
  | 'PAYMENT_REQUIRED'

export class ConsumerError extends Error {
  readonly code: ConsumerErrorCode
  readonly context: Readonly<Record<string, unknown>>
  readonly retryAfterMs: number | null

  private constructor(
    code: ConsumerErrorCode,
    message: string,
    context: Readonly<Record<string, unknown>> = {},
    retryAfterMs: number | null = null,
  ) {
    super(message)
    this.name = 'ConsumerError'
    this.code = code
    this.context = context
    this.retryAfterMs = retryAfterMs
  }

  static MODEL_NOT_FOUND(model: string, near: readonly string[]): ConsumerError {
    const hint =
      near.length > 0 ? `Did you mean ${near.join(', ')}?` : 'See GET /v1/models for what can be reached now.'
    return new ConsumerError('MODEL_NOT_FOUND', `The model '${model}' is not reachable. ${hint}`, { model, near })
  }

  /** `why`: one line per provider that was left out or tried. */
  static NO_PROVIDER(model: string, why: readonly string[], retryAfterMs: number): ConsumerError {
    const reasons = why.length > 0 ? ` (${why.join('; ')})` : ''
    return new ConsumerError(
      'NO_PROVIDER',
      `No provider of '${model}' can take this request now${reasons}.`,
      { model, why },
      retryAfterMs,
    )
  }

  /** Everybody who could answer has said how long they are busy. */
  static BUSY(model: string, retryAfterMs: number): ConsumerError {
    return new ConsumerError('BUSY', `Every provider of '${model}' is busy.`, { model }, retryAfterMs)
  }

  static NOT_READY(): ConsumerError {
    return new ConsumerError(
      'NOT_READY',
      'This node is still joining the swarm and knows no models yet. Try again in a moment.',
      {},
      1000,
    )
  }

  static UNSUPPORTED(message: string): ConsumerError {
    return new ConsumerError('UNSUPPORTED', message)
  }

  static DEADLINE_EXCEEDED(ms: number): ConsumerError {
    return new ConsumerError('DEADLINE_EXCEEDED', `The request was not answered within its deadline of ${ms} ms.`, {
      deadlineMs: ms,
    })
  }

  static CANCELLED(): ConsumerError {
    return new ConsumerError('CANCELLED', 'The request was cancelled.')
  }

  static PAYMENT_REQUIRED(model: string): ConsumerError {
    return new ConsumerError(
      'PAYMENT_REQUIRED',
      `Every provider of '${model}' wants to be paid, and this node has no means: give it some with --credit LAMPORTS, the most that it may owe one provider.`,
      { model },
    )
  }

  static PRICE_TOO_HIGH(model: string): ConsumerError {
    return new ConsumerError(
      'PRICE_TOO_HIGH',
      `Every provider of '${model}' asks more than the price ceiling of this request.`,
      { model },
    )
  }
}
