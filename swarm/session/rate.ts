/**
 * Generic cell rate algorithm, pure: one number per limited thing says when the next event is due (GCRA, ITU-T I.371).
 */
export interface Rate {
  /** Events per second, sustained. */
  readonly perSecond: number
  /** Events at once, from rest. */
  readonly burst: number
}

/** Unix milliseconds at which the bucket would be empty; 0 at first. */
export type RateState = number

/** `retryAfterMs` is null when the event conforms; only then does `state` move. */
export function take(
  rate: Rate,
  state: RateState,
  now: number,
): { readonly state: RateState; readonly retryAfterMs: number | null } {
  const interval = 1000 / rate.perSecond
  const due = Math.max(state, now) + interval
  const early = due - now - rate.burst * interval
  if (early > 1e-6) return { state, retryAfterMs: Math.ceil(early) }
  return { state: due, retryAfterMs: null }
}
