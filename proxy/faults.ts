/**
 * From what was thrown to what the client is told. The backend's errors are known by their `code` alone; a code that is
 * not in the table, or no code, is a 500 that says nothing of the inside.
 */
import { ProxyError } from './errors.js'
import type { ErrorType } from './errors.js'

/** What a coded error of the backend may carry beside `code` and `message`. */
interface Fault {
  readonly code: string
  readonly message: string
  readonly context: Readonly<Record<string, unknown>>
  readonly retryAfterMs: number | null
}

interface Row {
  readonly status: number
  readonly type: ErrorType
  readonly code: string
  /** Milliseconds for Retry-After when the error names none; null: a retry cannot help. */
  readonly retryMs: number | null
  readonly param?: 'model' | 'input'
}

const request = (code: string, param?: 'input'): Row => ({
  status: 400,
  type: 'invalid_request_error',
  code,
  retryMs: null,
  ...(param === undefined ? {} : { param }),
})
const money = (code: string): Row => ({ status: 402, type: 'insufficient_funds', code, retryMs: null })
const busy = (code: string): Row => ({ status: 429, type: 'rate_limit_error', code, retryMs: 1000 })
const away = (code: string, retryMs: number): Row => ({ status: 503, type: 'service_unavailable_error', code, retryMs })
const broken = (code: string): Row => ({ status: 502, type: 'server_error', code, retryMs: 1000 })

const TABLE: ReadonlyMap<string, Row> = new Map<string, Row>([
  ['MODEL_NOT_FOUND', { status: 404, type: 'not_found_error', code: 'model_not_found', retryMs: null, param: 'model' }],
  ['NO_PROVIDER', away('no_provider', 5000)],
  ['OFFER_UNKNOWN', away('no_provider', 1000)],
  ['MODEL_UNLOADING', away('no_provider', 1000)],
  ['BANNED', away('no_provider', 5000)],
  ['NOT_READY', away('not_ready', 1000)],
  ['ENGINE_NOT_READY', away('not_ready', 1000)],
  ['ENGINE_CLOSED', away('not_ready', 1000)],
  ['CLOSED', away('shutting_down', 1000)],
  ['SWARM_CLOSED', away('shutting_down', 1000)],
  ['CANCELLED', away('cancelled', 1000)],
  ['BUSY', busy('busy')],
  ['QUEUE_FULL', busy('queue_full')],
  ['RATE_LIMITED', busy('rate_limited')],
  ['CONTEXT_LENGTH_EXCEEDED', request('context_length_exceeded', 'input')],
  ['BAD_REQUEST', request('bad_request')],
  ['OUT_OF_BOUNDS', request('bad_request')],
  ['UNSUPPORTED', request('unsupported')],
  ['EMBEDDINGS_UNSUPPORTED', request('unsupported')],
  ['NO_CHAT_TEMPLATE', request('no_chat_template', 'input')],
  ['PAYMENT_REQUIRED', money('insufficient_funds')],
  ['INSUFFICIENT_FUNDS', money('insufficient_funds')],
  ['CHANNEL_EXHAUSTED', money('insufficient_funds')],
  ['NO_MEANS', money('insufficient_funds')],
  ['BUDGET_EXCEEDED', money('budget_exceeded')],
  ['COST_LIMIT', money('cost_limit')],
  // The caller's own ceiling: 402 rather than 503, since only another ceiling helps and SDKs retry a 503.
  ['PRICE_TOO_HIGH', money('price_too_high')],
  ['CHANNEL_BUSY', busy('busy')],
  ['LEDGER_UNAVAILABLE', away('ledger_unavailable', 30_000)],
  ['TERMS_REFUSED', broken('bad_provider')],
  ['PEER_LOST', broken('peer_lost')],
  ['PEER_UNREACHABLE', broken('peer_lost')],
  ['BAD_MESSAGE', broken('bad_provider')],
  ['BAD_PROTOCOL', broken('bad_provider')],
  ['MESSAGE_TOO_LARGE', broken('bad_provider')],
  ['UNKNOWN_VERSION', broken('bad_provider')],
  ['UNKNOWN_TAG', broken('bad_provider')],
  ['FLOODED', broken('bad_provider')],
  ['BAD_SEAL', broken('bad_provider')],
  ['REFUSED', broken('refused')],
  ['ENGINE_CRASHED', broken('engine_crashed')],
  ['ENGINE_FAILED', broken('engine_failed')],
  ['DEADLINE_EXCEEDED', { status: 504, type: 'server_error', code: 'deadline_exceeded', retryMs: 1000 }],
])

