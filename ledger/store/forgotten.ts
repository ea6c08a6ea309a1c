/**
 * Which transactions have lost their content keys: a Hypercore of its own, because whoever restores a log from a peer
 * must know which blocks nobody has any more.
 *
 *   block = positions, ascending, u64 LE each
 */
import b4a from 'b4a'
import type Hypercore from 'hypercore'

/** Positions of one block. */
export const MAX_FORGET = 4096

export class Forgotten {
  readonly #core: Hypercore
  readonly #positions = new Set<number>()
  #last: readonly number[] = []
  #read = 0

  private constructor(core: Hypercore) {
    this.#core = core
  }

  static async open(core: Hypercore): Promise<Forgotten> {
    const forgotten = new Forgotten(core)
    await forgotten.refresh()
    return forgotten
  }

  has(position: number): boolean {
    return this.#positions.has(position)
  }

  get size(): number {
    return this.#positions.size
  }

  /** Of the newest block: a crash may have come before these were cleared. */
  get last(): readonly number[] {
    return this.#last
  }

  /** The first half of forgetting: the caller makes it durable, then clears the blocks. */
  async add(positions: readonly number[]): Promise<void> {
    const block = b4a.alloc(positions.length * 8)
    const view = new DataView(block.buffer, block.byteOffset, block.byteLength)
    positions.forEach((position, i) => view.setBigUint64(i * 8, BigInt(position), true))
    await this.#core.append([block])
    await this.refresh()
  }

  /** Reads what is new in the core. */
  async refresh(): Promise<void> {
    for (; this.#read < this.#core.length; this.#read++) {
      const block = (await this.#core.get(this.#read)) ?? b4a.alloc(0)
      const view = new DataView(block.buffer, block.byteOffset, block.byteLength)
      this.#last = Array.from({ length: Math.floor(block.byteLength / 8) }, (_, i) =>
        Number(view.getBigUint64(i * 8, true)),
      )
      for (const position of this.#last) this.#positions.add(position)
    }
  }
}
