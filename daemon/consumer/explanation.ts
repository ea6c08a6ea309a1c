/** A decision of the router in the words of the control socket: the request that nobody made, and what would become of it. */
import b4a from 'b4a'
import type { Prices } from '../../ledger/price.js'
import type { GenerateRequest } from '../../proxy/port.js'
import type { RouteQuestion, RouteView } from '../control/route.js'
import { standingField } from '../standing-view.js'
import type { Standings } from '../standing-view.js'
import type { CatalogEntry } from './catalog.js'
import type { SwarmRouter } from './swarm-router.js'

/** As the router counts when it estimates. */
const CHARS_PER_TOKEN = 4
/** Providers that are shown although only the chain speaks of them. */
const MAX_UNMET = 32

export function explainRoute(
  router: Pick<SwarmRouter, 'explain'>,
  entry: CatalogEntry,
  question: RouteQuestion,
  standings: Standings,
): RouteView {
  const { chosen, candidates, excluded, retryAfterMs } = router.explain(entry, requestOf(entry, question), new Set())
  // The router does not look at what this node cannot pay for.
  const seen = new Set([...candidates, ...excluded].map(({ offer }) => offer))
  const unpayable = entry.offers.filter((offer) => !seen.has(offer)).map((offer) => ({ offer, reason: 'NO_MEANS' }))
  const unmet = entry.listings
    .filter(({ nodeKey }) => !entry.offers.some((offer) => b4a.equals(offer.nodeKey, nodeKey)))
    .slice(0, MAX_UNMET)
    .map((offer) => ({ offer, reason: 'ONLY_ON_CHAIN' }))
  return {
    model: entry.card.id,
    root: entry.root,
    chosen: entry.local ? 'local' : chosen && b4a.toString(chosen.nodeKey, 'hex'),
    retryAfterMs,
    candidates: candidates.map(({ offer, score, parts }) => ({
      provider: b4a.toString(offer.nodeKey, 'hex'),
      price: priceView(offer.prices),
      scoreMs: score,
      ...parts,
      ...standingField(standings, b4a.toString(offer.nodeKey, 'hex')),
    })),
    excluded: [...excluded, ...unpayable, ...unmet].map(({ offer, reason }) => ({
      provider: b4a.toString(offer.nodeKey, 'hex'),
      price: priceView(offer.prices),
      reason,
    })),
  }
}

/** A prompt is made of nothing but its length here: caches are not asked about. */
function requestOf({ card }: CatalogEntry, question: RouteQuestion): GenerateRequest {
  const text = 'x'.repeat(CHARS_PER_TOKEN * question.promptTokens)
  const { input, output } = question.maxPrice
  return {
    model: card.id,
    prompt: card.features.includes('chat')
      ? { kind: 'chat', messages: [{ role: 'user', content: text }] }
      : { kind: 'text', text },
    sampling: {
      temperatureMilli: 1000,
      topPMilli: 1000,
      minPMilli: 0,
      topK: 0,
      presencePenaltyMilli: 0,
      frequencyPenaltyMilli: 0,
      repeatPenaltyMilli: 1000,
      logitBias: [],
      seed: null,
    },
    maxTokens: question.outputTokens,
    stop: [],
    logprobs: null,
    routing: {
      only: null,
      ignore: [],
      order: [],
      sort: question.sort,
      maxPrice: { input: input === null ? null : BigInt(input), output: output === null ? null : BigInt(output) },
      allowFallbacks: true,
      deadlineMs: null,
    },
  }
}

function priceView({ input, cached, output }: Prices): RouteView['candidates'][number]['price'] {
  return { input: String(input), cached: String(cached), output: String(output) }
}
