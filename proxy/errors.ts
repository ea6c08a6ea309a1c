/**
 * Failures as the OpenAI dialect tells them: `{"error": {"message", "type", "param", "code"}}` with a status.
 * What the backend throws is translated in `faults.ts`.
 */
export type ErrorType =
  | 'invalid_request_error'
  | 'authentication_error'
  | 'permission_error'
  | 'not_found_error'
  | 'rate_limit_error'
  | 'insufficient_funds'
  | 'service_unavailable_error'
  | 'server_error'

export interface ErrorTraits {
  readonly status: number
  readonly type: ErrorType
  readonly param?: string | null
  /** Shown as Retry-After; a number also says that a retry can help. */
  readonly retryAfterMs?: number | null
  /** False: `x-should-retry: false`. */
  readonly retry?: boolean
  readonly headers?: Readonly<Record<string, string>>
  /** For the log, never for the client. */
  readonly cause?: unknown
}

export class ProxyError extends Error {
  readonly code: string
  readonly status: number
  readonly type: ErrorType
  readonly param: string | null
  readonly retryAfterMs: number | null
  readonly retry: boolean
  readonly headers: Readonly<Record<string, string>>

  constructor(code: string, message: string, traits: ErrorTraits) {
    super(message, { cause: traits.cause })
    this.name = 'ProxyError'
    this.code = code
    this.status = traits.status
    this.type = traits.type
    this.param = traits.param ?? null
    this.retryAfterMs = traits.retryAfterMs ?? null
    this.retry = traits.retry ?? false
    this.headers = traits.headers ?? {}
  }

  static INVALID_JSON(reason: string): ProxyError {
    return bad('invalid_json', `The body is not JSON: ${reason}`)
  }

  static INVALID_BODY(message: string): ProxyError {
    return bad('invalid_body', message)
  }

  static MISSING_PARAMETER(param: string): ProxyError {
    return bad('missing_required_parameter', `Missing required parameter: '${param}'.`, param)
  }

  static INVALID_TYPE(param: string, rule: string): ProxyError {
    return bad('invalid_type', `Invalid type for '${param}': ${rule}.`, param)
  }

  static INVALID_VALUE(param: string, rule: string): ProxyError {
    return bad('invalid_value', `Invalid value for '${param}': ${rule}.`, param)
  }

  /** A field that is known and cannot be honoured: said, never ignored. */
  static UNSUPPORTED_PARAMETER(param: string, why: string): ProxyError {
    return bad('unsupported_parameter', `Unsupported parameter: '${param}' ${why}.`, param)
  }

  static INVALID_KEY(message: string): ProxyError {
    const headers = { 'www-authenticate': 'Bearer' }
    return new ProxyError('invalid_api_key', message, { status: 401, type: 'authentication_error', headers })
  }

  static FORBIDDEN(code: string, message: string): ProxyError {
    return new ProxyError(code, message, { status: 403, type: 'permission_error' })
  }

  static UNKNOWN_URL(method: string, path: string): ProxyError {
    return new ProxyError('unknown_url', `Unknown request URL: ${method} ${path}.`, {
      status: 404,
      type: 'invalid_request_error',
    })
  }

  static MODEL_NOT_FOUND(message: string): ProxyError {
    return new ProxyError('model_not_found', message, { status: 404, type: 'not_found_error', param: 'model' })
  }

  static METHOD_NOT_ALLOWED(method: string, path: string, allow: string): ProxyError {
    return new ProxyError('method_not_allowed', `${method} is not allowed for ${path}; ${allow} is.`, {
      status: 405,
      type: 'invalid_request_error',
      headers: { allow },
    })
  }

  static BODY_TOO_LARGE(limit: number): ProxyError {
    return new ProxyError('body_too_large', `The body is larger than ${limit} bytes (inflated).`, {
      status: 413,
      type: 'invalid_request_error',
    })
  }

  static UNSUPPORTED_MEDIA_TYPE(message: string): ProxyError {
    return new ProxyError('unsupported_media_type', message, { status: 415, type: 'invalid_request_error' })
  }

  static EXPECTATION_FAILED(): ProxyError {
    return new ProxyError('expectation_failed', 'The only expectation that can be met is 100-continue.', {
      status: 417,
      type: 'invalid_request_error',
    })
  }

  static HEADERS_TOO_LARGE(): ProxyError {
    return new ProxyError('headers_too_large', 'The request headers are too large.', {
      status: 431,
      type: 'invalid_request_error',
    })
  }

  static INTERNAL(requestId: string, cause: unknown): ProxyError {
    return new ProxyError('internal_error', `The daemon failed; its log has the cause under ${requestId}.`, {
      status: 500,
      type: 'server_error',
      retry: true,
      cause,
    })
  }

  static CUT_SHORT(): ProxyError {
    return new ProxyError('cut_short', 'The answer broke off before its end.', {
      status: 502,
      type: 'server_error',
      retry: true,
      retryAfterMs: 1000,
    })
  }

  /** The client is gone: nobody reads this. 499 as nginx logs it. */
  static CLIENT_GONE(): ProxyError {
    return new ProxyError('client_gone', 'The client closed the connection.', { status: 499, type: 'server_error' })
  }

  static SHUTTING_DOWN(): ProxyError {
    return new ProxyError('shutting_down', 'The daemon is shutting down.', {
      status: 503,
      type: 'service_unavailable_error',
      retry: true,
      retryAfterMs: 1000,
    })
  }

  /** Refusals to start: thrown by `ready()`, never sent. */
  static KEY_REQUIRED(host: string): ProxyError {
    return new ProxyError(
      'KEY_REQUIRED',
      `${host} can be reached from other machines, and whoever reaches the API spends this node's money: ` +
        'set a key for it, or bind to 127.0.0.1.',
      { status: 500, type: 'server_error' },
    )
  }

  static ADDRESS_UNUSABLE(code: string, message: string): ProxyError {
    return new ProxyError(code, message, { status: 500, type: 'server_error' })
  }
}

function bad(code: string, message: string, param: string | null = null): ProxyError {
  return new ProxyError(code, message, { status: 400, type: 'invalid_request_error', param })
}
