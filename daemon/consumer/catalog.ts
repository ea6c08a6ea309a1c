/**
 * What can be reached now, by name: local engines, the swarm's offers and those of a chain, grouped by model root.
 *
 * A name is the provider's word, so two roots can claim one. Then both carry `@` and eight hex digits, and the bare name
 * means the root this node trusts most: local first, then the one it has used, then the one with most providers, then the
 * smaller root. So a stranger who borrows a name gains nothing on a node that already uses the real one.
 */
import b4a from 'b4a'
import type { ModelCard } from '../../proxy/port.js'
import type { Offer } from '../../swarm/port.js'
import type { Listing } from '../chain/listings.js'
import type { ModelInfo } from '../engine/port.js'
import { offeredBy } from './offered.js'

export interface CatalogSources {
  readonly local: readonly ModelInfo[]
  readonly offers: readonly Offer[]
  /** What a chain knows besides; null or absent = none is used. */
  readonly listings?: readonly Listing[] | null
  /** Hex node keys; only asked for with a chain. */
  readonly connected?: ReadonlySet<string>
  /** alias → model name; `*` catches every name that resolves to nothing else. */
  readonly aliases: Readonly<Record<string, string>>
  /** What this node measured, by hex root. */
  readonly measured: ReadonlyMap<string, Measured>
  /** Unix ms of the first sighting, by hex root. */
  readonly firstSeen: ReadonlyMap<string, number>
}

export interface Measured {
  readonly requests: number
  readonly tokensPerSecond: number | null
  readonly ttftMs: number | null
}

export interface CatalogEntry {
  readonly card: ModelCard
  readonly root: string
  readonly local: boolean
  readonly offers: readonly Offer[]
  /** Of the chain. An entry with nothing else has to be met before it can be asked. */
  readonly listings: readonly Listing[]
}

/** All that is known of one model root. */
interface Group {
  info: ModelInfo | null
  offers: Offer[]
  listings: Listing[]
}

const NEAR_NAMES = 3

/** Every reachable model, most trusted first; ids are unique. */
export function catalog(sources: CatalogSources): CatalogEntry[] {
  const groups = new Map<string, Group>()
  const groupOf = (modelRoot: Uint8Array): Group => {
    const root = b4a.toString(modelRoot, 'hex')
    const group = groups.get(root) ?? { info: null, offers: [], listings: [] }
    groups.set(root, group)
    return group
  }
  for (const info of sources.local) groupOf(info.root).info = info
  for (const offer of sources.offers) groupOf(offer.modelRoot).offers.push(offer)
  for (const listing of sources.listings ?? []) groupOf(listing.modelRoot).listings.push(listing)
  const names = new Map<string, number>()
  for (const [root, group] of groups) {
    const name = nameOf(root, group)
    names.set(name, (names.get(name) ?? 0) + 1)
  }
  const entries = [...groups].map(([root, group]): CatalogEntry => {
    const name = nameOf(root, group)
    const id = (names.get(name) ?? 0) > 1 ? `${name}@${root.slice(0, 8)}` : name
    const { info, offers, listings } = group
    return { root, local: info !== null, offers, listings, card: card(id, name, root, group, sources) }
  })
  return entries.sort((a, b) => compareTrust(a, b, sources.measured))
}

/** The entry a client's model string means, or null. Tried in order: id, alias, bare name, hex root, case-blind id, `*`. */
export function resolve(
  entries: readonly CatalogEntry[],
  aliases: Readonly<Record<string, string>>,
  model: string,
): CatalogEntry | null {
  return byName(entries, model) ?? byAlias(entries, aliases, model) ?? byAlias(entries, aliases, '*')
}

/** Up to three reachable ids that resemble `model`, nearest first. */
export function nearNames(entries: readonly CatalogEntry[], model: string): string[] {
  const wanted = model.toLowerCase()
  return entries
    .map((entry) => ({ id: entry.card.id, distance: distance(wanted, entry.card.id.toLowerCase()) }))
    .filter(
      ({ id, distance }) => distance <= Math.max(wanted.length, id.length) / 2 || id.toLowerCase().includes(wanted),
    )
    .sort((a, b) => a.distance - b.distance || (a.id < b.id ? -1 : 1))
    .slice(0, NEAR_NAMES)
    .map(({ id }) => id)
}

