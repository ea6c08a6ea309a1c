/**
 * Which provider to ask: a pure function of the request, the offers, this node's own history, the clock and two draws.
 *
 * Filter, each offer left out with a reason. Score in milliseconds: the time expected until the answer is complete,
 * made worse by unreliability and price, better by a cached prompt. Then two of the best are drawn and the better one
 * taken, so that many consumers with the same view do not all run to the same provider.
 *
 * Ties: of two equal scores the one drawn first is taken; lists put the lower node key first.
 */
import b4a from 'b4a'
import type { ProviderRecord } from './history.js'
import type { Offer, OfferFeature } from './port.js'

export interface RouteRequest {
  readonly modelRoot: Uint8Array
  readonly features: readonly OfferFeature[]
  /** Estimates; they decide about context and time, not about money. */
  readonly promptTokens: number
  readonly outputTokens: number
  /** Ceilings, lamports per million tokens; null = none. */
  readonly maxPrice: { readonly input: bigint | null; readonly output: bigint | null }
  /** Hex node keys. */
  readonly only: readonly string[] | null
  readonly ignore: readonly string[]
  readonly order: readonly string[]
  readonly sort: 'price' | 'latency' | 'throughput' | null
  /** Already asked for this request, in vain. */
  readonly tried: readonly string[]
  /** Least share of successes, 0..1, and least number of them, in this node's own history. */
  readonly minReliability: number
  readonly minCompleted: number
  /** Hex node key of the provider that has the prompt's prefix cached; null = nobody known. */
  readonly cachedAt: string | null
}

export type Exclusion =
  | 'OTHER_MODEL'
  | 'EXPIRED'
  | 'FEATURE_MISSING'
  | 'CONTEXT_TOO_SMALL'
  | 'PRICE_TOO_HIGH'
  | 'NOT_ALLOWED'
  | 'IGNORED'
  | 'TRIED'
  | 'TOO_UNRELIABLE'
  | 'TOO_FEW_COMPLETED'
  | 'UNHEALTHY'
  | 'BUSY'

export interface Candidate {
  readonly offer: Offer
  /** Milliseconds, weighted; less is better. */
  readonly score: number
  /** What the score is made of, for people. */
  readonly parts: {
    readonly waitMs: number
    readonly ttftMs: number
    readonly decodeMs: number
    readonly reliability: number
    /** 0 = free or cheapest possible, 1 = the dearest candidate. */
    readonly priceShare: number
    readonly cached: boolean
  }
}

export interface Route {
  readonly chosen: Offer | null
  /** Best first. */
  readonly candidates: readonly Candidate[]
  readonly excluded: readonly { readonly offer: Offer; readonly reason: Exclusion }[]
  /** When nothing can be chosen and somebody is merely busy: how long until they are not. */
  readonly retryAfterMs: number | null
}

/** Hopeful about strangers, so that they are tried; their first answers correct it. */
const PRIOR = { ttftMs: 400, tokensPerSecond: 40 }
/** A prompt that is cached is not computed again. */
const CACHED_TTFT = 0.3
/** The dearest candidate counts as so much slower. */
const PRICE_WEIGHT = 0.5
/** The best are those within this factor of the very best, and no more than so many. */
const CLOSE = 1.5
const BEST = 8
/** After the n-th failure in a row: 2^n seconds of rest from the second one on, at most a minute. */
const MAX_REST_MS = 60_000

export function choose(
  request: RouteRequest,
  offers: readonly Offer[],
  history: (offer: Offer) => ProviderRecord,
  now: number,
  random: () => number,
): Route {
  const fit: Offer[] = []
  const excluded: { offer: Offer; reason: Exclusion }[] = []
  let retryAfterMs = Infinity
  for (const offer of offers) {
    const record = history(offer)
    const reason = exclusion(request, offer, record, now)
    if (reason === null) fit.push(offer)
    else excluded.push({ offer, reason })
    if (reason === 'BUSY') retryAfterMs = Math.min(retryAfterMs, record.busyUntil - now)
    if (reason === 'UNHEALTHY') retryAfterMs = Math.min(retryAfterMs, record.lastFailure + restMs(record) - now)
  }
  const candidates = rank(request, fit, history)
  const chosen = pick(request, candidates, random)
  return { chosen, candidates, excluded, retryAfterMs: chosen || retryAfterMs === Infinity ? null : retryAfterMs }
}

