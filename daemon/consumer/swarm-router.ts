/**
 * Who computes a request: this node's own engine if it serves the model and the caller did not say otherwise, else the
 * provider that swarm/choice prefers.
 */
import { randomBytes } from 'node:crypto'
import b4a from 'b4a'
import { FREE, isFree } from '../../ledger/price.js'
import { Affinity, prefixesOf } from '../../swarm/affinity.js'
import type { Prompted } from '../../swarm/affinity.js'
import { choose } from '../../swarm/choice.js'
import type { Route as Choice } from '../../swarm/choice.js'
import { History } from '../../swarm/history.js'
import type { ProviderRecord } from '../../swarm/history.js'
import type { Offer, OfferFeature, Swarm } from '../../swarm/port.js'
import type { Listing } from '../chain/listings.js'
import type { Market } from '../chain/market.js'
import type { ModelInfo } from '../engine/port.js'
import type { LocalModels } from '../local-models.js'
import type { Purchases } from '../payment/purchase.js'
import type { CatalogEntry } from './catalog.js'
import { ConsumerError } from './errors.js'
import { localAnswer } from './local-answer.js'
import { meet, soon } from './meeting.js'
import { payWishesOf } from './pay-wishes.js'
import type { AnyRequest, Route, Router } from './router.js'

export interface SwarmRouterOptions {
  /** Null until the swarm is being joined. */
  readonly swarm: () => Swarm | null
  readonly models: Pick<LocalModels, 'ready' | 'byRoot'>
  /** null until the keys are read. */
  readonly payments: () => { readonly purchases: Pick<Purchases, 'ask'>; readonly pays: boolean } | null
  /** What a chain knows of offers; null = none is used. */
  readonly market: () => Pick<Market, 'listings' | 'look'> | null
  /** A provider's receipt was not what was seen. */
  readonly onLie: (provider: string, what: string) => void
  /** Unix milliseconds. */
  readonly now: () => number
  /** [0, 1). */
  readonly random: () => number
}

const LOCAL = 'local'
const ID_BYTES = 16
/** English text; only for expected times. */
const CHARS_PER_TOKEN = 4
/** When the caller does not say how long the answer may be. */
const USUAL_ANSWER = 256
const RETRY_MS = 1000

export class SwarmRouter implements Router {
  #options: SwarmRouterOptions
  #history = new History()
  #affinity = new Affinity()

  constructor(options: SwarmRouterOptions) {
    this.#options = options
  }

  localModels(): readonly ModelInfo[] {
    return this.#options.models.ready().flatMap(({ info }) => (info ? [info] : []))
  }

  offers(): readonly Offer[] {
    return this.#options.swarm()?.offers() ?? []
  }

  listings(): readonly Listing[] | null {
    return this.#options.market()?.listings ?? null
  }

