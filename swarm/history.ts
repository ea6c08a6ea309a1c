/**
 * What this node itself has seen of each provider: the part of reputation that nobody else can fake. Pure updates of a
 * small record; `History` only bounds how many are kept.
 */

export interface ProviderRecord {
  /** Exponentially weighted means over answered asks; null before the first. */
  readonly ttftMs: number | null
  readonly tokensPerSecond: number | null
  readonly successes: number
  /** Lost, broken or crashed after it said yes, or never answered. */
  readonly failures: number
  readonly refusals: number
  /** Failures since the last success. */
  readonly failedInRow: number
  /** Asks under way from this node. */
  readonly active: number
  /** Place in its queue as it last said. */
  readonly queue: number
  /** Unix milliseconds. */
  readonly busyUntil: number
  readonly lastFailure: number
  readonly lastSeen: number
}

export type Outcome =
  | { readonly type: 'asked' }
  | { readonly type: 'queued'; readonly position: number }
  /** `tokensPerSecond`: null when too few tokens came to tell. */
  | { readonly type: 'answered'; readonly ttftMs: number; readonly tokensPerSecond: number | null }
  | { readonly type: 'refused'; readonly retryAfterMs: number | null }
  | { readonly type: 'failed' }
  /** Given up by this side, or wrong from the start: says nothing about the provider. */
  | { readonly type: 'cancelled' }

/** The weight of the newest measurement: about the last ten count. */
const WEIGHT = 0.2
/** A refusal without a retry-after. */
const DEFAULT_BUSY_MS = 1000

export const UNKNOWN: ProviderRecord = {
  ttftMs: null,
  tokensPerSecond: null,
  successes: 0,
  failures: 0,
  refusals: 0,
  failedInRow: 0,
  active: 0,
  queue: 0,
  busyUntil: 0,
  lastFailure: 0,
  lastSeen: 0,
}

export function update(record: ProviderRecord, outcome: Outcome, now: number): ProviderRecord {
  const ended = Math.max(0, record.active - 1)
  switch (outcome.type) {
    case 'asked':
      return { ...record, active: record.active + 1 }
    case 'queued':
      return { ...record, queue: outcome.position, lastSeen: now }
    case 'answered':
      return {
        ...record,
        ttftMs: mean(record.ttftMs, outcome.ttftMs),
        tokensPerSecond:
          outcome.tokensPerSecond === null
            ? record.tokensPerSecond
            : mean(record.tokensPerSecond, outcome.tokensPerSecond),
        successes: record.successes + 1,
        failedInRow: 0,
        active: ended,
        queue: 0,
        busyUntil: 0,
        lastSeen: now,
      }
    case 'refused':
      return {
        ...record,
        refusals: record.refusals + 1,
        active: ended,
        busyUntil: now + (outcome.retryAfterMs ?? DEFAULT_BUSY_MS),
        lastSeen: now,
      }
    case 'failed':
      return {
        ...record,
        failures: record.failures + 1,
        failedInRow: record.failedInRow + 1,
        active: ended,
        lastFailure: now,
      }
    case 'cancelled':
      return { ...record, active: ended }
  }
}

function mean(before: number | null, value: number): number {
  return before === null ? value : before + WEIGHT * (value - before)
}

export const MAX_RECORDS = 1024

/** Records by provider and model, the least recently touched forgotten first. */
export class History {
  #records = new Map<string, ProviderRecord>()
  #max: number

  constructor(max = MAX_RECORDS) {
    this.#max = max
  }

  get size(): number {
    return this.#records.size
  }

  get(key: string): ProviderRecord {
    return this.#records.get(key) ?? UNKNOWN
  }

  note(key: string, outcome: Outcome, now: number): void {
    const next = update(this.get(key), outcome, now)
    this.#records.delete(key)
    this.#records.set(key, next)
    if (this.#records.size <= this.#max) return
    const [oldest] = this.#records.keys()
    if (oldest !== undefined) this.#records.delete(oldest)
  }
}
