/**
 * The events of one request between who computes them and who reads them. Bounded: producers of `tokens` stop at their
 * window, and of `queued` and `prefill` only the latest is kept.
 */
import type { EngineEvent } from './port.js'

export class EventFeed {
  readonly #events: EngineEvent[] = []
  #ended = false
  #error: Error | null = null
  #wake: (() => void) | null = null

  get buffered(): number {
    return this.#events.length
  }

  push(event: EngineEvent): void {
    if (this.#ended) return
    const last = this.#events.at(-1)
    if (last !== undefined && last.type === event.type && (event.type === 'queued' || event.type === 'prefill')) {
      this.#events[this.#events.length - 1] = event
    } else {
      this.#events.push(event)
    }
    this.#notify()
  }

  end(): void {
    this.#ended = true
    this.#notify()
  }

  /** What was pushed before is still read, then the reader gets `error`. */
  fail(error: Error): void {
    if (this.#ended) return
    this.#error = error
    this.end()
  }

  /** The reader's side: the next event, or null after the end. Throws what `fail` was given. */
  async next(): Promise<EngineEvent | null> {
    for (;;) {
      const event = this.#events.shift()
      if (event !== undefined) return event
      if (this.#error !== null) throw this.#error
      if (this.#ended) return null
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #notify(): void {
    const wake = this.#wake
    this.#wake = null
    wake?.()
  }
}
