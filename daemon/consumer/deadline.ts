/**
 * One abort signal for a request: the caller's, or its deadline, whichever comes first. The reason is the coded error
 * that the caller will see.
 */
import { ConsumerError } from './errors.js'

export class Deadline {
  readonly signal: AbortSignal
  #controller = new AbortController()
  #caller: AbortSignal
  #timer: NodeJS.Timeout
  #due: number
  #onAbort = (): void => this.#controller.abort(ConsumerError.CANCELLED())

  /** `ms` from now. Call `end()` when the request is over, or the timer and the listener stay. */
  constructor(caller: AbortSignal, ms: number) {
    this.signal = this.#controller.signal
    this.#caller = caller
    this.#due = performance.now() + ms
    this.#timer = setTimeout(() => this.#controller.abort(ConsumerError.DEADLINE_EXCEEDED(ms)), ms)
    if (caller.aborted) this.#onAbort()
    else caller.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** Whole milliseconds, at least 1. */
  leftMs(): number {
    return Math.max(1, Math.round(this.#due - performance.now()))
  }

  /** Throws the reason once aborted. */
  check(): void {
    this.signal.throwIfAborted()
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#caller.removeEventListener('abort', this.#onAbort)
  }
}
