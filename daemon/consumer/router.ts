/**
 * What the consumer needs to know of routing: candidates in, one route at a time out, and what became of it back in.
 */
import type { Prices } from '../../ledger/price.js'
import type { EmbedRequest, GenerateRequest } from '../../proxy/port.js'
import type { Outcome } from '../../swarm/history.js'
import type { AnswerEvent, AskBody, AskLimits, Offer } from '../../swarm/port.js'
import type { ModelInfo } from '../engine/port.js'
import type { Listing } from '../chain/listings.js'
import type { CatalogEntry } from './catalog.js'

export type AnyRequest = GenerateRequest | EmbedRequest

export interface Route {
  /** Unique among the routes of one request. */
  readonly key: string
  /** Hex node key, or `local`. */
  readonly name: string
  readonly prices: Prices
  /** Hex, 32 digits: of the transaction that this attempt leaves in the logs. */
  readonly transaction: string
  answer(body: AskBody, limits: AskLimits, signal: AbortSignal): AsyncIterable<AnswerEvent>
  /** Whether its provider has stated something else since: a new price, or a restart. */
  superseded(): boolean
  /** What happened on this route; `asked` first, exactly one ending last. */
  note(outcome: Outcome): void
}

export interface Router {
  localModels(): readonly ModelInfo[]
  offers(): readonly Offer[]
  /** Looks for providers of a model that is known by its root (64 hex digits) only; their offers follow. */
  lookUp(rootHex: string): Promise<void>
  /** What a chain knows besides; null = none is used. */
  listings(): readonly Listing[] | null
  /** Hex node keys. */
  connected(): ReadonlySet<string>
  /** Connects to providers that only the chain speaks of, until one of them has offered the model; resolves in any case. */
  meet(entry: CatalogEntry, signal: AbortSignal): Promise<void>
  /** The best route not yet tried, or null. */
  choose(entry: CatalogEntry, request: AnyRequest, tried: ReadonlySet<string>): Route | null
  /** Why there is none: an error with a code and a line per reason that left providers out. */
  refusal(entry: CatalogEntry, request: AnyRequest): Error
}
