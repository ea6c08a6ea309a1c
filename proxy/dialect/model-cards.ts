/** Models in OpenAI's form, with what a swarm knows beyond it in extra fields. */
import type { ModelCard, ModelProvider, ModelTerms } from '../port.js'

export interface ModelEntry {
  readonly id: string
  readonly object: 'model'
  /** Unix seconds. */
  readonly created: number
  readonly owned_by: 'local' | 'swarm'
  readonly root: string
  /** The model behind an alias; null for a model's own name. */
  readonly alias_of: string | null
  readonly aliases: readonly string[]
  readonly context_length: number
  readonly quantization: string
  /** Weights; null when unknown. */
  readonly parameters: number | null
  readonly features: readonly string[]
  readonly providers: number
  readonly local: boolean
  /** Lamports per million tokens, as decimal strings; null when this node computes itself. */
  readonly price: PriceEntry | null
  /** The price is what providers ask now; the offer that is taken decides. */
  readonly binding_quote: false
  /** As this node measured it; null before the first request. */
  readonly speed: { readonly tokens_per_second: number | null; readonly ttft_ms: number | null }
  readonly notice: string | null
  /** Who offers it, by its own word and by the chain's; only where a chain is used. */
  readonly provider_list?: readonly ProviderEntry[]
}

interface PriceEntry {
  readonly prompt: string
  readonly cached: string
  readonly completion: string
}

interface TermsEntry {
  readonly price: PriceEntry
  readonly context_length: number
}

/** Amounts and counts of the chain are decimal strings, its times Unix seconds. */
interface ProviderEntry {
  readonly node: string
  readonly connected: boolean
  /** null = unknown: only the chain speaks of it. */
  readonly online: true | null
  readonly swarm: TermsEntry | null
  readonly chain:
    | (TermsEntry & {
        readonly updated_at: number
        readonly registered_at: number
        readonly settled_lamports: string
        readonly settlements: string
        readonly channels_opened: string
        readonly channels_closed: string
        readonly orders_claimed: string
        readonly orders_refunded: string
      })
    | null
}

/** Every model under its own name, then under its aliases. */
export function modelEntries(cards: readonly ModelCard[]): readonly ModelEntry[] {
  const named = cards.map((card) => entry(card, null))
  const aliased = cards.flatMap((card) => card.aliases.map((alias) => entry(card, alias)))
  const taken = new Set(named.map(({ id }) => id))
  return [...named, ...aliased.filter(({ id }) => !taken.has(id))]
}

/** Up to five names that look like what was asked for: same beginning, or contained in one another. */
export function nearNames(asked: string, entries: readonly ModelEntry[]): readonly string[] {
  const wanted = asked.toLowerCase()
  return entries
    .map(({ id }) => ({ id, score: likeness(wanted, id.toLowerCase()) }))
    .filter(({ score }) => score >= 3)
    .sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1))
    .slice(0, 5)
    .map(({ id }) => id)
}

function likeness(a: string, b: string): number {
  if (b.includes(a) || a.includes(b)) return Math.min(a.length, b.length) + 1
  let common = 0
  while (common < a.length && a[common] === b[common]) common += 1
  return common
}

function entry(card: ModelCard, alias: string | null): ModelEntry {
  const { price } = card
  return {
    id: alias ?? card.id,
    object: 'model',
    created: Math.floor(card.created / 1000),
    owned_by: card.local ? 'local' : 'swarm',
    root: card.root,
    alias_of: alias === null ? null : card.id,
    aliases: alias === null ? card.aliases : [],
    context_length: card.contextLength,
    quantization: card.quantisation,
    parameters: card.parameters === 0 ? null : card.parameters,
    features: card.features,
    providers: card.providers,
    local: card.local,
    price: price === null ? null : priceEntry(price),
    binding_quote: false,
    speed: { tokens_per_second: card.tokensPerSecond, ttft_ms: card.ttftMs },
    notice: card.notice,
    ...(card.offered ? { provider_list: card.offered.map(providerEntry) } : {}),
  }
}

function providerEntry({ node, connected, online, swarm, chain }: ModelProvider): ProviderEntry {
  return {
    node,
    connected,
    online,
    swarm: swarm && termsEntry(swarm),
    chain: chain && {
      ...termsEntry(chain),
      updated_at: chain.updatedAt,
      registered_at: chain.registeredAt,
      settled_lamports: `${chain.settled}`,
      settlements: `${chain.settlements}`,
      channels_opened: `${chain.channelsOpened}`,
      channels_closed: `${chain.channelsClosed}`,
      orders_claimed: `${chain.ordersClaimed}`,
      orders_refunded: `${chain.ordersRefunded}`,
    },
  }
}

function termsEntry({ price, contextLength }: ModelTerms): TermsEntry {
  return { price: priceEntry(price), context_length: contextLength }
}

function priceEntry({ input, cached, output }: ModelTerms['price']): PriceEntry {
  return { prompt: `${input}`, cached: `${cached}`, completion: `${output}` }
}
