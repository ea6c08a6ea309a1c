/**
 * What the history answers: a stream of items, JSON values only (keys are hex, amounts decimal strings of microlamports,
 * times Unix milliseconds). Fields may be added; none is ever re-meant.
 */
import type { Check } from '../../ledger/proof.js'

export type HistoryItem =
  | { readonly row: Row }
  | { readonly detail: Detail }
  /** A piece of a longer text; all pieces together are the text. */
  | { readonly text: string }
  /** `doing`: what is counted, where that is not the thing itself and nobody knows how many there will be. */
  | { readonly progress: { readonly done: number; readonly total: number; readonly doing?: string } }
  /** The last item of every answer. */
  | { readonly summary: Summary }

export interface Row {
  /** 16 bytes. */
  readonly id: string
  readonly position: number
  /** Which side this node was. */
  readonly role: 'consumer' | 'provider'
  readonly kind: string
  /** End of the request on this node's clock. */
  readonly time: number
  readonly model: string
  /** null: this node never knew the model by a name. */
  readonly modelName: string | null
  /** The other side. */
  readonly peer: string
  readonly usage: { readonly input: number; readonly cached: number; readonly output: number }
  readonly finish: string
  readonly cost: string
  /** null: free of charge. */
  readonly channel: string | null
  /** Who signed; whether the signatures are good is for `show` and `verify`. */
  readonly signed: 'both' | 'provider' | 'consumer' | 'nobody'
  /** Around the words that were searched for. */
  readonly excerpt?: string
}

export interface Detail extends Row {
  readonly times: { readonly asked: number; readonly firstToken: number | null; readonly done: number }
  readonly prices: { readonly input: string; readonly cached: string; readonly output: string }
  readonly cumulative: string
  readonly consumer: string
  readonly provider: string
  readonly counter: number
  readonly receipt: string
  readonly requestHash: string
  readonly responseHash: string
  readonly requestBytes: number
  readonly responseBytes: number
  readonly runtime: Readonly<Record<string, string | number | boolean>>
  readonly sampling: Readonly<Record<string, unknown>>
  readonly content: 'kept' | 'forgotten' | 'pruned' | 'never kept'
  readonly checks: readonly Check[]
  readonly holds: boolean
  readonly agreed: boolean
}

export interface Summary {
  /** Rows or transactions that were written, found, pruned, forgotten, verified or restored. */
  readonly count: number
  /** Transactions that could not be exported, by reason. */
  readonly skipped?: Readonly<Record<string, number>>
  /** Of `verify`. */
  readonly report?: unknown
  /** A sentence for a person. */
  readonly note?: string
}
