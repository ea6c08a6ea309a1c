/**
 * Puts all streams that decode into one batch per step. llama.cpp joins sequences into one micro-batch only while their
 * ids rise by one, and the library fills batches in the order in which sequences asked, so left alone batches fall
 * apart. The remedy is its public strategy hook: sort by sequence id (carried in `evaluationPriority`), and return an
 * empty batch a few times until every stream that is going to ask has asked.
 *
 * A prefill step never shares a batch with decoding: a token's arithmetic then depends on its own stream only, and long
 * prompts and running answers take turns, one chunk against one token of each stream.
 */
import type { CustomBatchingPrioritizationStrategy } from 'node-llama-cpp'

/** Empty rounds cost microseconds and let promise callbacks run; a stream that has not asked by then is not waited for. */
const PATIENCE = 200

export class BatchPacer {
  readonly #decoding = new Set<number>()
  readonly #onStep: () => void
  #rounds = 0
  #prefillTurn = false
  #lastPrefill = -1

  /** `onStep`: called for every batch of decoding. */
  constructor(onStep: () => void) {
    this.#onStep = onStep
  }

  /** The stream on sequence `id` asks for one token at a time from now on, without pausing in between. */
  enter(id: number): void {
    this.#decoding.add(id)
  }

  /** The stream on sequence `id` pauses or ends. */
  leave(id: number): void {
    this.#decoding.delete(id)
  }

  readonly strategy: CustomBatchingPrioritizationStrategy = ({ items, size }) => {
    const decode = items.filter((item) => this.#decoding.has(item.evaluationPriority))
    if (decode.length < this.#decoding.size && this.#rounds < PATIENCE) {
      this.#rounds++
      return []
    }
    this.#rounds = 0
    const prefill = items.filter((item) => !this.#decoding.has(item.evaluationPriority))
    const prefillNow = prefill.length > 0 && (decode.length === 0 || this.#prefillTurn)
    this.#prefillTurn = prefill.length > 0 && !prefillNow
    if (!prefillNow) {
      if (decode.length > 0) this.#onStep()
      const sorted = decode.toSorted((a, b) => a.evaluationPriority - b.evaluationPriority).slice(0, size)
      return sorted.map((item) => ({ item, processAmount: 1 }))
    }
    // Round robin over the prompts that are being read.
    const sorted = prefill.toSorted((a, b) => a.evaluationPriority - b.evaluationPriority)
    const item = sorted.find((candidate) => candidate.evaluationPriority > this.#lastPrefill) ?? sorted[0]
    if (item === undefined) return []
    this.#lastPrefill = item.evaluationPriority
    return [{ item, processAmount: Math.min(size, item.tokens.length) }]
  }
}
