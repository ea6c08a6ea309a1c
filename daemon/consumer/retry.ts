/**
 * What to do when one provider fails a request: a pure decision, so that it can be read and tested in one place.
 *
 * - `final`: the request itself is wrong or over; asking somebody else would only repeat the answer.
 * - `next`: another provider may do better. Once tokens have flowed it continues at the next position.
 */
export type Decision = 'final' | 'next'

/** Codes of engine, swarm and provider that the caller has to act upon. Everything else is the provider's trouble. */
const FINAL: ReadonlySet<string> = new Set([
  'CONTEXT_LENGTH_EXCEEDED',
  'BAD_REQUEST',
  'UNSUPPORTED',
  'NO_CHAT_TEMPLATE',
  'CANCELLED',
  'DEADLINE_EXCEEDED',
  'COST_LIMIT',
])

/** A stream that keeps breaking costs a prefill each time: stop somewhere. */
const MAX_ATTEMPTS = 6

export function afterFailure(code: string | null, attempts: number, fallbacks: boolean): Decision {
  if (code === null) return 'final'
  if (FINAL.has(code)) return 'final'
  if (!fallbacks || attempts >= MAX_ATTEMPTS) return 'final'
  return 'next'
}
