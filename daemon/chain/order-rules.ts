/** Which orders a provider takes: only those that it can enforce. */
import b4a from 'b4a'
import { ORDER_PHASE } from '../../ledger/chain/layout/accounts.js'
import type { OrderAccount } from '../../ledger/chain/layout/accounts.js'
import { isOpenFor } from '../../ledger/chain/order-readings.js'

/** Hundredths of a percent: more is never given away. */
const MOST_FEE = 1_000
/** Seconds before the deadline after which nothing further is delivered: the claim has to land in time. */
export const CLAIM_SECONDS = 20
/** An order with less to go is not begun. */
export const LEAST_SECONDS = 45
/** How long an order of this node's own lives when nobody says, and the least that may be asked for. */
export const USUAL_SECONDS = 600
export const SHORTEST_SECONDS = 60

export interface Asked {
  /** 32 bytes. */
  readonly model: Uint8Array
  /** 32 bytes: of the request that came with the order. */
  readonly requestHash: Uint8Array
}

export interface Taker {
  /** Base58: its account. */
  readonly provider: string
  /** Lamports earned through the program. */
  readonly settled: bigint
}

/** Why this provider does not take the order now (Unix seconds), in words for the payer; null = it does. */
export function objectionTo(order: OrderAccount, asked: Asked, taker: Taker, now: bigint): string | null {
  if (order.phase !== ORDER_PHASE.open) return 'This order is taken already.'
  if (!b4a.equals(order.model, asked.model)) return 'This order is for another model.'
  if (!b4a.equals(order.requestHash, asked.requestHash)) return 'This order is for another request.'
  if (order.feeBps > MOST_FEE) return 'This order takes a fee above 10 %.'
  if (order.deadline - now < BigInt(LEAST_SECONDS))
    return `This order ends within ${LEAST_SECONDS} seconds, which is too soon to answer it.`
  if (taker.settled < order.minReputation)
    return `This order wants a provider that has earned ${order.minReputation} lamports; this one has earned ${taker.settled}.`
  if (!isOpenFor(order, taker.provider, taker.settled, now)) return 'This order is for other providers.'
  return null
}