  connected(): ReadonlySet<string> {
    return new Set((this.#options.swarm()?.peers() ?? []).map(({ key }) => b4a.toString(key, 'hex')))
  }

  async lookUp(rootHex: string): Promise<void> {
    const root = b4a.from(rootHex, 'hex')
    const { swarm, market } = this.#options
    await Promise.all([swarm()?.lookup(root), soon(market()?.look(root))])
  }

  async meet(entry: CatalogEntry, signal: AbortSignal): Promise<void> {
    const swarm = this.#options.swarm()
    if (swarm) await meet(swarm, entry, signal)
  }

  choose(entry: CatalogEntry, request: AnyRequest, tried: ReadonlySet<string>): Route | null {
    return this.#local(entry, request, tried) ?? this.#remote(this.explain(entry, request, tried).chosen, request)
  }

  /** The whole decision about the swarm's providers, for `choose` and for people who ask why. */
  explain(entry: CatalogEntry, request: AnyRequest, tried: ReadonlySet<string>): Choice {
    const decided = this.#decide(entry, request, tried, (record) => record)
    const unhealthy = decided.excluded.some(({ reason }) => reason === 'UNHEALTHY')
    if (decided.chosen || !unhealthy) return decided
    // Whoever came back after its failure is as good as new; to dial the others again would only keep the caller waiting.
    const back = new Map(
      (this.#options.swarm()?.peers() ?? []).map(({ key, since }) => [b4a.toString(key, 'hex'), since]),
    )
    return this.#decide(entry, request, tried, (record, node) =>
      (back.get(node) ?? 0) > record.lastFailure ? { ...record, failedInRow: 0 } : record,
    )
  }

  refusal(entry: CatalogEntry, request: AnyRequest): Error {
    const { excluded, retryAfterMs } = this.explain(entry, request, new Set())
    const counts = new Map<string, number>()
    for (const { reason } of excluded) counts.set(reason, (counts.get(reason) ?? 0) + 1)
    if (excluded.length > 0 && counts.get('PRICE_TOO_HIGH') === excluded.length) {
      return ConsumerError.PRICE_TOO_HIGH(entry.card.id)
    }
    if (excluded.length > 0 && counts.get('BUSY') === excluded.length) {
      return ConsumerError.BUSY(entry.card.id, retryAfterMs ?? RETRY_MS)
    }
    const why = [...counts].map(([reason, count]) => `${count} × ${reason.toLowerCase().replaceAll('_', ' ')}`)
    if (entry.offers.length > 0 && this.#affordable(entry).length === 0) {
      return ConsumerError.PAYMENT_REQUIRED(entry.card.id)
    }
    return ConsumerError.NO_PROVIDER(entry.card.id, why, retryAfterMs ?? RETRY_MS)
  }

  /** Without means, only what is free. */
  #affordable({ offers }: CatalogEntry): readonly Offer[] {
    return this.#options.payments()?.pays ? offers : offers.filter(({ prices }) => isFree(prices))
  }

  #decide(
    entry: CatalogEntry,
    request: AnyRequest,
    tried: ReadonlySet<string>,
    see: (record: ProviderRecord, node: string) => ProviderRecord,
  ): Choice {
    const { routing } = request
    const root = b4a.from(entry.root, 'hex')
    // An estimate must not shut out the largest context: the provider counts, and says both numbers.
    const largest = Math.max(1, ...entry.offers.map((offer) => offer.contextLength))
    return choose(
      {
        modelRoot: root,
        features: [featureOf(request)],
        promptTokens: Math.min(estimateTokens(request), largest - 1),
        outputTokens: 'maxTokens' in request ? (request.maxTokens ?? USUAL_ANSWER) : 0,
        maxPrice: routing.maxPrice,
        only: routing.only,
        ignore: routing.ignore,
        order: routing.order,
        sort: routing.sort,
        tried: [...tried],
        minReliability: 0,
        minCompleted: 0,
        cachedAt: this.#affinity.find(prefixesOf(root, affinityBody(request))),
      },
      this.#affordable(entry),
      (offer) => see(this.#history.get(historyKey(offer)), b4a.toString(offer.nodeKey, 'hex')),
      this.#options.now(),
      this.#options.random,
    )
  }

  #local(entry: CatalogEntry, request: AnyRequest, tried: ReadonlySet<string>): Route | null {
    const { only, ignore } = request.routing
    if (tried.has(LOCAL) || ignore.includes(LOCAL) || (only !== null && !only.includes(LOCAL))) return null
    const engine = this.#options.models.byRoot(entry.root)?.engine
    if (!engine) return null
    return {
      key: LOCAL,
      name: LOCAL,
      prices: FREE,
      transaction: b4a.toString(randomBytes(ID_BYTES), 'hex'),
      answer: (body, limits, signal) => localAnswer(engine, body, limits, signal),
      superseded: () => false,
      note: () => undefined,
    }
  }

  #remote(offer: Offer | null, request: AnyRequest): Route | null {
    const swarm = this.#options.swarm()
    const purchases = this.#options.payments()?.purchases
    if (!swarm || !purchases || !offer) return null
    const name = b4a.toString(offer.nodeKey, 'hex')
    const id = randomBytes(ID_BYTES)
    return {
      key: name,
      name,
      prices: offer.prices,
      transaction: b4a.toString(id, 'hex'),
      answer: (body, limits, signal) =>
        purchases.ask({
          id,
          swarm,
          offer,
          body,
          limits,
          signal,
          caller: request.caller ?? null,
          pay: payWishesOf(request, offer, swarm.offers()),
          onLie: (what) => {
            this.#history.note(historyKey(offer), { type: 'failed' }, this.#options.now())
            this.#options.onLie(name, what)
          },
        }),
      superseded: () => {
        const now = swarm.offers().find((other) => historyKey(other) === historyKey(offer))
        return now !== undefined && !b4a.equals(now.id, offer.id)
      },
      note: (outcome) => {
        this.#history.note(historyKey(offer), outcome, this.#options.now())
        if (outcome.type === 'answered')
          this.#affinity.remember(prefixesOf(offer.modelRoot, affinityBody(request)), name)
      },
    }
  }
}

function featureOf(request: AnyRequest): OfferFeature {
  if ('inputs' in request) return 'embeddings'
  return request.prompt.kind === 'chat' ? 'chat' : 'completion'
}

function estimateTokens(request: AnyRequest): number {
  if ('inputs' in request) return 0
  const { prompt } = request
  if (prompt.kind === 'tokens') return prompt.tokens.length
  const chars =
    prompt.kind === 'text' ? prompt.text.length : prompt.messages.reduce((sum, { content }) => sum + content.length, 0)
  return Math.ceil(chars / CHARS_PER_TOKEN)
}

/** Only the prompt decides what is cached. */
function affinityBody(request: AnyRequest): Prompted {
  return 'inputs' in request ? { kind: 'embed' } : { kind: 'generate', prompt: request.prompt }
}

function historyKey(offer: Offer): string {
  return `${b4a.toString(offer.nodeKey, 'hex')}/${b4a.toString(offer.modelRoot, 'hex')}`
}
