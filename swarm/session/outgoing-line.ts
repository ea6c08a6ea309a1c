/** Between an outgoing ask and its session. */
import type { SwarmError } from '../errors.js'
import type { Cancel } from '../wire/cancel.js'
import type { Credit } from '../wire/credit.js'
import type { OutgoingAsk } from './outgoing-ask.js'

/** What the ask needs of its session. */
export interface OutgoingLine {
  credit(message: Credit): void
  cancel(message: Cancel): void
  ended(ask: OutgoingAsk): void
  /** No receipt can follow any more. */
  forgotten(ask: OutgoingAsk): void
  /** The peer broke the protocol: the session is over for all asks. */
  violated(error: SwarmError): void
  /** The lease ran out: the connection is dead, though nobody said so. */
  lost(): void
}
