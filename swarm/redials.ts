/**
 * Providers whose connection went without a word: dialled again at once, then with growing pauses. One that was started
 * anew under its old key is back after a second, whoever else this node is connected to.
 */
import b4a from 'b4a'
import { SwarmError } from './errors.js'

const PAUSES_MS = [100, 400, 1000, 2000, 4000, 8000]
/** At a time. A network that fell apart is left to the lookups. */
export const MAX_REDIALS = 64

export class Redials {
  readonly #dial: (key: Uint8Array, signal: AbortSignal) => Promise<unknown>
  readonly #pauses: readonly number[]
  readonly #under = new Map<string, NodeJS.Timeout>()
  readonly #abort = new AbortController()

  /** `dial`: throws while the peer is not there. */
  constructor(dial: (key: Uint8Array, signal: AbortSignal) => Promise<unknown>, pauses: readonly number[] = PAUSES_MS) {
    this.#dial = dial
    this.#pauses = pauses
  }

  /** Under way. */
  get size(): number {
    return this.#under.size
  }

  start(key: Uint8Array): void {
    const name = b4a.toString(key, 'hex')
    if (this.#abort.signal.aborted || this.#under.has(name) || this.#under.size >= MAX_REDIALS) return
    this.#wait(key, name, 0)
  }

  /** It is there again, or will not be dialled any more. */
  stop(keyHex: string): void {
    clearTimeout(this.#under.get(keyHex))
    this.#under.delete(keyHex)
  }

  close(): void {
    this.#abort.abort(SwarmError.SWARM_CLOSED())
    for (const timer of this.#under.values()) clearTimeout(timer)
    this.#under.clear()
  }

  #wait(key: Uint8Array, name: string, attempt: number): void {
    const pause = this.#pauses[attempt]
    if (pause === undefined) return this.stop(name)
    const again = (): void => {
      if (this.#under.get(name) === timer) this.#wait(key, name, attempt + 1)
    }
    const timer = setTimeout(() => {
      this.#dial(key, this.#abort.signal).then(() => this.stop(name), again)
    }, pause)
    this.#under.set(name, timer.unref())
  }
}
