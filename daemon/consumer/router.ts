/**
 * Who computes a request: a local engine if it has the model, else a provider chosen by swarm/choice.
 */
import type { EmbedRequest, GenerateRequest } from '../../proxy/port.js'
import type { Prices } from '../../ledger/price.js'
import type { AnswerEvent, AskBody, AskLimits, Offer } from '../../swarm/port.js'
import type { ModelInfo } from '../engine/port.js'
import type { CatalogEntry } from './catalog.js'

export interface Route {
  /** Unique among the routes of one request. */
  readonly key: string
  /** Hex node key, or `local`. */
  readonly name: string
  readonly prices: Prices
  answer(body: AskBody, limits: AskLimits, signal: AbortSignal): AsyncIterable<AnswerEvent>
}

export interface Router {
  localModels(): readonly ModelInfo[]
  offers(): readonly Offer[]
  /** The best route not yet tried, or null. */
  choose(entry: CatalogEntry, request: GenerateRequest | EmbedRequest, tried: ReadonlySet<string>): Route | null
  /** Why there is none: an error with a code and a line per provider that was left out. */
  refusal(entry: CatalogEntry, request: GenerateRequest | EmbedRequest): Error
  succeeded(route: Route, request: GenerateRequest | EmbedRequest, ttftMs: number, tokensPerSecond: number | null): void
  failed(route: Route, code: string | null): void
}
