/**
 * A Hyperbee over the log, by time, model, counterparty, channel, kind and id. Derived: deleted and rebuilt, it has the
 * same bytes, because it grows by whole *segments* of 64 log positions, however the appends were grouped. The newest
 * positions, less than a segment, are kept in memory.
 *
 *   'm' | model root 32   | segment u32 BE  →  bitmap u64 LE of positions in the segment
 *   'p' | counterparty 32 | segment         →  bitmap
 *   'c' | channel 32      | segment         →  bitmap, paid channels only
 *   'k' | kind            | segment         →  bitmap
 *   't' | hour u32 BE     | segment         →  bitmap, by the owner's time at the end of the request
 *   'i' | id 16 | position u64 BE           →  nothing
 *   's' | segment                           →  transactions u64 LE, sum of costs u128 LE, up to its end
 */
import b4a from 'b4a'
import type Hyperbee from 'hyperbee'
import { microLamports, NO_COST } from '../amount.js'
import type { MicroLamports } from '../amount.js'
import { isFreeOfCharge } from '../transaction.js'
import type { Kind } from '../transaction.js'
import { counterparty } from './entry.js'
import type { Entry } from './entry.js'

export const SEGMENT = 64
const HOUR_MS = 3_600_000
const MAX_HOUR = 2 ** 32 - 1

/** All conditions hold together; none = everything. */
export interface Filter {
  readonly model?: Uint8Array
  readonly counterparty?: Uint8Array
  readonly channel?: Uint8Array
  readonly kind?: Kind
  /** Unix milliseconds on the owner's clock, both ends included. */
  readonly from?: number
  readonly to?: number
  /** Positions below this one only: the last one seen, to read on. */
  readonly before?: number
}

export interface Totals {
  readonly transactions: number
  readonly cost: MicroLamports
}

/** Reads an entry back: the exact check after the bitmaps. */
type Read = (position: number) => Promise<Entry>

export class SearchIndex {
  readonly #bee: Hyperbee
  readonly #tail: Entry[] = []
  #segments = 0
  #settled: Totals = { transactions: 0, cost: NO_COST }
  #totals: Totals = { transactions: 0, cost: NO_COST }

  private constructor(bee: Hyperbee) {
    this.#bee = bee
  }

  /** Reads what is indexed and then the rest of the log, from the last whole segment to `length`. */
  static async open(bee: Hyperbee, length: number, read: Read): Promise<SearchIndex> {
    await bee.ready()
    const index = new SearchIndex(bee)
    const range = { gte: b4a.from('s'), lt: b4a.from('t') }
    for await (const { key, value } of bee.createReadStream(range, { reverse: true, limit: 1 })) {
      index.#segments = segmentOf(key) + 1
      index.#settled = index.#totals = decodeTotals(value)
    }
    for (let at = index.#segments * SEGMENT; at < length; at += SEGMENT) {
      const positions = Array.from({ length: Math.min(SEGMENT, length - at) }, (_, i) => at + i)
      index.add(await Promise.all(positions.map(read)))
      await index.settle()
    }
    return index
  }

  /** Positions known, whether in the bee or in memory. */
  get length(): number {
    return this.#segments * SEGMENT + this.#tail.length
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
    for await (const positions of this.#candidates(filter)) {
      const wanted = positions.slice(0, timed(filter) ? undefined : limit - found.length)
      const entries = await Promise.all(wanted.map(read))
      entries.forEach((entry, i) => {
        const position = wanted[i] ?? 0
        if (found.length < limit && fits(entry, filter)) found.push({ position, entry })
      })
      if (found.length >= limit) break
    }
    return found
  }

  /** Every position with this transaction id, ascending: an id is chosen by a consumer, so several may claim it. */
  async byId(id: Uint8Array): Promise<number[]> {
    const found: number[] = []
    const start = b4a.concat([b4a.from('i'), id])
    const range = { gte: start, lt: b4a.concat([start, b4a.alloc(9, 255)]) }
    for await (const { key } of this.#bee.createReadStream(range)) found.push(Number(viewOf(key).getBigUint64(17)))
    this.#tail.forEach((entry, i) => {
      if (b4a.equals(entry.transaction.statement.id, id)) found.push(this.#segments * SEGMENT + i)
    })
    return found
  }

