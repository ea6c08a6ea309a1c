/** The lists of the search index: bitmaps of positions by segment, and where several of them agree. */
import type Hyperbee from 'hyperbee'
import { ALL, decodeBits, hourList, keyAt, MAX_SEGMENT, segmentOf } from './index-keys.js'
import type { Filter } from './index-keys.js'

/** Bitmaps of the hours that a filter touches, by segment. */
export type Hours = ReadonlyMap<number, bigint>

type Posting = readonly [segment: number, bits: bigint]

export class Postings {
  readonly #bee: Hyperbee

  constructor(bee: Hyperbee) {
    this.#bee = bee
  }

  /** Segments at or below `last`, descending, with the positions on which all lists and the hours agree. */
  async *newest(lists: readonly Uint8Array[], hours: Hours | null, last: number): AsyncGenerator<Posting> {
    const [first, ...others] = lists
    const source = first
      ? this.#list(first, last)
      : hours
        ? [...hours].sort(([a], [b]) => b - a)
        : Array.from({ length: last + 1 }, (_, i) => [last - i, ALL] as const)
    for await (const [segment, bits] of source) {
      const common = await this.#common(segment, bits, others, hours)
      if (common !== 0n) yield [segment, common]
    }
  }

  /** The same ascending, whatever the hour, from a segment on and below another. Throws a `TypeError` without a list. */
  async *oldest(
    [first, ...others]: readonly Uint8Array[],
    { from, below }: { readonly from: number; readonly below: number },
  ): AsyncGenerator<Posting> {
    if (!first) throw new TypeError('a filter without a list')
    const range = { gte: keyAt(first, from), lt: keyAt(first, below) }
    for await (const { key, value } of this.#bee.createReadStream(range)) {
      const segment = segmentOf(key)
      const common = await this.#common(segment, decodeBits(value), others, null)
      if (common !== 0n) yield [segment, common]
    }
  }

  /** Reads a list for each hour of the filter. */
  async hours(filter: Filter, last: number): Promise<Hours> {
    const range = {
      gte: keyAt(hourList(filter.from ?? 0), 0),
      lte: keyAt(hourList(filter.to ?? Infinity), MAX_SEGMENT),
    }
    const hours = new Map<number, bigint>()
    for await (const { key, value } of this.#bee.createReadStream(range)) {
      const segment = segmentOf(key)
      if (segment <= last) hours.set(segment, (hours.get(segment) ?? 0n) | decodeBits(value))
    }
    return hours
  }

  async #common(segment: number, bits: bigint, others: readonly Uint8Array[], hours: Hours | null): Promise<bigint> {
    let common = bits & (hours ? (hours.get(segment) ?? 0n) : ALL)
    for (const other of others) {
      if (common === 0n) break
      const node = await this.#bee.get(keyAt(other, segment))
      common &= node ? decodeBits(node.value) : 0n
    }
    return common
  }

  async *#list(list: Uint8Array, last: number): AsyncGenerator<Posting> {
    if (last < 0) return
    const range = { gte: keyAt(list, 0), lte: keyAt(list, last) }
    for await (const { key, value } of this.#bee.createReadStream(range, { reverse: true })) {
      yield [segmentOf(key), decodeBits(value)]
    }
  }
}
