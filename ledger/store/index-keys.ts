/**
 * Keys and values of the search index.
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
import { microLamports } from '../amount.js'
import type { MicroLamports } from '../amount.js'
import { isFreeOfCharge } from '../transaction.js'
import type { Kind } from '../transaction.js'
import { counterparty } from './entry.js'
import type { Entry } from './entry.js'

export const SEGMENT = 64
/** Segments are counted in 32 bits. */
export const MAX_SEGMENT = 2 ** 32 - 1
/** A bitmap with every position of a segment. */
export const ALL = 2n ** 64n - 1n
/** The list of sums: a value for each segment. */
export const TOTALS: Uint8Array = b4a.from('s')
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

/** Every list that an entry is on. */
export function listsOf(entry: Entry): Uint8Array[] {
  const { statement } = entry.transaction
  const lists = prefixes({ model: statement.modelRoot, counterparty: counterparty(entry), kind: statement.kind })
  if (!isFreeOfCharge(statement)) lists.push(...prefixes({ channel: statement.channel }))
  return [...lists, hourList(entry.times.done)]
}

/** The lists that a filter names, the rarest first: it decides how much is read. */
export function prefixes({ channel, counterparty: peer, model, kind }: Filter): Uint8Array[] {
  const lists: Uint8Array[] = []
  if (channel) lists.push(b4a.concat([b4a.from('c'), channel]))
  if (peer) lists.push(b4a.concat([b4a.from('p'), peer]))
  if (model) lists.push(b4a.concat([b4a.from('m'), model]))
  // No kind is the beginning of another with the zero byte behind it.
  if (kind) lists.push(b4a.from(`k${kind}\0`))
  return lists
}

export function fits(entry: Entry, filter: Filter): boolean {
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

export function timed(filter: Filter): boolean {
  return filter.from !== undefined || filter.to !== undefined
}

/** The list of an hour; beyond the calendar's ends it is the first or the last one. */
export function hourList(time: number): Uint8Array {
  return b4a.concat([b4a.from('t'), u32(Math.min(MAX_HOUR, Math.floor(Math.max(0, time) / HOUR_MS)))])
}

/** A list's key at a segment. */
export function keyAt(list: Uint8Array, segment: number): Uint8Array {
  return b4a.concat([list, u32(segment)])
}

export function segmentOf(key: Uint8Array): number {
  return viewOf(key).getUint32(key.byteLength - 4)
}

export function encodeBits(bits: bigint): Uint8Array {
  const out = b4a.alloc(8)
  viewOf(out).setBigUint64(0, bits, true)
  return out
}

export function decodeBits(value: Uint8Array): bigint {
  return viewOf(value).getBigUint64(0, true)
}

export function idKey(id: Uint8Array, position: number): Uint8Array {
  const out = b4a.alloc(8)
  viewOf(out).setBigUint64(0, BigInt(position))
  return b4a.concat([b4a.from('i'), id, out])
}

export function positionOf(key: Uint8Array): number {
  return Number(viewOf(key).getBigUint64(17))
}

/** What a person may name by the first digits of its key: models and counterparties have 32 bytes, ids 16. */
export type Named = 'model' | 'counterparty' | 'id'

const NAMED: { readonly [K in Named]: { readonly list: Uint8Array; readonly bytes: number } } = {
  model: { list: b4a.from('m'), bytes: 32 },
  counterparty: { list: b4a.from('p'), bytes: 32 },
  id: { list: b4a.from('i'), bytes: 16 },
}

/** The keys of the index between which everything lies that begins with these hexadecimal digits. */
export function rangeOf(what: Named, digits: string): { readonly gte: Uint8Array; readonly lte: Uint8Array } {
  const { list, bytes } = NAMED[what]
  const bound = (fill: string): Uint8Array => b4a.from(digits.padEnd(bytes * 2, fill), 'hex')
  return { gte: b4a.concat([list, bound('0')]), lte: b4a.concat([list, bound('f'), b4a.alloc(8, 0xff)]) }
}

/** The name in a key of the index, and the range behind all keys with that name. */
export function nameIn(what: Named, key: Uint8Array): { readonly name: Uint8Array; readonly after: Uint8Array } {
  const { bytes } = NAMED[what]
  return { name: key.subarray(1, 1 + bytes), after: b4a.concat([key.subarray(0, 1 + bytes), b4a.alloc(8, 0xff)]) }
}

/** Positions of the bits that are set, descending. */
export function unpack(segment: number, bits: bigint): number[] {
  const positions: number[] = []
  for (let i = SEGMENT - 1; i >= 0; i--) if ((bits >> BigInt(i)) & 1n) positions.push(segment * SEGMENT + i)
  return positions
}

export function plus(totals: Totals, { transaction }: Entry): Totals {
  return {
    transactions: totals.transactions + 1,
    cost: microLamports(totals.cost + transaction.statement.cost),
  }
}

export function encodeTotals({ transactions, cost }: Totals): Uint8Array {
  const out = b4a.alloc(24)
  viewOf(out).setBigUint64(0, BigInt(transactions), true)
  viewOf(out).setBigUint64(8, cost & ALL, true)
  viewOf(out).setBigUint64(16, cost >> 64n, true)
  return out
}

export function decodeTotals(bytes: Uint8Array): Totals {
  const view = viewOf(bytes)
  const cost = view.getBigUint64(8, true) | (view.getBigUint64(16, true) << 64n)
  return { transactions: Number(view.getBigUint64(0, true)), cost: microLamports(cost) }
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
