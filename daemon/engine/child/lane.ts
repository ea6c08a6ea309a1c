/**
 * One llama.cpp context and its sequences. Streams ask for tokens to be computed, the pacer puts what they ask into
 * batches, and the next batch starts as soon as the last stream that decodes has asked: nothing lies between two
 * batches but the draws.
 */
import type { Asked, BatchPacer } from './batch-pacer.js'
import type { NativeContext, NativeSampler } from './native.js'
import type { Pace } from './pace.js'

export interface LaneOptions {
  readonly index: number
  /** Sequences, with ids from 0. */
  readonly slots: number
  readonly native: NativeContext
  readonly pacer: BatchPacer
  readonly pace: Pace
  /** Runs work that must not overlap with that of other contexts. */
  readonly alone: Alone
}

export interface Alone {
  <T>(work: () => Promise<T>): Promise<T>
}

/** Tokens that go after what `sequence` holds, from position `at`. `sampler`: null when no logits are wanted. */
export interface Step extends Asked {
  readonly at: number
  readonly tokens: readonly number[]
  readonly sampler: NativeSampler | null
}

interface Waiting extends Step {
  readonly resolve: (logits: Logits) => void
  readonly reject: (error: unknown) => void
}

/** Token and logit in turn, best first; empty when none were wanted or the model gave none. */
export type Logits = readonly number[]

const NONE = new Uint32Array(0)

export class Lane {
  readonly index: number
  readonly slots: number
  readonly #options: LaneOptions
  #waiting: Waiting[] = []
  #chores: (() => void)[] = []
  #running = false
  #late = false
  #batches = 0

  constructor(options: LaneOptions) {
    this.index = options.index
    this.slots = options.slots
    this.#options = options
  }

  /** Which batch is being computed, counted from 1; null = none. */
  get computing(): number | null {
    return this.#running ? this.#batches : null
  }

  /** The stream on `sequence` decodes from now on: batches wait for it. */
  enter(sequence: number): void {
    this.#options.pacer.enter(sequence)
    this.#options.pace.enter(this.index)
  }

  /** The stream on `sequence` pauses or ends: batches do not wait for it any more. */
  leave(sequence: number): void {
    this.#options.pacer.leave(sequence)
    this.#options.pace.leave(this.index)
    this.#start(false)
  }

  /** Null when the lane may decode at once, else resolves when it may: lanes keep one pace. */
  turn(): Promise<void> | null {
    return this.#options.pace.turn(this.index)
  }

  /** Rejects with the native error when the batch cannot be computed. */
  evaluate(step: Step): Promise<Logits> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...step, resolve, reject })
      this.#start(false)
    })
  }

  /** Forgets what `sequence` holds from position `from` on; false when the cache cannot be cut there. Between batches. */
  cut(sequence: number, from: number): Promise<boolean> {
    return new Promise((resolve) => {
      this.#chores.push(() => resolve(this.#options.native.removeTokenCellsFromSequence(sequence, from, -1)))
      this.#start(false)
    })
  }

  /** Who decodes and has not asked when the turn of the event loop is over is not waited for. */
  #start(late: boolean): void {
    if (this.#running) return
    const chores = this.#chores
    this.#chores = []
    for (const chore of chores) chore()
    const batch = this.#options.pacer.next(this.#waiting, late)
    if (batch.length > 0) {
      this.#waiting = this.#waiting.filter((step) => !batch.includes(step))
      this.#running = true
      this.#batches++
      void this.#run(batch)
    } else if (this.#waiting.length > 0 && !this.#late) {
      this.#late = true
      setImmediate(() => {
        this.#late = false
        this.#start(true)
      })
    }
  }

  async #run(batch: readonly Waiting[]): Promise<void> {
    try {
      const logits = await this.#compute(batch)
      for (const [i, { resolve }] of batch.entries()) resolve(logits[i] ?? [])
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
    this.#running = false
    this.#start(false)
  }

  async #compute(batch: readonly Step[]): Promise<readonly Logits[]> {
    const { native, alone } = this.#options
    native.initBatch(batch.reduce((sum, { tokens }) => sum + tokens.length, 0))
    const rows = batch.map(({ sequence, at, tokens, sampler }) => {
      const outputs = sampler === null ? NONE : Uint32Array.of(tokens.length - 1)
      return native.addToBatch(sequence, at, Uint32Array.from(tokens), outputs)[0]
    })
    await alone(() => native.decodeBatch())
    // All of them, so that all streams go on in one turn: the next batch is complete before anything is sent.
    return Promise.all(
      batch.map(async ({ sampler }, i) => {
        const row = rows[i]
        if (sampler === null || row === undefined) return []
        const [, , , logits] = await native.sampleToken(row, sampler, false, false, true, false)
        return logits ?? []
      }),
    )
  }
}
