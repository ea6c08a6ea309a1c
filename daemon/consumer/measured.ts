/**
 * What this node itself saw of each model root: moving averages over its own requests.
 */
import type { Measured } from './catalog.js'

/** Weight of the newest request. */
const ALPHA = 0.2
/** Roots remembered; the longest unused goes first. */
const LIMIT = 1000

export class MeasuredModels {
  readonly byRoot: Map<string, Measured> = new Map()

  /** `tokensPerSecond` null when the answer was too short to tell. */
  record(root: string, ttftMs: number, tokensPerSecond: number | null): void {
    const before = this.byRoot.get(root)
    // Re-inserting keeps the map in order of last use.
    this.byRoot.delete(root)
    this.byRoot.set(root, {
      requests: (before?.requests ?? 0) + 1,
      ttftMs: average(before?.ttftMs ?? null, ttftMs),
      tokensPerSecond:
        tokensPerSecond === null
          ? (before?.tokensPerSecond ?? null)
          : average(before?.tokensPerSecond ?? null, tokensPerSecond),
    })
    if (this.byRoot.size <= LIMIT) return
    const oldest = this.byRoot.keys().next()
    if (!oldest.done) this.byRoot.delete(oldest.value)
  }
}

function average(before: number | null, value: number): number {
  return before === null ? value : before + ALPHA * (value - before)
}