  /** Descending positions by segment, the ones in memory first. */
  async *#candidates(filter: Filter): AsyncGenerator<number[]> {
    const before = filter.before ?? Infinity
    // Appends go on while a query runs: it sees the log as it was.
    const segments = this.#segments
    const newest = this.#tail.map((entry, i) => ({ entry, position: segments * SEGMENT + i }))
    yield newest
      .filter(({ entry, position }) => position < before && fits(entry, filter))
      .map(({ position }) => position)
      .reverse()
    const last = Math.min(segments - 1, before === Infinity ? segments : Math.floor((before - 1) / SEGMENT))
    const hours = timed(filter) ? await this.#hours(filter, last) : null
    for await (const [segment, bits] of this.#postings(prefixes(filter), hours, last)) {
      yield unpack(segment, bits).filter((position) => position < before)
    }
  }

  /** Segments at or below `last`, descending, with the positions on which all lists agree. */
  async *#postings(
    lists: readonly Uint8Array[],
    hours: ReadonlyMap<number, bigint> | null,
    last: number,
  ): AsyncGenerator<readonly [segment: number, bits: bigint]> {
    const [first, ...others] = lists
    const source = first
      ? this.#list(first, last)
      : hours
        ? [...hours].sort(([a], [b]) => b - a)
        : Array.from({ length: last + 1 }, (_, i) => [last - i, ALL] as const)
    for await (const [segment, bits] of source) {
      let common = bits & (hours ? (hours.get(segment) ?? 0n) : ALL)
      for (const other of others) {
        if (common === 0n) break
        const node = await this.#bee.get(b4a.concat([other, u32(segment)]))
        common &= node ? viewOf(node.value).getBigUint64(0, true) : 0n
      }
      if (common !== 0n) yield [segment, common]
    }
  }

  async *#list(prefix: Uint8Array, last: number): AsyncGenerator<readonly [number, bigint]> {
    const range = { gte: b4a.concat([prefix, u32(0)]), lte: b4a.concat([prefix, u32(Math.max(0, last))]) }
    if (last < 0) return
    for await (const { key, value } of this.#bee.createReadStream(range, { reverse: true })) {
      yield [segmentOf(key), viewOf(value).getBigUint64(0, true)]
    }
  }

  /** Bitmaps of all hours that the filter touches, by segment. */
  async #hours(filter: Filter, last: number): Promise<Map<number, bigint>> {
    const range = {
      gte: b4a.concat([b4a.from('t'), u32(hourOf(filter.from ?? 0)), u32(0)]),
      lte: b4a.concat([b4a.from('t'), u32(hourOf(filter.to ?? Infinity)), u32(0xffffffff)]),
    }
    const hours = new Map<number, bigint>()
    for await (const { key, value } of this.#bee.createReadStream(range)) {
      const segment = segmentOf(key)
      if (segment <= last) hours.set(segment, (hours.get(segment) ?? 0n) | viewOf(value).getBigUint64(0, true))
    }
    return hours
  }

  /** Moves the oldest 64 of the tail into the bee: one batch, its keys in order, so its bytes depend on the log alone. */
  async #settleSegment(): Promise<void> {
    const entries = this.#tail.slice(0, SEGMENT)
    const settled = entries.reduce(plus, this.#settled)
    const puts = new Map<string, Uint8Array>()
    entries.forEach((entry, i) => {
      const { id } = entry.transaction.statement
      const position = b4a.alloc(8)
      viewOf(position).setBigUint64(0, BigInt(this.#segments * SEGMENT + i))
      puts.set(b4a.toString(b4a.concat([b4a.from('i'), id, position]), 'hex'), b4a.alloc(0))
      for (const list of listsOf(entry)) {
        const key = b4a.toString(b4a.concat([list, u32(this.#segments)]), 'hex')
        const bits = puts.get(key) ?? b4a.alloc(8)
        viewOf(bits).setBigUint64(0, viewOf(bits).getBigUint64(0, true) | (1n << BigInt(i)), true)
        puts.set(key, bits)
      }
    })
    puts.set(b4a.toString(b4a.concat([b4a.from('s'), u32(this.#segments)]), 'hex'), encodeTotals(settled))
    const batch = this.#bee.batch()
    for (const [key, value] of [...puts].sort(([a], [b]) => (a < b ? -1 : 1)))
      await batch.put(b4a.from(key, 'hex'), value)
    await batch.flush()
    this.#tail.splice(0, SEGMENT)
    this.#settled = settled
    this.#segments++
  }
}

const ALL = 2n ** 64n - 1n

function listsOf(entry: Entry): Uint8Array[] {
  const { statement } = entry.transaction
  const lists = prefixes({ model: statement.modelRoot, counterparty: counterparty(entry), kind: statement.kind })
  if (!isFreeOfCharge(statement)) lists.push(...prefixes({ channel: statement.channel }))
  return [...lists, b4a.concat([b4a.from('t'), u32(hourOf(entry.times.done))])]
}

/** The rarest first: it decides how much is read. */
function prefixes({ channel, counterparty: peer, model, kind }: Filter): Uint8Array[] {
  const lists: Uint8Array[] = []
  if (channel) lists.push(b4a.concat([b4a.from('c'), channel]))
  if (peer) lists.push(b4a.concat([b4a.from('p'), peer]))
  if (model) lists.push(b4a.concat([b4a.from('m'), model]))
  // No kind is the beginning of another with the zero byte behind it.
  if (kind) lists.push(b4a.from(`k${kind}\0`))
  return lists
}

function fits(entry: Entry, filter: Filter): boolean {
  const { statement } = entry.transaction
  const { done } = entry.times
  return (
    (!filter.model || b4a.equals(filter.model, statement.modelRoot)) &&
    (!filter.counterparty || b4a.equals(filter.counterparty, counterparty(entry))) &&
    (!filter.channel || b4a.equals(filter.channel, statement.channel)) &&
    (!filter.kind || filter.kind === statement.kind) &&
    done >= (filter.from ?? 0) &&
    done <= (filter.to ?? Infinity)
  )
}

function timed(filter: Filter): boolean {
  return filter.from !== undefined || filter.to !== undefined
}

function hourOf(time: number): number {
  return Math.min(MAX_HOUR, Math.floor(Math.max(0, time) / HOUR_MS))
}

/** Positions of the bits that are set, descending. */
function unpack(segment: number, bits: bigint): number[] {
  const positions: number[] = []
  for (let i = SEGMENT - 1; i >= 0; i--) if ((bits >> BigInt(i)) & 1n) positions.push(segment * SEGMENT + i)
  return positions
}

function plus(totals: Totals, { transaction }: Entry): Totals {
  return {
    transactions: totals.transactions + 1,
    cost: microLamports(totals.cost + transaction.statement.cost),
  }
}

function encodeTotals({ transactions, cost }: Totals): Uint8Array {
  const out = b4a.alloc(24)
  viewOf(out).setBigUint64(0, BigInt(transactions), true)
  viewOf(out).setBigUint64(8, cost & ALL, true)
  viewOf(out).setBigUint64(16, cost >> 64n, true)
  return out
}

function decodeTotals(bytes: Uint8Array): Totals {
  const view = viewOf(bytes)
  const cost = view.getBigUint64(8, true) | (view.getBigUint64(16, true) << 64n)
  return { transactions: Number(view.getBigUint64(0, true)), cost: microLamports(cost) }
}

function segmentOf(key: Uint8Array): number {
  return viewOf(key).getUint32(key.byteLength - 4)
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
