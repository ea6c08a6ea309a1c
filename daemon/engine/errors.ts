/**
 * Failures of an engine. Callers match `code`; a code is never reused or re-meant. `context` holds what a caller may
 * want to show or compute with (both numbers of a length error, the bytes of a memory refusal).
 */
export type EngineErrorCode =
  | 'BAD_REQUEST'
  | 'CANCELLED'
  | 'CONTEXT_LENGTH_EXCEEDED'
  | 'DOWNLOAD_FAILED'
  | 'EMBEDDINGS_UNSUPPORTED'
  | 'ENGINE_CLOSED'
  | 'ENGINE_CRASHED'
  | 'ENGINE_NOT_READY'
  | 'MODEL_INVALID'
  | 'MODEL_LOAD_FAILED'
  | 'MODEL_NOT_FOUND'
  | 'MODEL_UNSUPPORTED'
  | 'NO_CHAT_TEMPLATE'
  | 'OUT_OF_MEMORY'
  | 'QUEUE_FULL'

export type EngineErrorContext = Readonly<Record<string, string | number>>

export class EngineError extends Error {
  readonly code: EngineErrorCode
  readonly context: EngineErrorContext

  private constructor(code: EngineErrorCode, message: string, context: EngineErrorContext = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'EngineError'
    this.code = code
    this.context = context
  }

  /** The request itself is wrong: a template that refuses a role, a token id outside the vocabulary. Final. */
  static BAD_REQUEST(message: string): EngineError {
    return new EngineError('BAD_REQUEST', message)
  }

  static CANCELLED(message = 'the request was cancelled'): EngineError {
    return new EngineError('CANCELLED', message)
  }

  /** `context`: `prompt` tokens asked for, absent if they were not counted to the end, and `limit`, the context length of one slot. Nothing is ever truncated. */
  static CONTEXT_LENGTH_EXCEEDED(prompt: number, limit: number, counted: 'all' | 'at least' = 'all'): EngineError {
    const has = counted === 'all' ? `${prompt} tokens` : `at least ${prompt} tokens`
    return new EngineError(
      'CONTEXT_LENGTH_EXCEEDED',
      `the prompt has ${has} and needs room for at least one more; this model runs with a context length of ${limit}`,
      counted === 'all' ? { prompt, limit } : { limit },
    )
  }

  static DOWNLOAD_FAILED(message: string, cause?: unknown): EngineError {
    return new EngineError('DOWNLOAD_FAILED', message, {}, cause)
  }

  static EMBEDDINGS_UNSUPPORTED(message: string): EngineError {
    return new EngineError('EMBEDDINGS_UNSUPPORTED', message)
  }

  static ENGINE_CLOSED(message = 'the engine is closed'): EngineError {
    return new EngineError('ENGINE_CLOSED', message)
  }

  /** The engine host died while it computed; it is being restarted, the request may be sent again. */
  static ENGINE_CRASHED(message: string): EngineError {
    return new EngineError('ENGINE_CRASHED', message)
  }

  static ENGINE_NOT_READY(message = 'the model is not loaded yet'): EngineError {
    return new EngineError('ENGINE_NOT_READY', message)
  }

  /** Not a GGUF file, or a corrupt or truncated one. */
  static MODEL_INVALID(message: string, cause?: unknown): EngineError {
    return new EngineError('MODEL_INVALID', message, {}, cause)
  }

  static MODEL_LOAD_FAILED(message: string, cause?: unknown): EngineError {
    return new EngineError('MODEL_LOAD_FAILED', message, {}, cause)
  }

  static MODEL_NOT_FOUND(message: string): EngineError {
    return new EngineError('MODEL_NOT_FOUND', message)
  }

  /** A well-formed GGUF that this release cannot run: unknown architecture, vocabulary that does not fit. */
  static MODEL_UNSUPPORTED(message: string): EngineError {
    return new EngineError('MODEL_UNSUPPORTED', message)
  }

  static NO_CHAT_TEMPLATE(model: string): EngineError {
    return new EngineError(
      'NO_CHAT_TEMPLATE',
      `${model} has no chat template that can be used, as base models have none: use /v1/completions with plain text`,
    )
  }

  /** `context`: `needed` and `available` bytes. */
  static OUT_OF_MEMORY(message: string, needed: number, available: number): EngineError {
    return new EngineError('OUT_OF_MEMORY', message, { needed, available })
  }

  static QUEUE_FULL(limit: number): EngineError {
    return new EngineError('QUEUE_FULL', `all slots are busy and ${limit} requests wait already`, { limit })
  }

  /** An error that crossed the process boundary as plain data. Unknown codes are load failures. */
  static fromWire(code: string, message: string, context: EngineErrorContext): EngineError {
    return new EngineError(CODES.has(code) ? (code as EngineErrorCode) : 'MODEL_LOAD_FAILED', message, context)
  }
}

const CODES: ReadonlySet<string> = new Set<EngineErrorCode>([
  'BAD_REQUEST',
  'CANCELLED',
  'CONTEXT_LENGTH_EXCEEDED',
  'DOWNLOAD_FAILED',
  'EMBEDDINGS_UNSUPPORTED',
  'ENGINE_CLOSED',
  'ENGINE_CRASHED',
  'ENGINE_NOT_READY',
  'MODEL_INVALID',
  'MODEL_LOAD_FAILED',
  'MODEL_NOT_FOUND',
  'MODEL_UNSUPPORTED',
  'NO_CHAT_TEMPLATE',
  'OUT_OF_MEMORY',
  'QUEUE_FULL',
])
