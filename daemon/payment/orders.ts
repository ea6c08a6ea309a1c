/**
 * Orders as means: one request paid by an escrow on chain instead of a channel. Purchases and sales know them by these
 * ports alone; daemon/chain has them on a chain.
 */
import type { Lamports } from '../../ledger/amount.js'
import type { AskBody, AskLimits, IncomingAsk, Offer } from '../../swarm/port.js'
import type { IncomingMeans, OutgoingMeans } from './means.js'

/** How a payer means to pay. `auto`: by a channel where one is open or can be, else by an order. */
export type PayBy = 'channel' | 'order' | 'auto'

/** What a payer may want of an order beyond its request. */
export interface OrderWishes {
  /** Seconds until an order that nobody answers is taken back; null = the usual. */
  readonly deadlineSeconds: number | null
  /** What a provider must have earned through the chain's program. */
  readonly minReputation: Lamports
  /** Node keys of the providers that may take it, the one that is asked first among them or not; at most eight count. */
  readonly allowed: readonly Uint8Array[]
}

export interface OrderedAttempt {
  readonly offer: Offer
  readonly body: AskBody
  readonly limits: AskLimits
  readonly wishes: OrderWishes
  /** The provider was paid more than its answer came to. */
  readonly onLie: (what: string) => void
}

export interface OutgoingOrders {
  /** May an order stand in for a channel that cannot be opened? */
  readonly standsIn: boolean
  /** The means for one attempt; nothing is opened yet. Throws `NO_MEANS` with what is in the way. */
  means(attempt: OrderedAttempt): Promise<OutgoingMeans>
}

export type OrderedAsk = Pick<IncomingAsk, 'body' | 'limits' | 'offer'>
export type ByOrder = Extract<IncomingAsk['payment'], { readonly kind: 'order' }>

export interface IncomingOrders {
  /** The order that an ask brings, for its payer alone. Throws `PAYMENT_REQUIRED` for one that cannot be enforced. */
  take(ask: OrderedAsk, payment: ByOrder): Promise<IncomingMeans>
}
