/**
 * Puts all streams that decode into one batch per step. llama.cpp joins sequences into one micro-batch only while their
 * ids rise by one, and the library fills batches in the order in which sequences asked, so left alone batches fall
 * apart. The remedy is its public strategy hook: sort by sequence id (carried in `evaluationPriority`), and return an
 * empty batch a few times until every stream that is going to ask has asked.
 *
 * A prefill step never shares a batch with decoding: a token's arithmetic then depends on its own stream only, and long
 * prompts and running answers share the time: after a chunk the answers get as long as it took, at least one token
 * and at most `STEPS` tokens each.
 */
import type { CustomBatchingPrioritizationStrategy } from 'node-llama-cpp'

/** Empty rounds cost microseconds and let promise callbacks run; a stream that has not asked by then is not waited for. */
const PATIENCE = 200
/** Bounds the answers' share where a chunk seemed long because nothing was to do after it. */
const STEPS = 8

export class BatchPacer {
  readonly #decoding = new Set<number>()
  readonly #onStep: () => void
  #rounds = 0
  readonly #now: () => number
  /** When the batch that ran last was handed out, milliseconds. */
  #handedOut = 0
  /** How long the answers may still go on before the next chunk, milliseconds. */
  #owed = 0
  /** Their batches since the last chunk. */
  #steps = 0
  #lastPrefill = -1

  /** `onStep`: called for every batch of decoding. `now`: milliseconds. */
  constructor(onStep: () => void, now: () => number = () => performance.now()) {
    this.#onStep = onStep
    this.#now = now
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
    if (items.length === 0) return []
    const now = this.#now()
    const took = now - this.#handedOut
    if (this.#steps === 0) this.#owed = took
    else this.#owed -= took
    this.#handedOut = now
    const answersTurn = this.#steps === 0 || (this.#owed > 0 && this.#steps < STEPS)
    if (prefill.length === 0 || (decode.length > 0 && answersTurn)) {
      this.#steps++
      this.#onStep()
      const sorted = decode.toSorted((a, b) => a.evaluationPriority - b.evaluationPriority).slice(0, size)
      return sorted.map((item) => ({ item, processAmount: 1 }))
    }
    this.#steps = 0
    // Round robin over the prompts that are being read.
    const sorted = prefill.toSorted((a, b) => a.evaluationPriority - b.evaluationPriority)
    const item = sorted.find((candidate) => candidate.evaluationPriority > this.#lastPrefill) ?? sorted[0]
    if (item === undefined) return []
    this.#lastPrefill = item.evaluationPriority
    return [{ item, processAmount: Math.min(size, item.tokens.length) }]
  }
}
