/**
 * Whether a host still lives. Its clock is the daemon's own timer: silence is counted in ticks, so that a suspended
 * machine, on which both stand still, counts as one at most. Pure bookkeeping; whoever ticks asks the host for a sign.
 */
export interface Patience {
  /** Milliseconds between ticks. */
  readonly tickMs: number
  /** Ticks without a word after which a host is dead. */
  readonly silent: number
  /** The same while it loads a model: parts of that let nothing else run. */
  readonly loading: number
  /** Ticks that a single batch may take. Chunks of a large model on a slow machine take many seconds. */
  readonly batch: number
}

export const PATIENCE: Patience = { tickMs: 1_000, silent: 15, loading: 180, batch: 600 }

export class Liveness {
  readonly #patience: Patience
  #loading = true
  #silent = 0
  /** Per context of the host: which batch it computes, and for how many ticks. */
  #batches: { readonly batch: number | null; ticks: number }[] = []

  constructor(patience: Patience) {
    this.#patience = patience
  }

  /** Any message is a sign of life. */
  heard(): void {
    this.#silent = 0
  }

  loaded(): void {
    this.#loading = false
  }

  /** What the host says it computes, one entry per context; null = nothing. */
  computing(batches: readonly (number | null)[]): void {
    this.#batches = batches.map((batch, i) => {
      const before = this.#batches[i]
      return before?.batch === batch ? before : { batch, ticks: 0 }
    })
  }

  /** Why the host is to be given up; null while it is not. */
  tick(): string | null {
    const { silent, loading, batch: longest } = this.#patience
    if (++this.#silent > (this.#loading ? loading : silent))
      return `has not answered for ${this.#seconds(this.#silent)}`
    for (const entry of this.#batches) {
      if (entry.batch === null) continue
      if (++entry.ticks > longest) return `has computed one batch for ${this.#seconds(entry.ticks)}`
    }
    return null
  }

  #seconds(ticks: number): string {
    return `${Math.round((ticks * this.#patience.tickMs) / 100) / 10} s`
  }
}
