/**
 * A Hyperbee over the log, by time, model, counterparty, channel, kind and id. Derived: deleted and rebuilt, it has the
 * same bytes, because it grows by whole *segments* of 64 log positions, however the appends were grouped. The newest
 * positions, less than a segment, are kept in memory.
 * Keys and values: index-keys.ts.
 */
import b4a from 'b4a'
import type Hyperbee from 'hyperbee'
import { NO_COST } from '../amount.js'
import { counterparty } from './entry.js'
import type { Entry } from './entry.js'
import {
  decodeTotals,
  fits,
  idKey,
  keyAt,
  MAX_SEGMENT,
  nameIn,
  plus,
  positionOf,
  prefixes,
  rangeOf,
  SEGMENT,
  segmentOf,
  timed,
  TOTALS,
  unpack,
} from './index-keys.js'
import type { Filter, Named, Totals } from './index-keys.js'
import { indexHolds } from './index-check.js'
import { Postings } from './postings.js'
import type { Hours } from './postings.js'
import { putsOf } from './segment.js'

/** Did the last positions that were handed out hold anything that fits? */
interface Probe {
  fits: boolean
}

/** Reads an entry back: the exact check after the bitmaps. */
type Read = (position: number) => Promise<Entry>

export class SearchIndex {
  readonly #bee: Hyperbee
  readonly #postings: Postings
  readonly #tail: Entry[] = []
  #segments = 0
  #settled: Totals = { transactions: 0, cost: NO_COST }
  #totals: Totals = { transactions: 0, cost: NO_COST }

  private constructor(bee: Hyperbee) {
    this.#bee = bee
    this.#postings = new Postings(bee)
  }

