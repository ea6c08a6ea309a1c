/**
 * What a failure on the provider's machine means to the peer that asked. Engine messages are written for callers and
 * travel as they are; anything unforeseen is named without its text, which could hold a path of this machine.
 */
import type { RefusalCode } from '../../swarm/port.js'
import { codeOf } from '../errors.js'

export interface Refusal {
  readonly code: RefusalCode
  readonly detail: string
  readonly retryAfterMs: number
}

const BUSY_RETRY_MS = 2000
const NO_LEDGER_RETRY_MS = 60_000
const NO_LEDGER = 'This provider cannot keep its records right now, so it serves nobody.'

const REFUSALS: Readonly<Record<string, { code: RefusalCode; retryAfterMs: number }>> = {
  CONTEXT_LENGTH_EXCEEDED: { code: 'CONTEXT_LENGTH_EXCEEDED', retryAfterMs: 0 },
  BAD_REQUEST: { code: 'BAD_REQUEST', retryAfterMs: 0 },
  NO_CHAT_TEMPLATE: { code: 'UNSUPPORTED', retryAfterMs: 0 },
  UNSUPPORTED: { code: 'UNSUPPORTED', retryAfterMs: 0 },
  EMBEDDINGS_UNSUPPORTED: { code: 'UNSUPPORTED', retryAfterMs: 0 },
  ENGINE_CLOSED: { code: 'MODEL_UNLOADING', retryAfterMs: 0 },
  QUEUE_FULL: { code: 'BUSY', retryAfterMs: BUSY_RETRY_MS },
  ENGINE_NOT_READY: { code: 'BUSY', retryAfterMs: BUSY_RETRY_MS },
  ENGINE_CRASHED: { code: 'ENGINE_FAILED', retryAfterMs: BUSY_RETRY_MS },
  DEADLINE_EXCEEDED: { code: 'DEADLINE_EXCEEDED', retryAfterMs: 0 },
  PAYMENT_REQUIRED: { code: 'PAYMENT_REQUIRED', retryAfterMs: 0 },
  CHANNEL_EXHAUSTED: { code: 'PAYMENT_REQUIRED', retryAfterMs: 0 },
  CHANNEL_CLOSED: { code: 'PAYMENT_REQUIRED', retryAfterMs: 0 },
  CHANNEL_BUSY: { code: 'BUSY', retryAfterMs: BUSY_RETRY_MS },
  VOUCHER_BAD_SIGNATURE: { code: 'PAYMENT_REQUIRED', retryAfterMs: 0 },
  VOUCHER_EXPIRED: { code: 'PAYMENT_REQUIRED', retryAfterMs: 0 },
  VOUCHER_NOT_HIGHER: { code: 'PAYMENT_REQUIRED', retryAfterMs: 0 },
  VOUCHER_OTHER_CHANNEL: { code: 'PAYMENT_REQUIRED', retryAfterMs: 0 },
  VOUCHER_OVER_DEPOSIT: { code: 'PAYMENT_REQUIRED', retryAfterMs: 0 },
  COST_LIMIT: { code: 'COST_LIMIT', retryAfterMs: 0 },
}

export function refusalOf(error: unknown): Refusal {
  const code = codeOf(error)
  // Their messages speak to the owner.
  if (code === 'LEDGER_UNAVAILABLE' || code?.startsWith('STORE_'))
    return { code: 'MODEL_UNLOADING', detail: NO_LEDGER, retryAfterMs: NO_LEDGER_RETRY_MS }
  const known = code === null ? undefined : REFUSALS[code]
  if (!known || !(error instanceof Error)) {
    return { code: 'ENGINE_FAILED', detail: 'The engine failed on this request.', retryAfterMs: BUSY_RETRY_MS }
  }
  return { ...known, detail: error.message }
}
