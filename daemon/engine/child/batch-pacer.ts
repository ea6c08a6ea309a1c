/**
 * Puts all streams of a lane that decode into one batch per step, by rising sequence id: llama.cpp joins sequences into one
 * micro-batch only while their ids rise by one.
 *
 * A prefill step never shares a batch with decoding: a token's arithmetic then depends on its own stream only, and long
 * prompts and running answers share the time: after a chunk the answers get as long as it took, at least one token
 * and at most `STEPS` tokens each.
 */
export interface Asked {
  readonly sequence: number
}

/** Bounds the answers' share where a chunk seemed long because nothing was to do after it. */
const STEPS = 8

export class BatchPacer {
  readonly #decoding = new Set<number>()
  readonly #onStep: () => void
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

  /** The stream on `sequence` asks for one token at a time from now on, without pausing in between. */
  enter(sequence: number): void {
    this.#decoding.add(sequence)
  }

  /** The stream on `sequence` pauses or ends. */
  leave(sequence: number): void {
    this.#decoding.delete(sequence)
  }

  /**
   * The next batch out of what is asked for. Empty when nothing is, or, unless `late`, when a stream that decodes has not
   * asked yet: it is worth waiting for.
   */
  next<T extends Asked>(asked: readonly T[], late: boolean): readonly T[] {
    const decode = asked.filter(({ sequence }) => this.#decoding.has(sequence))
    if (asked.length === 0 || (decode.length < this.#decoding.size && !late)) return []
    const prefill = asked.filter(({ sequence }) => !this.#decoding.has(sequence))
    const now = this.#now()
    const took = now - this.#handedOut
    if (this.#steps === 0) this.#owed = took
    else this.#owed -= took
    this.#handedOut = now
    const answersTurn = this.#steps === 0 || (this.#owed > 0 && this.#steps < STEPS)
    if (prefill.length === 0 || (decode.length > 0 && answersTurn)) {
      this.#steps++
      this.#onStep()
      return decode.toSorted((a, b) => a.sequence - b.sequence)
    }
    this.#steps = 0
    // Round robin over the prompts that are being read.
    const sorted = prefill.toSorted((a, b) => a.sequence - b.sequence)
    const chosen = sorted.find(({ sequence }) => sequence > this.#lastPrefill) ?? sorted[0]
    if (chosen === undefined) return []
    this.#lastPrefill = chosen.sequence
    return [chosen]
  }
}
