/** What one peer may do per second. Guards against floods, not quotas: honest use stays far below. */
import { SwarmError } from '../errors.js'
import { take } from './rate.js'
import type { Rate } from './rate.js'

const RATES = {
  /** Above what an instant engine answers: places in flight are the real limit, this one is against floods. */
  asks: { perSecond: 20_000, burst: 2000 },
  offers: { perSecond: 2, burst: 40 },
  /** Also other things that this version only declines. */
  challenges: { perSecond: 1, burst: 4 },
  /** One per 64 tokens at 1,000 tokens/s in 32 requests at once, twice over. */
  vouchers: { perSecond: 1000, burst: 2000 },
  /** Messages for requests that are over: they cross with a cancel. */
  strays: { perSecond: 500, burst: 2000 },
} as const satisfies Record<string, Rate>

type Kind = keyof typeof RATES

export class Allowance {
  readonly #now: () => number
  readonly #states: Record<Kind, number> = { asks: 0, offers: 0, challenges: 0, vouchers: 0, strays: 0 }

  constructor(now: () => number) {
    this.#now = now
  }

  /** Null, or milliseconds after which it would be allowed. */
  wait(kind: Kind): number | null {
    const { state, retryAfterMs } = take(RATES[kind], this.#states[kind], this.#now())
    this.#states[kind] = state
    return retryAfterMs
  }

  /** Throws `FLOODED`. */
  stray(): void {
    if (this.wait('strays') !== null) throw SwarmError.FLOODED('messages for no request')
  }
}
