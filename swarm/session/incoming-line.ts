/** What an incoming ask is made of, and what it needs of its session. */
import type { AskBody, AskKeys, AskLimits, Offer, ShownPayment } from '../port.js'
import type { ResponseSeal } from '../sealing.js'
import type { SessionIncomingAsk } from './incoming-ask.js'
import type { Line } from './line.js'

export interface IncomingLine {
  readonly wire: Pick<Line, 'drained' | 'send'>
  now(): number
  /** Calls `flush` at the end of this turn of the event loop. */
  schedule(ask: SessionIncomingAsk): void
  ended(ask: SessionIncomingAsk): void
  /** No receipt and no signature can follow any more. */
  forgotten(ask: SessionIncomingAsk): void
}

export interface IncomingOptions {
  readonly id: Uint8Array
  readonly peer: Uint8Array
  readonly offer: Offer
  readonly body: AskBody
  readonly limits: AskLimits
  readonly keys: AskKeys
  readonly payment: ShownPayment | null
  readonly credit: number
  readonly response: ResponseSeal
}
