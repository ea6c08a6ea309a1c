/**
 * Slots, time and blockhashes of the embedded chain, as functions of a real clock: a slot every 400 ms since genesis,
 * one blockhash a slot, valid for 150 slots. Nothing ticks while nobody asks.
 */
import { hash } from '../../crypto.js'

export const SLOT_MS = 400
export const SLOTS_PER_EPOCH = 432_000
/** Slots for which a blockhash may be used, as on real clusters. */
export const BLOCKHASH_SLOTS = 150
/** The chain starts here, so that "a recent slot" never reaches below zero. */
const FIRST_SLOT = 1_000

export interface ClockStart {
  readonly genesisHash: Uint8Array
  /** Unix milliseconds. */
  readonly genesisMs: number
  /** The newest slot and time (Unix seconds) of which this chain has written something down. */
  readonly slot: number
  readonly time: number
}

export class ChainClock {
  readonly #start: ClockStart
  readonly #now: () => number
  readonly #hashes = new Map<number, Uint8Array>()
  #slot: number
  #time: number

  constructor(start: ClockStart, now: () => number) {
    this.#start = start
    this.#now = now
    this.#slot = Math.max(start.slot, FIRST_SLOT)
    this.#time = start.time
  }

  /** Never lower than before: a clock that is set back waits for itself. */
  slot(): number {
    const elapsed = Math.floor((this.#now() - this.#start.genesisMs) / SLOT_MS)
    this.#slot = Math.max(this.#slot, FIRST_SLOT + elapsed)
    return this.#slot
  }

  /** Unix seconds, never lower than before. */
  time(): number {
    this.#time = Math.max(this.#time, Math.floor(this.#now() / 1000))
    return this.#time
  }

  /** When a slot was, or will be, by the clock of this chain; Unix seconds. */
  timeOf(slot: number): number {
    return Math.floor((this.#start.genesisMs + (slot - FIRST_SLOT) * SLOT_MS) / 1000)
  }

  blockhash(slot: number): Uint8Array {
    let found = this.#hashes.get(slot)
    if (!found) {
      const number = Buffer.alloc(8)
      number.writeBigUInt64LE(BigInt(slot))
      found = hash('swarmd/1/chain/blockhash', this.#start.genesisHash, number)
      this.#hashes.set(slot, found)
    }
    return found
  }

  /** The slot that a blockhash belongs to, or null once it has expired or never was. */
  slotOf(blockhash: Uint8Array): number | null {
    const now = this.slot()
    for (const slot of this.#hashes.keys()) if (slot < now - 2 * BLOCKHASH_SLOTS) this.#hashes.delete(slot)
    for (let slot = now; slot >= Math.max(FIRST_SLOT, now - BLOCKHASH_SLOTS); slot--)
      if (Buffer.compare(this.blockhash(slot), blockhash) === 0) return slot
    return null
  }
}
