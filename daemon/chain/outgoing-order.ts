/**
 * An order as the means of one attempt: opened with the attempt's ceiling, and from then on all the money is where the
 * provider can claim it. What it cost is known when the chain shows the claim, or that it came back whole.
 */
import safetyCatch from 'safety-catch'
import { microLamports, NO_COST, NO_LAMPORTS, toMicroLamports } from '../../ledger/amount.js'
import type { MicroLamports } from '../../ledger/amount.js'
import type { Terms } from '../../ledger/channel.js'
import { signRaw } from '../../ledger/crypto.js'
import { LedgerError } from '../../ledger/errors.js'
import { claimOf } from '../../ledger/order.js'
import type { AskPayment } from '../../swarm/port.js'
import type { KeyPair } from '../crypto.js'
import type { OutgoingMeans, Reserved } from '../payment/means.js'
import { forgivable } from '../payment/policy.js'
import type { OrderedAttempt } from '../payment/orders.js'
import { asking } from './asking.js'
import type { AskingOptions } from './asking.js'

/** One order of this node's that is out. */
export interface OutOrder {
  /** 32 bytes, and the same in base58. */
  readonly id: Uint8Array
  readonly address: string
  /** Opens its commitment to the request. */
  readonly salt: Uint8Array
  /** Resolves when it is over: what the provider claimed of it, 0 when it all came back or goes to another attempt. */
  readonly cost: Promise<MicroLamports>
}

export interface OrderSource {
  /** An open order of at least this, for this attempt alone; opened on chain when there is none to go on with. */
  open(attempt: OrderedAttempt, ceiling: MicroLamports): Promise<OutOrder>
  /** The attempt is over. */
  ended(order: OutOrder): void
}

export interface OutgoingOrderOptions {
  readonly source: OrderSource
  readonly attempt: OrderedAttempt
  /** What the wallet can put into an order. */
  readonly left: MicroLamports
  /** Pays: signs that the order is this node's. */
  readonly wallet: KeyPair
  readonly words: AskingOptions
}

const NO_ORDER = new Uint8Array(32)

export class OutgoingOrder implements OutgoingMeans {
  readonly paid = NO_LAMPORTS
  readonly left: MicroLamports
  readonly #source: OrderSource
  readonly #attempt: OrderedAttempt
  readonly #wallet: KeyPair
  readonly #words: AskingOptions
  #order: OutOrder | null = null
  #limit: MicroLamports = NO_COST
  #accrued: MicroLamports = NO_COST

  constructor({ source, attempt, left, wallet, words }: OutgoingOrderOptions) {
    this.#source = source
    this.#attempt = attempt
    this.left = left
    this.#wallet = wallet
    this.#words = words
  }

  get id(): Uint8Array {
    return this.#order?.id ?? NO_ORDER
  }

  get accrued(): MicroLamports {
    return this.#accrued
  }

  async payment(ceiling: MicroLamports, reserved: Reserved): Promise<AskPayment> {
    await reserved()
    const opening = this.#source.open(this.#attempt, ceiling)
    let order: OutOrder
    try {
      order = await asking(() => opening, this.#words)
    } catch (error) {
      // One that comes too late for this attempt is there for the next.
      opening.then((late) => this.#source.ended(late), safetyCatch)
      throw error
    }
    this.#order = order
    const prove = (claim: Uint8Array): Uint8Array => signRaw(this.#wallet.secretKey, claim)
    return { kind: 'order', order: order.id, salt: order.salt, prove }
  }

  reserve(_request: string, limit: MicroLamports): void {
    this.#limit = limit
  }

  agree(_request: string, { limit }: Terms): void {
    this.#limit = limit
  }

  deliver(_request: string, cost: MicroLamports): void {
    const accrued = microLamports(this.#accrued + cost)
    if (accrued > this.#limit) throw LedgerError.RESERVATION_EXCEEDED(accrued, this.#limit)
    this.#accrued = accrued
  }

  release(): void {
    if (this.#order) this.#source.ended(this.#order)
  }

  lost(): void {}

  /** The chain's word, and not this side's: the provider may claim up to the maximum whatever it delivered. */
  async spent(accrued: MicroLamports): Promise<MicroLamports> {
    if (!this.#order) return NO_COST
    const cost = await this.#order.cost
    const { offer, onLie } = this.#attempt
    const most = toMicroLamports(claimOf(microLamports(accrued + forgivable(offer.prices, NO_LAMPORTS))))
    if (cost > most) onLie(`claimed ${cost} microlamports of an order for an answer of ${accrued}`)
    return cost
  }
}
