/**
 * Nodes that went away without a word. Their offers are signed and in date, and still nobody answers: they are left out
 * until the node is heard from again, or for a while that doubles each time it disappoints.
 */
import b4a from 'b4a'

const FIRST_MS = 5000
const LONGEST_MS = 80_000
/** The oldest doubt is given up first. */
export const MAX_DOUBTS = 1024

interface Doubt {
  /** Unix milliseconds. */
  readonly until: number
  readonly lastedMs: number
}

export class Doubts {
  #now: () => number
  /** By hex node key; one that is over stays, so that the next one is longer. */
  #doubts = new Map<string, Doubt>()

  constructor(now: () => number) {
    this.#now = now
  }

  get size(): number {
    return this.#doubts.size
  }

  /** Returns for how long, in milliseconds; null when it is doubted already. */
  doubt(nodeKey: Uint8Array): number | null {
    const key = b4a.toString(nodeKey, 'hex')
    const before = this.#doubts.get(key)
    const now = this.#now()
    // One failure has several witnesses: a lost session and the dial that follows.
    if (before && now < before.until) return null
    const lastedMs = before ? Math.min(LONGEST_MS, before.lastedMs * 2) : FIRST_MS
    this.#doubts.delete(key)
    this.#doubts.set(key, { until: now + lastedMs, lastedMs })
    const [oldest] = this.#doubts.keys()
    if (this.#doubts.size > MAX_DOUBTS && oldest !== undefined) this.#doubts.delete(oldest)
    return lastedMs
  }

  /** It was heard from; true when it had been left out. */
  trust(nodeKey: Uint8Array): boolean {
    const doubted = this.has(nodeKey)
    if (this.#doubts.size > 0) this.#doubts.delete(b4a.toString(nodeKey, 'hex'))
    return doubted
  }

  has(nodeKey: Uint8Array): boolean {
    if (this.#doubts.size === 0) return false
    const doubt = this.#doubts.get(b4a.toString(nodeKey, 'hex'))
    return doubt !== undefined && this.#now() < doubt.until
  }
}
