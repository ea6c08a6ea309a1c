/**
 * The node's picture of itself for the control socket: plain JSON values, no secrets (control/snapshot.ts).
 */
import b4a from 'b4a'
import type { Prices } from '../ledger/price.js'
import type { ModelCard } from '../proxy/port.js'
import { clockWarning } from '../swarm/clock.js'
import type { PeerView, Swarm } from '../swarm/port.js'
import { mayOffer } from './chain/registration.js'
import type { ConsumerCounters } from './consumer/consumer.js'
import type {
  ModelView,
  NetworkView,
  NodeSnapshot,
  PeerSummary,
  PriceView,
  RequestCounts,
  ServedModelView,
} from './control/snapshot.js'
import { ledgerView } from './ledger-view.js'
import { stateOf } from './local-models.js'
import type { LocalModel } from './local-models.js'
import type { NodeOptions } from './node-options.js'
import type { Payments } from './payment/open.js'
import type { ProviderCounters } from './provider/provider.js'
import { standingField } from './standing-view.js'
import type { Standings } from './standing-view.js'

export interface NodeParts {
  readonly options: NodeOptions
  readonly started: number
  readonly state: NodeSnapshot['state']
  readonly apiUrl: string | null
  readonly swarm: Swarm | null
  readonly joining: boolean
  readonly models: readonly LocalModel[]
  readonly cards: readonly ModelCard[]
  readonly requests: ConsumerCounters
  readonly provided: ProviderCounters
  readonly payments: Payments | null
  readonly warnings: readonly string[]
}

export function nodeSnapshot(parts: NodeParts): NodeSnapshot {
  const { options, swarm, apiUrl } = parts
  const market = parts.payments?.chain?.market ?? null
  return {
    version: options.version,
    pid: process.pid,
    started: parts.started,
    dataDir: options.dataDir,
    state: parts.state,
    api:
      options.api === null
        ? null
        : { url: apiUrl ?? '', keyed: options.api.key !== null, state: apiUrl === null ? 'closed' : 'listening' },
    network: networkView(parts),
    nodeKey: swarm === null ? '' : b4a.toString(swarm.publicKey, 'hex'),
    served: parts.models.map((model) => servedView(model, swarm !== null && !parts.joining && isOffered(model, parts))),
    models: parts.cards.map(modelView),
    ...(market ? { market: { offers: market.listings.length, readAt: market.readAt } } : {}),
    peers: (swarm?.peers() ?? []).map((peer) => peerSummary(peer, market)),
    requests: consumerCounts(parts.requests),
    provided: providerCounts(parts.provided),
    ledger: ledgerView(options, parts.payments),
    warnings: [...parts.warnings, ...clockWarnings(swarm)].slice(-MAX_WARNINGS),
  }
}

function isOffered({ options }: LocalModel, { payments }: NodeParts): boolean {
  return mayOffer(options.prices, payments?.chain?.registration)
}

/** As the snapshot promises. */
const MAX_WARNINGS = 32

function clockWarnings(swarm: Swarm | null): readonly string[] {
  const warning = clockWarning(swarm?.peers() ?? [])
  return warning === null ? [] : [warning]
}

function networkView({ options, swarm, joining }: NodeParts): NetworkView {
  const settings = options.swarm
  if (settings === null) {
    return {
      name: 'none',
      state: 'offline',
      bootstrap: null,
      address: null,
      nat: 'unknown',
      invited: false,
      allowed: null,
    }
  }
  const nat = swarm?.nat() ?? null
  return {
    name: settings.network,
    state: joining ? 'joining' : 'joined',
    bootstrap: settings.bootstrap?.map(({ host, port }) => `${host}:${port}`) ?? null,
    address: nat?.host && nat.port ? `${nat.host}:${nat.port}` : null,
    nat: nat?.kind ?? 'unknown',
    invited: settings.invite !== null,
    allowed: settings.allow?.length ?? null,
  }
}

function servedView(model: LocalModel, joined: boolean): ServedModelView {
  const load = model.engine?.load
  return {
    source: model.options.source,
    name: model.info?.name ?? model.options.name,
    root: model.info ? b4a.toString(model.info.root, 'hex') : null,
    state: stateOf(model),
    progressMilli: model.progressMilli,
    error: model.error,
    active: load?.active ?? 0,
    queued: load?.queued ?? 0,
    slots: model.info?.slots ?? 0,
    contextLength: model.info?.contextLength ?? null,
    prices: priceView(model.options.prices),
    offered: joined && stateOf(model) === 'ready',
  }
}

function modelView(card: ModelCard): ModelView {
  const {
    id,
    root,
    aliases,
    contextLength,
    quantisation,
    parameters,
    features,
    providers,
    local,
    tokensPerSecond,
    ttftMs,
    notice,
    offered,
  } = card
  const price = card.price === null ? null : priceView(card.price)
  return {
    id,
    root,
    aliases,
    contextLength,
    quantisation,
    parameters,
    features,
    price,
    providers,
    local,
    tokensPerSecond,
    ttftMs,
    notice,
    ...(offered ? { onChainOnly: offered.filter(({ online }) => online === null).length } : {}),
  }
}

function peerSummary(peer: PeerView, standings: Standings): PeerSummary {
  const key = b4a.toString(peer.key, 'hex')
  return { ...peer, key, ...standingField(standings, key) }
}

function priceView(prices: Readonly<Record<keyof Prices, bigint>>): PriceView {
  return { input: String(prices.input), cached: String(prices.cached), output: String(prices.output) }
}

function consumerCounts(counters: ConsumerCounters): RequestCounts {
  const { active, answered, failed, cancelled, tokensIn, tokensOut } = counters
  return {
    active,
    total: answered + failed + cancelled,
    failed,
    cancelled,
    promptTokens: tokensIn,
    outputTokens: tokensOut,
  }
}

function providerCounts(counters: ProviderCounters): RequestCounts {
  const { active, served, failed, cancelled, tokensIn, tokensOut } = counters
  return {
    active,
    total: served + failed + cancelled,
    failed,
    cancelled,
    promptTokens: tokensIn,
    outputTokens: tokensOut,
  }
}
