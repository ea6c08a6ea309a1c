/**
 * Does the index hold what the log puts into it, and nothing else? Both are read once, in their own orders, and compared as
 * sets: the sum of keyed hashes of all entries, under a key drawn for this one look. To build the index again and compare
 * bytes would say the same, for a gigabyte on the disk and ten times the time at a million transactions.
 */
import b4a from 'b4a'
import type Hyperbee from 'hyperbee'
import { NO_COST } from '../amount.js'
import { HASH_BYTES, keyedHash, KEY_BYTES, randomBytes } from '../crypto.js'
import type { Entry } from './entry.js'
import { positionOf, SEGMENT, segmentOf } from './index-keys.js'
import type { Totals } from './index-keys.js'
import { putsOf } from './segment.js'

const ID_LIST = 'i'.charCodeAt(0)
const MODULUS = 2n ** BigInt(8 * HASH_BYTES)

export interface Indexed {
  readonly bee: Hyperbee
  /** Whole segments that are in it. It may grow meanwhile. */
  readonly segments: number
  readonly read: (position: number) => Promise<Entry>
  /** Positions of the log that were read. */
  readonly onProgress: (done: number) => void
  readonly signal?: AbortSignal | undefined
}

export async function indexHolds({ bee, segments, read, onProgress, signal }: Indexed): Promise<boolean> {
  const secret = randomBytes(KEY_BYTES)
  const [wanted, held] = [new SetHash(secret), new SetHash(secret)]
  let totals: Totals = { transactions: 0, cost: NO_COST }
  for (let segment = 0; segment < segments; segment++) {
    signal?.throwIfAborted()
    const positions = Array.from({ length: SEGMENT }, (_, i) => segment * SEGMENT + i)
    const next = putsOf(await Promise.all(positions.map(read)), segment, totals)
    for (const [key, value] of next.puts) wanted.add(key, value)
    totals = next.totals
    onProgress((segment + 1) * SEGMENT)
  }
  for await (const { key, value } of bee.createReadStream()) {
    signal?.throwIfAborted()
    const segment = key[0] === ID_LIST ? Math.floor(positionOf(key) / SEGMENT) : segmentOf(key)
    if (segment < segments) held.add(key, value)
  }
  return wanted.equals(held)
}

/** Of a set of pairs, whatever their order. */
class SetHash {
  readonly #secret: Uint8Array
  #sum = 0n
  #count = 0

  constructor(secret: Uint8Array) {
    this.#secret = secret
  }

  add(key: Uint8Array, value: Uint8Array): void {
    const length = Uint8Array.of(key.byteLength)
    const digest = keyedHash(this.#secret, 'swarmd/1/index-entry', length, key, value)
    this.#sum = (this.#sum + BigInt(`0x${b4a.toString(digest, 'hex')}`)) % MODULUS
    this.#count++
  }

  equals(other: SetHash): boolean {
    return this.#sum === other.#sum && this.#count === other.#count
  }
}
