/** A promise that is settled from outside. */
export class Deferred<T> {
  readonly promise: Promise<T>
  #resolve: (value: T) => void = noop
  #reject: (reason: unknown) => void = noop

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  resolve(value: T): void {
    this.#resolve(value)
  }

  reject(reason: unknown): void {
    this.#reject(reason)
  }
}

function noop(): void {}
