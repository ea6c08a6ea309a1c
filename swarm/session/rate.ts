/**
 * Generic cell rate algorithm, pure: one number per limited thing says when the next event is due (GCRA, ITU-T I.371).
 */
export interface Rate {
  /** Events per second, sustained. */
  readonly perSecond: number
  /** Events at once, from rest. */
  readonly burst: number
}

/** Unix microseconds at which the bucket would be empty; 0 at first. Whole numbers, so that sums stay exact. */
export type RateState = number

/** `now` in Unix milliseconds. `retryAfterMs` is null when the event conforms; only then does `state` move. */
export function take(
  rate: Rate,
  state: RateState,
  now: number,
): { readonly state: RateState; readonly retryAfterMs: number | null } {
  const at = Math.round(now * 1000)
  const interval = Math.round(1_000_000 / rate.perSecond)
  const due = Math.max(state, at) + interval
  const early = due - at - rate.burst * interval
  if (early > 0) return { state, retryAfterMs: Math.ceil(early / 1000) }
  return { state: due, retryAfterMs: null }
}
