/** How many events a stream may still send before its reader has to catch up. */
export class Credit {
  #left: number
  #waiting: (() => void) | null = null
  #closed = false

  constructor(events: number) {
    this.#left = events
  }

  /** Takes one; null when there was one to take, else resolves when there is again (or the stream was cancelled). */
  spend(): Promise<void> | null {
    this.#left--
    if (this.#left > 0 || this.#closed) return null
    return new Promise((resolve) => {
      this.#waiting = resolve
    })
  }

  add(events: number): void {
    this.#left += events
    if (this.#left > 0) this.#wake()
  }

  close(): void {
    this.#closed = true
    this.#wake()
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.()
  }
}
