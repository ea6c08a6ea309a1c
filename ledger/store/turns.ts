/**
 * Work that strangers can ask for, one piece at a time for all of them together, with a rest as long as the work took: it
 * never takes more than half of one core, whoever asks how often over how many connections.
 */
import { setTimeout } from 'node:timers/promises'

export class Turns {
  readonly #now: () => number
  readonly #rest: (ms: number) => Promise<unknown>
  #last: Promise<unknown> = Promise.resolve()

  /** `now`: milliseconds on any clock that does not go back. */
  constructor(
    now: () => number = () => performance.now(),
    rest: (ms: number) => Promise<unknown> = (ms) => setTimeout(ms, null, { ref: false }),
  ) {
    this.#now = now
    this.#rest = rest
  }

  /** Resolves or rejects as `work` does. A caller has one piece waiting at a time: the queue is as long as they are many. */
  take<T>(work: () => Promise<T>): Promise<T> {
    let begun = 0
    const turn = this.#last.then(() => {
      begun = this.#now()
      return work()
    })
    const ended = turn.then(
      () => undefined,
      () => undefined,
    )
    this.#last = ended.then(() => this.#rest(this.#now() - begun))
    return turn
  }
}
