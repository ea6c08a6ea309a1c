/** What 64 positions of the log put into the index: keys in their order, so that its bytes depend on the log alone. */
import b4a from 'b4a'
import type { Entry } from './entry.js'
import { encodeBits, encodeTotals, idKey, keyAt, listsOf, plus, SEGMENT, TOTALS } from './index-keys.js'
import type { Totals } from './index-keys.js'

export interface SegmentPuts {
  readonly puts: readonly (readonly [key: Uint8Array, value: Uint8Array])[]
  /** Up to the segment's end. */
  readonly totals: Totals
}

/** `before`: the sums up to the segment's first position. */
export function putsOf(entries: readonly Entry[], segment: number, before: Totals): SegmentPuts {
  const totals = entries.reduce(plus, before)
  const lists = new Map<string, bigint>()
  const puts: (readonly [key: string, value: Uint8Array])[] = [[hex(keyAt(TOTALS, segment)), encodeTotals(totals)]]
  entries.forEach((entry, i) => {
    const { id } = entry.transaction.statement
    puts.push([hex(idKey(id, segment * SEGMENT + i)), b4a.alloc(0)])
    for (const list of listsOf(entry)) {
      const key = hex(keyAt(list, segment))
      lists.set(key, (lists.get(key) ?? 0n) | (1n << BigInt(i)))
    }
  })
  for (const [key, bits] of lists) puts.push([key, encodeBits(bits)])
  const sorted = puts.sort(([a], [b]) => (a < b ? -1 : 1))
  return { puts: sorted.map(([key, value]) => [b4a.from(key, 'hex'), value] as const), totals }
}

function hex(bytes: Uint8Array): string {
  return b4a.toString(bytes, 'hex')
}