  /**
   * Reads what is indexed and then the rest of the log, from the last whole segment to `length`. `held`: so many of the
   * newest may stay in memory until something is appended, so that opening after a crash does not wait for them.
   */
  static async open(bee: Hyperbee, length: number, read: Read, held = 0): Promise<SearchIndex> {
    await bee.ready()
    const index = new SearchIndex(bee)
    const range = { gte: keyAt(TOTALS, 0), lte: keyAt(TOTALS, MAX_SEGMENT) }
    for await (const { key, value } of bee.createReadStream(range, { reverse: true, limit: 1 })) {
      index.#segments = segmentOf(key) + 1
      index.#settled = index.#totals = decodeTotals(value)
    }
    for (let at = index.#segments * SEGMENT; at < length; at += SEGMENT) {
      const positions = Array.from({ length: Math.min(SEGMENT, length - at) }, (_, i) => at + i)
      index.add(await Promise.all(positions.map(read)))
      if (length - index.#segments * SEGMENT > held) await index.settle()
    }
    return index
  }

  /** Positions known, whether in the bee or in memory. */
  get length(): number {
    return this.#segments * SEGMENT + this.#tail.length
  }

  /** Is the bee what the log makes of it? Reads both. `onProgress`: positions that were looked at. */
  async holds(read: Read, onProgress: (done: number) => void, signal?: AbortSignal): Promise<boolean> {
    return indexHolds({ bee: this.#bee, segments: this.#segments, read, onProgress, signal })
  }

  get totals(): Totals {
    return this.#totals
  }

  /** The entries that follow on those known: they are found from now on. `settle` moves whole segments to the disk. */
  add(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.#tail.push(entry)
      this.#totals = plus(this.#totals, entry)
    }
  }

  /** One call at a time. */
  async settle(): Promise<void> {
    while (this.#tail.length >= SEGMENT) await this.#settleSegment()
  }

  /** Positions and entries that fit, newest first. */
  async query(filter: Filter, limit: number, read: Read): Promise<{ position: number; entry: Entry }[]> {
    const found: { position: number; entry: Entry }[] = []
    const probe: Probe = { fits: true }
    for await (const positions of this.#candidates(filter, probe)) {
      const wanted = positions.slice(0, timed(filter) ? undefined : limit - found.length)
      const entries = await Promise.all(wanted.map(read))
      const before = found.length
      entries.forEach((entry, i) => {
        const position = wanted[i] ?? 0
        if (found.length < limit && fits(entry, filter)) found.push({ position, entry })
      })
      probe.fits = found.length > before
      if (found.length >= limit) break
    }
    return found
  }

  /** Oldest first, behind the position `after`; `filter` names at least one list (not a time alone). */
  async forward(
    filter: Filter,
    after: number | null,
    limit: number,
    read: Read,
  ): Promise<{ position: number; entry: Entry }[]> {
    const found: { position: number; entry: Entry }[] = []
    const from = after === null ? 0 : after + 1
    for await (const positions of this.#following(filter, from)) {
      for (const position of positions.filter((one) => one >= from)) {
        const entry = await read(position)
        if (fits(entry, filter)) found.push({ position, entry })
        if (found.length === limit) return found
      }
    }
    return found
  }

  /** Every position with this transaction id, ascending: an id is chosen by a consumer, so several may claim it. */
  async byId(id: Uint8Array): Promise<number[]> {
    const found: number[] = []
    const range = { gte: idKey(id, 0), lte: idKey(id, Number.MAX_SAFE_INTEGER) }
    for await (const { key } of this.#bee.createReadStream(range)) found.push(positionOf(key))
    this.#tail.forEach((entry, i) => {
      if (b4a.equals(entry.transaction.statement.id, id)) found.push(this.#segments * SEGMENT + i)
    })
    return found
  }

  /** Up to `limit` different models, counterparties or ids that begin with these hexadecimal digits. */
  async beginningWith(what: Named, digits: string, limit: number): Promise<Uint8Array[]> {
    const found = new Map<string, Uint8Array>()
    for (const entry of this.#tail) {
      const { modelRoot, id } = entry.transaction.statement
      const name = what === 'model' ? modelRoot : what === 'id' ? id : counterparty(entry)
      if (hex(name).startsWith(digits)) found.set(hex(name), name)
    }
    const { gte, lte } = rangeOf(what, digits)
    let from = gte
    while (found.size < limit) {
      let key: Uint8Array | null = null
      for await (const node of this.#bee.createReadStream({ gte: from, lte }, { limit: 1 })) key = node.key
      if (!key) break
      const { name, after } = nameIn(what, key)
      found.set(hex(name), name)
      from = after
    }
    return [...found.values()].slice(0, limit)
  }

  /**
   * Descending positions by segment, the ones in memory first. For a filter by time the segments next to `before` come
   * without a look at the hours while they have something: a page in the middle of its time costs no reading of all hours.
   */
  async *#candidates(filter: Filter, probe: Probe): AsyncGenerator<number[]> {
    const before = filter.before ?? Infinity
    // Appends go on while a query runs: it sees the log as it was.
    const segments = this.#segments
    const newest = this.#tail.map((entry, i) => ({ entry, position: segments * SEGMENT + i }))
    const told = newest
      .filter(({ entry, position }) => position < before && fits(entry, filter))
      .map(({ position }) => position)
      .reverse()
    if (told.length > 0) yield told
    const lists = prefixes(filter)
    let last = Math.min(segments - 1, before === Infinity ? segments : Math.floor((before - 1) / SEGMENT))
    for await (const [segment, bits] of this.#postings.newest(lists, null, last)) {
      yield unpack(segment, bits).filter((position) => position < before)
      last = segment - 1
      if (timed(filter) && !probe.fits) break
    }
    if (!timed(filter) || probe.fits) return
    const hours = await this.#postings.hours(filter, last)
    for await (const [segment, bits] of this.#postings.newest(lists, hours, last)) {
      yield unpack(segment, bits).filter((position) => position < before)
    }
  }

  /** Ascending positions by segment, the ones in memory last. */
  async *#following(filter: Filter, from: number): AsyncGenerator<number[]> {
    const segments = this.#segments
    const newest = this.#tail
      .map((entry, i) => ({ entry, position: segments * SEGMENT + i }))
      .filter(({ entry, position }) => position >= from && fits(entry, filter))
      .map(({ position }) => position)
    const range = { from: Math.floor(from / SEGMENT), below: segments }
    let hours: Hours | null = null
    for await (const [segment, bits] of this.#postings.oldest(prefixes(filter), range)) {
      // Read for the first segment that is on the lists: a peer that asks under all its keys is on none with most of them.
      if (timed(filter)) hours ??= await this.#postings.hours(filter, segments - 1)
      const common = hours ? bits & (hours.get(segment) ?? 0n) : bits
      yield unpack(segment, common).reverse()
    }
    yield newest
  }

  /** Moves the oldest 64 of the tail into the bee: one batch, its keys in order, so its bytes depend on the log alone. */
  async #settleSegment(): Promise<void> {
    const { puts, totals } = putsOf(this.#tail.slice(0, SEGMENT), this.#segments, this.#settled)
    const batch = this.#bee.batch()
    for (const [key, value] of puts) await batch.put(key, value)
    await batch.flush()
    this.#tail.splice(0, SEGMENT)
    this.#settled = totals
    this.#segments++
  }
}

function hex(bytes: Uint8Array): string {
  return b4a.toString(bytes, 'hex')
}
