/**
 * What the chain says of who serves what: its offers joined with their providers, as a pure function.
 *
 * An offer on chain names no network, so its flags do: bits 0 to 7 are the features (bit n = the n-th of FEATURES), the
 * upper 24 are the first bytes of the network's id. Nodes of other networks would refuse the session anyway.
 */
import b4a from 'b4a'
import type { OfferAccount, ProviderAccount } from '../../ledger/chain/layout/accounts.js'
import type { Found } from '../../ledger/chain/readings.js'
import { price } from '../../ledger/price.js'
import type { Prices } from '../../ledger/price.js'
import type { OfferFeature } from '../../swarm/port.js'
import type { ChainStanding } from '../../proxy/port.js'

/** Append, never reorder: bits on a chain. */
const FEATURES: readonly OfferFeature[] = ['chat', 'completion', 'embeddings', 'thoughts', 'mock']
/** As many as the swarm's own book holds. Accounts cost their owners a refundable rent, and nothing else. */
export const MAX_LISTINGS = 2_000
const MAX_STANDINGS = 10_000
/** Models of one provider: one of them shall not fill the list. */
const MAX_OF_ONE = 64

export interface Listing {
  /** ed25519: the provider's Noise identity. Its own signature put it on the chain. */
  readonly nodeKey: Uint8Array
  readonly modelRoot: Uint8Array
  readonly prices: Prices
  readonly contextLength: number
  readonly features: readonly OfferFeature[]
  /** Unix seconds of the offer's last change. */
  readonly updatedAt: number
  readonly standing: ChainStanding
}

export interface ListingView {
  /** 32 bytes: the id of this node's network. */
  readonly network: Uint8Array
  /** Its own offers are nothing to learn. */
  readonly self: Uint8Array
}

/**
 * Those of this network, of the providers that earned most first: that costs a tenth of it in fees, so it is the one field
 * that is dear to make up. Of equals, the longer registered first.
 */
export function listingsOf(
  offers: readonly Found<OfferAccount>[],
  providers: readonly Found<ProviderAccount>[],
  { network, self }: ListingView,
): Listing[] {
  const byAddress = new Map(providers.map(({ address, account }) => [address, account]))
  const listings: Listing[] = []
  for (const { account } of offers) {
    const provider = byAddress.get(account.provider.toBase58())
    if (!provider || account.flags >>> 8 !== tagOf(network) || b4a.equals(provider.node, self)) continue
    listings.push({
      nodeKey: provider.node,
      modelRoot: account.model,
      prices: { input: price(account.input), cached: price(account.cached), output: price(account.output) },
      contextLength: account.context,
      features: FEATURES.filter((_, bit) => (account.flags & (1 << bit)) !== 0),
      updatedAt: Number(account.updatedAt),
      standing: standingOf(provider),
    })
  }
  listings.sort((a, b) => compare(a.standing, b.standing) || b4a.compare(a.nodeKey, b.nodeKey))
  const perNode = new Map<string, number>()
  const kept = listings.filter(({ nodeKey }) => {
    const node = b4a.toString(nodeKey, 'hex')
    const count = (perNode.get(node) ?? 0) + 1
    perNode.set(node, count)
    return count <= MAX_OF_ONE
  })
  return kept.slice(0, MAX_LISTINGS)
}

export function flagsOf(features: readonly OfferFeature[], network: Uint8Array): number {
  const bits = features.reduce((flags, feature) => flags | (1 << FEATURES.indexOf(feature)), 0)
  return tagOf(network) * 256 + bits
}

/** By hex node key; of those who earned most. */
export function standingsOf(providers: readonly Found<ProviderAccount>[]): ReadonlyMap<string, ChainStanding> {
  const all = providers.map(({ account }) => ({
    node: b4a.toString(account.node, 'hex'),
    standing: standingOf(account),
  }))
  const best = all.toSorted((a, b) => compare(a.standing, b.standing)).slice(0, MAX_STANDINGS)
  // Where two accounts name one node, the first of them counts.
  return new Map(best.toReversed().map(({ node, standing }) => [node, standing]))
}

/** What a chain can know of a provider, and nothing that it would have to be told. */
function standingOf(provider: ProviderAccount): ChainStanding {
  return {
    registeredAt: Number(provider.registeredAt),
    settled: provider.settled,
    settlements: provider.settlements,
    channelsOpened: provider.channelsOpened,
    channelsClosed: provider.channelsClosed,
    ordersClaimed: provider.ordersClaimed,
    ordersRefunded: provider.ordersRefunded,
  }
}

function tagOf(network: Uint8Array): number {
  const [a = 0, b = 0, c = 0] = network
  return a + b * 256 + c * 65_536
}

function compare(a: ChainStanding, b: ChainStanding): number {
  if (a.settled !== b.settled) return a.settled < b.settled ? 1 : -1
  return a.registeredAt - b.registeredAt
}
