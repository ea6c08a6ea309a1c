/** What the swarm asks for a model: the lowest, the median and the highest of the offers that a running node knows. */
import type { RouteView } from '../daemon/control/route.js'
import type { PriceView } from '../daemon/control/snapshot.js'
import type { CommandCall } from './command.js'
import { micro, perMillion } from './money.js'
import { renderTable } from './table.js'
import { plural } from './words.js'

/** A typical request. */
export const PROMPT_TOKENS = 1000
export const OUTPUT_TOKENS = 300

/** Microlamports of a typical request. */
export function typical({ input, output }: PriceView): bigint {
  return BigInt(input) * BigInt(PROMPT_TOKENS) + BigInt(output) * BigInt(OUTPUT_TOKENS)
}

export function told(price: PriceView): string {
  const cost = typical(price)
  return cost === 0n ? 'free' : micro(String(cost))
}

interface Spread {
  readonly which: 'lowest' | 'median' | 'highest'
  readonly price: PriceView
  readonly typical: string
}

export function askedFor({ io, json }: CommandCall, { model, candidates, excluded, chosen }: RouteView): void {
  const prices = new Map([...excluded, ...candidates].map(({ provider, price }) => [provider, price]))
  const spread = spreadOf([...prices.values()])
  const local = chosen === 'local'
  if (json) return io.json({ model, offers: prices.size, local, spread })
  const here = local ? ' This node serves it itself, and asks itself nothing.' : ''
  if (prices.size === 0) return io.out(`${model}: no other node offers it now.${here}\n`)
  io.out(`${model}: ${plural(prices.size, 'offer')}.${here}\n\n`)
  return io.out(renderTable(COLUMNS, spread, io.width, (line) => io.paint('bold', line)))
}

/** Each column for itself: the cheapest input and the cheapest output may be two providers'. */
function spreadOf(prices: readonly PriceView[]): readonly Spread[] {
  if (prices.length === 0) return []
  const at = (values: readonly bigint[], which: Spread['which']): string => {
    const sorted = values.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0))
    const index = { lowest: 0, median: Math.floor((sorted.length - 1) / 2), highest: sorted.length - 1 }[which]
    return String(sorted[index] ?? 0n)
  }
  return (['lowest', 'median', 'highest'] as const).map((which) => {
    const of = (name: keyof PriceView): string =>
      at(
        prices.map((price) => BigInt(price[name])),
        which,
      )
    const price = { input: of('input'), cached: of('cached'), output: of('output') }
    return { which, price, typical: at(prices.map(typical), which) }
  })
}

const COLUMNS = [
  { title: '', cell: ({ which }: Spread) => which },
  { title: 'INPUT / 1M', align: 'right' as const, cell: ({ price }: Spread) => perMillion(price.input) },
  { title: 'CACHED / 1M', align: 'right' as const, cell: ({ price }: Spread) => perMillion(price.cached) },
  { title: 'OUTPUT / 1M', align: 'right' as const, cell: ({ price }: Spread) => perMillion(price.output) },
  {
    title: 'TYPICAL',
    align: 'right' as const,
    cell: ({ typical: cost }: Spread) => (cost === '0' ? 'free' : micro(cost)),
  },
]
