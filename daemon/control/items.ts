/** Items of a stream between the socket and a reader: a slow reader stops the socket, and with it the daemon. */

/** Items that may wait; one is at most a few pieces of text. */
const MAX_WAITING = 16

type Next = { readonly done: false; readonly item: unknown } | { readonly done: true }

export class ItemQueue {
  readonly #socket: { pause(): unknown; resume(): unknown }
  readonly #items: unknown[] = []
  #ended = false
  #failure: Error | null = null
  #wake: () => void = () => undefined

  constructor(socket: { pause(): unknown; resume(): unknown }) {
    this.#socket = socket
  }

  push(item: unknown): void {
    this.#items.push(item)
    if (this.#items.length >= MAX_WAITING) this.#socket.pause()
    this.#wake()
  }

  end(): void {
    this.#ended = true
    this.#wake()
  }

  /** What is waiting is still read before it is thrown. */
  fail(error: Error): void {
    this.#failure ??= error
    this.#wake()
  }

  async next(): Promise<Next> {
    for (;;) {
      if (this.#items.length > 0) {
        const item = this.#items.shift()
        if (this.#items.length === 0) this.#socket.resume()
        return { done: false, item }
      }
      if (this.#ended) return { done: true }
      if (this.#failure) throw this.#failure
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }
}
