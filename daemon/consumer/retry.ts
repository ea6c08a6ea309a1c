/**
 * What to do when one provider fails a request: a pure decision, so that it can be read and tested in one place.
 *
 * - `final`: the request itself is wrong or over; asking somebody else would only repeat the answer.
 * - `next`: another provider may do better. Once tokens have flowed it continues at the next position.
 */
import type { Outcome } from '../../swarm/history.js'

export type Decision = 'final' | 'next'

/** Codes of engine, swarm and provider that the caller has to act upon. Everything else is the provider's trouble. */
const FINAL: ReadonlySet<string> = new Set([
  'CONTEXT_LENGTH_EXCEEDED',
  'BAD_REQUEST',
  'UNSUPPORTED',
  'NO_CHAT_TEMPLATE',
  'EMBEDDINGS_UNSUPPORTED',
  // More than fits into an ask: nobody was asked.
  'OUT_OF_BOUNDS',
  'CANCELLED',
  'DEADLINE_EXCEEDED',
  'COST_LIMIT',
  'BUDGET_EXCEEDED',
  'LEDGER_UNAVAILABLE',
])

/** A stream that keeps breaking costs a prefill each time: stop somewhere. */
const MAX_ATTEMPTS = 6

/** A provider's way of saying not now: it is well, and says when to come back. */
const REFUSED: ReadonlySet<string> = new Set([
  'BUSY',
  'RATE_LIMITED',
  'OFFER_UNKNOWN',
  'MODEL_UNLOADING',
  'PAYMENT_REQUIRED',
  'BANNED',
])

/** Of this side's own means, or of the time that passed. */
const NO_FAULT: ReadonlySet<string> = new Set(['OFFER_UNKNOWN', 'CHANNEL_EXHAUSTED', 'CHANNEL_BUSY', 'NO_MEANS'])

/** What a failure says about the provider: nothing, that it is busy, or that it failed. */
export function outcomeOf(code: string | null, retryAfterMs: number | null): Outcome {
  if (code === null || FINAL.has(code) || NO_FAULT.has(code)) return { type: 'cancelled' }
  return REFUSED.has(code) ? { type: 'refused', retryAfterMs } : { type: 'failed' }
}

export function afterFailure(code: string | null, attempts: number, fallbacks: boolean): Decision {
  if (code === null) return 'final'
  if (FINAL.has(code)) return 'final'
  if (!fallbacks || attempts >= MAX_ATTEMPTS) return 'final'
  return 'next'
}
