/**
 * Keeps the lanes of one model at an equal pace: a lane that has fewer streams decodes faster, and is held back when it
 * is `SLACK` steps ahead of the slowest. Pure bookkeeping; a step is one decode batch of a lane.
 */
const SLACK = 8

interface LaneState {
  steps: number
  streams: number
  waiting: (() => void)[]
}

export class Pace {
  readonly #lanes: readonly LaneState[]

  constructor(lanes: number) {
    this.#lanes = Array.from({ length: lanes }, () => ({ steps: 0, streams: 0, waiting: [] }))
  }

  /** A stream begins to decode. A lane that was idle starts level with the others. */
  enter(lane: number): void {
    const own = this.#lane(lane)
    if (own.streams++ > 0) return
    own.steps = Math.max(own.steps, ...this.#lanes.filter((other) => other.streams > 0).map((other) => other.steps))
  }

  leave(lane: number): void {
    this.#lane(lane).streams--
    this.#release()
  }

  /** One decode batch of the lane is on its way. */
  step(lane: number): void {
    this.#lane(lane).steps++
    this.#release()
  }

  /** Null when the lane may decode at once, else resolves when it may. */
  turn(lane: number): Promise<void> | null {
    const own = this.#lane(lane)
    if (this.#level(own)) return null
    return new Promise((resolve) => own.waiting.push(resolve))
  }

  #level(own: LaneState): boolean {
    return this.#lanes.every((other) => other.streams === 0 || own.steps - other.steps < SLACK)
  }

  #release(): void {
    for (const lane of this.#lanes) {
      if (lane.waiting.length === 0 || !this.#level(lane)) continue
      const waiting = lane.waiting
      lane.waiting = []
      for (const wake of waiting) wake()
    }
  }

  #lane(index: number): LaneState {
    const lane = this.#lanes[index]
    if (lane === undefined) throw new RangeError(`no lane ${index}`)
    return lane
  }
}