/** Why this offer is out of the question; null = it is not. What the request says comes before what history says. */
function exclusion(request: RouteRequest, offer: Offer, record: ProviderRecord, now: number): Exclusion | null {
  const node = hex(offer.nodeKey)
  const { input, output } = request.maxPrice
  if (!b4a.equals(offer.modelRoot, request.modelRoot)) return 'OTHER_MODEL'
  if (offer.expires <= now) return 'EXPIRED'
  if (request.only && !request.only.includes(node)) return 'NOT_ALLOWED'
  if (request.ignore.includes(node)) return 'IGNORED'
  if (request.tried.includes(node)) return 'TRIED'
  if (request.features.some((feature) => !offer.features.includes(feature))) return 'FEATURE_MISSING'
  if (request.promptTokens >= offer.contextLength) return 'CONTEXT_TOO_SMALL'
  if (input !== null && offer.prices.input > input) return 'PRICE_TOO_HIGH'
  if (output !== null && offer.prices.output > output) return 'PRICE_TOO_HIGH'
  if (record.successes < request.minCompleted) return 'TOO_FEW_COMPLETED'
  if (reliability(record) < request.minReliability) return 'TOO_UNRELIABLE'
  if (now < record.lastFailure + restMs(record)) return 'UNHEALTHY'
  if (now < record.busyUntil) return 'BUSY'
  return null
}

function rank(
  request: RouteRequest,
  offers: readonly Offer[],
  history: (offer: Offer) => ProviderRecord,
): readonly Candidate[] {
  const costs = offers.map((offer) => Number(costOf(request, offer)))
  const dearest = Math.max(...costs)
  const candidates = offers.map((offer, i) => score(request, offer, history(offer), share(costs[i] ?? 0, dearest)))
  return candidates.sort((a, b) => compare(request, a, b) || b4a.compare(a.offer.nodeKey, b.offer.nodeKey))
}

function score(request: RouteRequest, offer: Offer, record: ProviderRecord, priceShare: number): Candidate {
  const cached = request.cachedAt === hex(offer.nodeKey)
  const ttftMs = (record.ttftMs ?? PRIOR.ttftMs) * (cached ? CACHED_TTFT : 1)
  const decodeMs = (1000 * request.outputTokens) / (record.tokensPerSecond ?? PRIOR.tokensPerSecond)
  const ahead = Math.max(record.queue, record.active - offer.slots + 1, 0)
  const waitMs = (ahead / Math.max(1, offer.slots)) * (ttftMs + decodeMs)
  const sure = reliability(record)
  const total = ((waitMs + ttftMs + decodeMs) / sure) * (1 + PRICE_WEIGHT * priceShare)
  return { offer, score: total, parts: { waitMs, ttftMs, decodeMs, reliability: sure, priceShare, cached } }
}

/** The caller's order first, then the caller's sort, then the score. */
function compare(request: RouteRequest, a: Candidate, b: Candidate): number {
  const place = placeIn(request.order, a.offer) - placeIn(request.order, b.offer)
  if (place !== 0) return place
  if (request.sort === 'price') return Number(costOf(request, a.offer) - costOf(request, b.offer)) || a.score - b.score
  if (request.sort === 'latency')
    return a.parts.ttftMs + a.parts.waitMs - b.parts.ttftMs - b.parts.waitMs || a.score - b.score
  if (request.sort === 'throughput') return a.parts.decodeMs - b.parts.decodeMs || a.score - b.score
  return a.score - b.score
}

/** Two drawn of the best, the better one taken. A stated order or sort is followed to the letter instead. */
function pick(request: RouteRequest, candidates: readonly Candidate[], random: () => number): Offer | null {
  const [top] = candidates
  if (!top) return null
  if (request.order.length > 0 || request.sort !== null) return top.offer
  const best = candidates.filter(({ score }) => score <= top.score * CLOSE).slice(0, BEST)
  const i = Math.floor(random() * best.length)
  const j = Math.floor(random() * (best.length - 1))
  const one = best[i] ?? top
  const other = best[j < i ? j : j + 1] ?? one
  return (other.score < one.score ? other : one).offer
}

/** Laplace: a stranger counts as one success and one failure, so one bad day does not damn and one good does not crown. */
export function reliability(record: ProviderRecord): number {
  return (record.successes + 1) / (record.successes + record.failures + 2)
}

function restMs(record: ProviderRecord): number {
  return record.failedInRow < 2 ? 0 : Math.min(MAX_REST_MS, 1000 * 2 ** record.failedInRow)
}

/** Microlamports. Not through `ledger/price`: a stranger's absurd price must rank last, not throw. */
function costOf(request: RouteRequest, offer: Offer): bigint {
  return BigInt(request.promptTokens) * offer.prices.input + BigInt(request.outputTokens) * offer.prices.output
}

function share(one: number, dearest: number): number {
  return dearest > 0 ? one / dearest : 0
}

function placeIn(order: readonly string[], offer: Offer): number {
  const place = order.indexOf(hex(offer.nodeKey))
  return place < 0 ? order.length : place
}

function hex(bytes: Uint8Array): string {
  return b4a.toString(bytes, 'hex')
}