function byName(entries: readonly CatalogEntry[], model: string): CatalogEntry | null {
  const lower = model.toLowerCase()
  return (
    entries.find((entry) => entry.card.id === model) ??
    entries.find((entry) => bareName(entry.card.id) === model) ??
    entries.find((entry) => entry.root === lower) ??
    entries.find((entry) => entry.card.id.toLowerCase() === lower || bareName(entry.card.id).toLowerCase() === lower) ??
    entries.find((entry) => withoutQuantisation(entry.card.id).toLowerCase() === lower) ??
    null
  )
}

function byAlias(
  entries: readonly CatalogEntry[],
  aliases: Readonly<Record<string, string>>,
  alias: string,
): CatalogEntry | null {
  const target = Object.hasOwn(aliases, alias) ? aliases[alias] : undefined
  return target === undefined ? null : byName(entries, target)
}

function card(id: string, name: string, root: string, group: Group, sources: CatalogSources): ModelCard {
  const { info, offers, listings } = group
  const sample = offers[0]
  // What a provider signed today counts more than what it once put on a chain.
  const stated = offers.length > 0 ? offers : listings
  const measured = sources.measured.get(root)
  const aliases = Object.entries(sources.aliases).flatMap(([alias, target]) =>
    alias !== '*' && (target === id || target === name) ? [alias] : [],
  )
  return {
    id,
    root,
    aliases,
    created: sources.firstSeen.get(root) ?? 0,
    contextLength: Math.max(info?.contextLength ?? 0, ...stated.map(({ contextLength }) => contextLength)),
    quantisation: info?.quantisation ?? sample?.quantisation ?? '',
    parameters: info?.parameters ?? sample?.parameters ?? 0,
    features: info ? featuresOf(info) : [...new Set(stated.flatMap(({ features }) => features))],
    price: info ? null : lowestPrice(stated),
    providers: offers.length + (info ? 1 : 0),
    local: info !== null,
    tokensPerSecond: measured?.tokensPerSecond ?? null,
    ttftMs: measured?.ttftMs ?? null,
    notice: info?.notice ?? sample?.notice ?? null,
    ...(sources.listings ? { offered: offeredBy(offers, listings, sources.connected ?? new Set()) } : {}),
  }
}

/** What an engine offers, as the word for it in offers and cards. */
export function featuresOf(info: ModelInfo): ModelCard['features'][number][] {
  const features: ModelCard['features'][number][] = ['completion']
  if (info.chat) features.unshift('chat')
  if (info.embeddings) features.push('embeddings')
  if (info.thoughts) features.push('thoughts')
  if (info.mock) features.push('mock')
  return features
}

function lowestPrice(offers: readonly Pick<Offer, 'prices'>[]): ModelCard['price'] {
  let best: Pick<Offer, 'prices'> | null = null
  for (const offer of offers) {
    if (
      !best ||
      offer.prices.output < best.prices.output ||
      (offer.prices.output === best.prices.output && offer.prices.input < best.prices.input)
    )
      best = offer
  }
  return best ? { ...best.prices } : null
}

/** A chain knows no names, so what only it knows is named by its root. */
function nameOf(root: string, { info, offers }: Group): string {
  return info?.name ?? offers[0]?.modelName ?? root
}

function bareName(id: string): string {
  return id.replace(/@[0-9a-f]{8}$/, '')
}

function withoutQuantisation(id: string): string {
  return bareName(id).replace(/:[^:]*$/, '')
}

function compareTrust(a: CatalogEntry, b: CatalogEntry, measured: ReadonlyMap<string, Measured>): number {
  if (a.local !== b.local) return a.local ? -1 : 1
  const used = (measured.get(b.root)?.requests ?? 0) - (measured.get(a.root)?.requests ?? 0)
  if (used !== 0) return used
  if (a.offers.length !== b.offers.length) return b.offers.length - a.offers.length
  return a.root < b.root ? -1 : 1
}

/** Levenshtein distance, bounded: names are at most 96 bytes. */
function distance(a: string, b: string): number {
  const from = a.slice(0, 96)
  const to = b.slice(0, 96)
  let row = Array.from({ length: to.length + 1 }, (_, j) => j)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}
