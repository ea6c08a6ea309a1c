/** Who offers a model: what the swarm's offers say beside what the chain says, by node. Only where a chain is used. */
import b4a from 'b4a'
import type { ModelProvider, ModelTerms } from '../../proxy/port.js'
import type { Offer } from '../../swarm/port.js'
import type { Listing } from '../chain/listings.js'

/** For people and programs that choose by themselves; the router looks at all offers. */
const MAX_SHOWN = 32

/** Those that can be asked at once come first, then in the order given. */
export function offeredBy(
  offers: readonly Offer[],
  listings: readonly Listing[],
  connected: ReadonlySet<string>,
): readonly ModelProvider[] {
  const nodes = new Map<string, ModelProvider>()
  for (const offer of offers) {
    const node = b4a.toString(offer.nodeKey, 'hex')
    nodes.set(node, { node, connected: connected.has(node), online: true, swarm: termsOf(offer), chain: null })
  }
  for (const listing of listings) {
    const node = b4a.toString(listing.nodeKey, 'hex')
    const { updatedAt, standing } = listing
    const here = connected.has(node)
    const known = nodes.get(node) ?? { node, connected: here, online: here || null, swarm: null, chain: null }
    nodes.set(node, { ...known, chain: { ...termsOf(listing), ...standing, updatedAt } })
  }
  return [...nodes.values()].toSorted((a, b) => rank(a) - rank(b)).slice(0, MAX_SHOWN)
}

function termsOf({ prices, contextLength }: Pick<Offer, 'prices' | 'contextLength'>): ModelTerms {
  return { price: { ...prices }, contextLength }
}

function rank({ connected, online }: ModelProvider): number {
  return connected ? 0 : online ? 1 : 2
}
