/**
 * With what a purchase is paid: the channel to its provider, or an order of its own. An order costs two transactions for
 * one answer and needs no deposit, so it stands in where a channel cannot be had.
 */
import { NO_LAMPORTS } from '../../ledger/amount.js'
import type { Lamports } from '../../ledger/amount.js'
import type { AskBody, AskLimits, Offer } from '../../swarm/port.js'
import { codeOf } from '../errors.js'
import { wantedBy } from './ceiling.js'
import { PaymentError } from './errors.js'
import type { OutgoingMeans } from './means.js'
import type { OutgoingOrders, PayBy } from './orders.js'
import type { Purse } from './purse.js'

/** A caller's own wishes; what is null is as this node is set. */
export interface PayWishes {
  readonly by: PayBy | null
  readonly deadlineSeconds: number | null
  readonly minReputation: Lamports | null
  /** Node keys that may take an order beside the provider that is asked. */
  readonly allowed: readonly Uint8Array[]
}

export interface Payable {
  readonly offer: Offer
  readonly body: AskBody
  readonly limits: AskLimits
  readonly pay?: PayWishes | undefined
  /** The provider said something that is not so. */
  readonly onLie: (what: string) => void
}

export interface PayerOptions {
  readonly purse: Pick<Purse, 'open'>
  /** null = there is no chain to have orders on. */
  readonly orders: OutgoingOrders | null
  readonly by: PayBy
}

/** A deposit that the wallet or the budget does not allow. */
const NO_DEPOSIT = new Set<string | null>(['NO_MEANS', 'BUDGET_EXCEEDED'])

export class Payer {
  readonly #options: PayerOptions

  constructor(options: PayerOptions) {
    this.#options = options
  }

  /** Throws `PAYMENT_REQUIRED`, `NO_MEANS`, `BUDGET_EXCEEDED`, `LEDGER_UNAVAILABLE`. */
  async means(wanted: Payable): Promise<OutgoingMeans> {
    const { purse, orders } = this.#options
    const by = wanted.pay?.by ?? this.#options.by
    if (by === 'order') return this.#order(wanted)
    try {
      return await purse.open(wanted.offer.nodeKey, wantedBy(wanted).needed)
    } catch (error) {
      if (by === 'channel' || !orders?.standsIn || !NO_DEPOSIT.has(codeOf(error))) throw error
      // Where an order cannot be had either, the deposit is what is to be mended.
      return this.#order(wanted).catch(() => {
        throw error
      })
    }
  }

  async #order({ offer, body, limits, pay, onLie }: Payable): Promise<OutgoingMeans> {
    const { orders } = this.#options
    if (!orders) throw PaymentError.NO_MEANS('An order is published on a chain, and this node has none (--chain URL).')
    const { deadlineSeconds = null, minReputation = null, allowed = [] } = pay ?? {}
    const wishes = { deadlineSeconds, minReputation: minReputation ?? NO_LAMPORTS, allowed }
    return orders.means({ offer, body, limits, wishes, onLie })
  }
}
