/**
 * Nodes that went away without a word. Their offers are signed and in date, and still nobody answers: they are left out
 * until the node is heard from again, or a while has passed.
 */
import b4a from 'b4a'

const DOUBT_MS = 60_000
/** The oldest doubt is given up first. */
const MAX_DOUBTS = 1024

export class Doubts {
  #now: () => number
  /** Hex node key to Unix milliseconds. */
  #until = new Map<string, number>()

  constructor(now: () => number) {
    this.#now = now
  }

  doubt(nodeKey: Uint8Array): void {
    const key = b4a.toString(nodeKey, 'hex')
    this.#until.delete(key)
    this.#until.set(key, this.#now() + DOUBT_MS)
    const [oldest] = this.#until.keys()
    if (this.#until.size > MAX_DOUBTS && oldest !== undefined) this.#until.delete(oldest)
  }

  /** It was heard from; true when it had been doubted. */
  trust(nodeKey: Uint8Array): boolean {
    return this.#until.size > 0 && this.#until.delete(b4a.toString(nodeKey, 'hex'))
  }

  has(nodeKey: Uint8Array): boolean {
    if (this.#until.size === 0) return false
    const until = this.#until.get(b4a.toString(nodeKey, 'hex'))
    return until !== undefined && this.#now() < until
  }

  /** Drops what is over; true when something was. */
  prune(): boolean {
    const over = [...this.#until].filter(([, until]) => until <= this.#now())
    for (const [key] of over) this.#until.delete(key)
    return over.length > 0
  }
}