const MAX_MESSAGE = 2000

/** Translates anything thrown into what is sent. `inputParam`: what the route calls its input, e.g. `messages`. */
export function translate(error: unknown, requestId: string, inputParam: string | null = null): ProxyError {
  if (error instanceof ProxyError) return error
  const fault = readFault(error)
  const row = fault === null ? undefined : TABLE.get(fault.code)
  if (fault === null || row === undefined) return ProxyError.INTERNAL(requestId, error)
  const param = row.param === 'input' ? inputParam : (row.param ?? null)
  return new ProxyError(row.code, describe(fault), {
    status: row.status,
    type: row.type,
    param,
    cause: error,
    retry: row.retryMs !== null,
    retryAfterMs: row.retryMs === null ? null : (fault.retryAfterMs ?? row.retryMs),
  })
}

function readFault(error: unknown): Fault | null {
  if (typeof error !== 'object' || error === null || !('code' in error) || typeof error.code !== 'string') return null
  const context = 'context' in error && typeof error.context === 'object' && error.context !== null ? error.context : {}
  const record = context as Readonly<Record<string, unknown>>
  const wait = 'retryAfterMs' in error ? error.retryAfterMs : record['retryAfterMs']
  return {
    code: error.code,
    message: 'message' in error && typeof error.message === 'string' ? error.message : error.code,
    context: record,
    retryAfterMs: typeof wait === 'number' && Number.isFinite(wait) && wait >= 0 ? wait : null,
  }
}

/** The message of a coded error is written for people; a peer may have sent it, so it is cut and stripped. */
function describe(fault: Fault): string {
  if (fault.code === 'MODEL_NOT_FOUND') return withNames(fault)
  if (fault.code === 'CONTEXT_LENGTH_EXCEEDED') return withNumbers(fault)
  return clean(fault.message)
}

function withNames(fault: Fault): string {
  const near = Array.isArray(fault.context['near']) ? fault.context['near'] : []
  const names = near.filter((name) => typeof name === 'string').slice(0, 5)
  const missing = names.filter((name) => !fault.message.includes(name))
  return clean(missing.length === 0 ? fault.message : `${fault.message} Near names: ${missing.join(', ')}.`)
}

function withNumbers(fault: Fault): string {
  const limit = firstNumber(fault.context, ['limit', 'contextLength'])
  const asked = firstNumber(fault.context, ['prompt', 'tokens'])
  if (limit === null || asked === null) return clean(fault.message)
  return `This model's maximum context length is ${limit} tokens; the request needs ${asked}. Shorten it or ask for fewer tokens.`
}

function firstNumber(context: Readonly<Record<string, unknown>>, names: readonly string[]): number | null {
  for (const name of names) {
    const value = context[name]
    if (typeof value === 'number') return value
  }
  return null
}

function clean(message: string): string {
  // oxlint would rather see no control characters in a pattern; \p{Cc} is the class they belong to.
  return message.replaceAll(/\p{Cc}+/gu, ' ').slice(0, MAX_MESSAGE)
}

export function errorBody(error: ProxyError): string {
  const { message, type, param, code } = error
  return JSON.stringify({ error: { message, type, param, code } })
}

/** Retry-After in whole seconds, at least one; `retry-after-ms` for the SDKs that read it. */
export function errorHeaders(error: ProxyError): Record<string, string> {
  const headers: Record<string, string> = { ...error.headers, 'content-type': 'application/json; charset=utf-8' }
  if (!error.retry) headers['x-should-retry'] = 'false'
  if (error.retryAfterMs !== null) {
    headers['retry-after'] = String(Math.max(1, Math.ceil(error.retryAfterMs / 1000)))
    headers['retry-after-ms'] = String(Math.ceil(error.retryAfterMs))
  }
  return headers
}
