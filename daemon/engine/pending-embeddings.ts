/** Embedding requests that the host has not answered yet. */
import { EngineError } from './errors.js'

export interface EmbedAnswer {
  readonly vectors: readonly Float32Array[]
  readonly promptTokens: number
}

interface Pending {
  readonly resolve: (answer: EmbedAnswer) => void
  readonly reject: (error: Error) => void
}

export class PendingEmbeddings {
  readonly #pending = new Map<number, Pending>()

  get size(): number {
    return this.#pending.size
  }

  /** `cancel`: tells the host to stop. */
  wait(id: number, signal: AbortSignal, cancel: () => void): Promise<EmbedAnswer> {
    const abort = (): void => {
      cancel()
      this.fail(id, EngineError.CANCELLED())
    }
    signal.addEventListener('abort', abort, { once: true })
    return new Promise<EmbedAnswer>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject })
    }).finally(() => signal.removeEventListener('abort', abort))
  }

  /** An answer that nobody waits for any more is dropped. */
  settle(id: number, answer: EmbedAnswer): void {
    this.#take(id)?.resolve(answer)
  }

  fail(id: number, error: Error): void {
    this.#take(id)?.reject(error)
  }

  failAll(error: Error): void {
    for (const id of this.#pending.keys()) this.fail(id, error)
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    return pending
  }
}
