/**
 * What `swarmd route explain` asks of a running node and is told. JSON values only, as in a snapshot: keys are hex, prices
 * decimal strings in lamports per million tokens.
 */
import type { PriceView, StandingView } from './snapshot.js'

export interface RouteQuestion {
  /** As a caller of the API would write it; null = the model that this node trusts most. */
  readonly model: string | null
  /** Ceilings; null = none. */
  readonly maxPrice: { readonly input: string | null; readonly output: string | null }
  readonly sort: 'price' | 'latency' | 'throughput' | null
  readonly promptTokens: number
  readonly outputTokens: number
}

export interface RouteView {
  readonly model: string
  readonly root: string
  /** Who would be asked: a hex node key, `local`, or nobody. Of several that are about as good, one is drawn. */
  readonly chosen: string | null
  /** When nobody can be chosen and somebody is merely busy: how long until they are not. */
  readonly retryAfterMs: number | null
  /** Providers that could be asked, best first. This node itself goes before all of them and is not among them. */
  readonly candidates: readonly CandidateView[]
  readonly excluded: readonly { readonly provider: string; readonly price: PriceView; readonly reason: string }[]
}

export interface CandidateView {
  readonly provider: string
  readonly price: PriceView
  /** Expected until the answer is complete, weighted by the two below; less is better. */
  readonly scoreMs: number
  readonly waitMs: number
  readonly ttftMs: number
  readonly decodeMs: number
  /** 0..1, in this node's own history. */
  readonly reliability: number
  /** 0 = free, 1 = the dearest of the candidates. */
  readonly priceShare: number
  /** The prompt's beginning is in this provider's cache. */
  readonly cached: boolean
  /** Shown, not counted: null = it is no provider there; absent where no chain is used. */
  readonly standing?: StandingView | null
}

export const SORTS = ['price', 'latency', 'throughput'] as const
/** The length is made up of characters to be counted again: no more of them than a long prompt has. */
const MAX_TOKENS = 1_048_576

/** null when it is none. */
export function parseQuestion(value: unknown): RouteQuestion | null {
  if (typeof value !== 'object' || value === null) return null
  const { model, maxPrice, sort, promptTokens, outputTokens } = value as Record<keyof RouteQuestion, unknown>
  if (model !== null && typeof model !== 'string') return null
  if (typeof maxPrice !== 'object' || maxPrice === null) return null
  const { input, output } = maxPrice as Record<'input' | 'output', unknown>
  if (!isCeiling(input) || !isCeiling(output)) return null
  const known = SORTS.find((one) => one === sort) ?? null
  if (known === null && sort !== null) return null
  if (!isTokens(promptTokens) || !isTokens(outputTokens)) return null
  return { model, maxPrice: { input, output }, sort: known, promptTokens, outputTokens }
}

/** The daemon is trusted with the inside of it. */
export function isRouteView(value: unknown): value is RouteView {
  return (
    typeof value === 'object' &&
    value !== null &&
    'candidates' in value &&
    Array.isArray(value.candidates) &&
    'excluded' in value &&
    Array.isArray(value.excluded)
  )
}

function isCeiling(value: unknown): value is string | null {
  return value === null || (typeof value === 'string' && /^\d{1,20}$/.test(value))
}

function isTokens(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_TOKENS
}
