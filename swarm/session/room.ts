/** One promise that several can wait for, until there is room again. */
export class Room {
  #promise: Promise<void> | null = null
  #resolve: () => void = noop

  wait(): Promise<void> {
    this.#promise ??= new Promise((resolve) => {
      this.#resolve = resolve
    })
    return this.#promise
  }

  /** Wakes all who wait; who comes later waits anew. */
  open(): void {
    this.#resolve()
    this.#promise = null
    this.#resolve = noop
  }
}

function noop(): void {}
