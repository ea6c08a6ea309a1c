/**
 * An order that this node answers: all of its money is there from the start, so nothing is paid while tokens flow. It is
 * locked before anything is computed, and what is delivered stays below its maximum and well before its deadline.
 *
 *   taken ──reserve──► reserved ──lock──► locked ──bill, issued──► owed: claimed in the background
 *                        └──release──► free      └──release──► claimed for nothing, so that its payer has it back at once
 */
import { microLamports, NO_COST, NO_LAMPORTS, toMicroLamports } from '../../ledger/amount.js'
import type { MicroLamports } from '../../ledger/amount.js'
import type { Terms } from '../../ledger/channel.js'
import type { OrderAccount } from '../../ledger/chain/layout/accounts.js'
import type { Found } from '../../ledger/chain/readings.js'
import { LedgerError } from '../../ledger/errors.js'
import type { Prices } from '../../ledger/price.js'
import type { Statement } from '../../ledger/transaction.js'
import { PaymentError } from '../payment/errors.js'
import type { IncomingMeans } from '../payment/means.js'
import { forgivable } from '../payment/policy.js'
import { CLAIM_SECONDS } from './order-rules.js'

/** What a claim states of a receipt. */
export type Answered = Pick<Statement, 'response' | 'cost'>

/** What an order needs of the desk that took it. */
export interface OrderHandling {
  /** Nobody else answers this order meanwhile. Throws `PAYMENT_REQUIRED`. */
  hold(order: string): void
  /** Resolves when the chain has confirmed that it is this provider's. Throws `PAYMENT_REQUIRED`. */
  lock(found: Found<OrderAccount>): Promise<void>
  /** Durable when it resolves. */
  owed(found: Found<OrderAccount>, answered: Answered): Promise<void>
  /** Not answered: never locked, or locked for nothing. */
  free(found: Found<OrderAccount>, locking: Promise<void> | null): void
  /** Unix milliseconds. */
  now(): number
}

export class IncomingOrder implements IncomingMeans {
  readonly id: Uint8Array
  readonly stranger = false
  readonly #found: Found<OrderAccount>
  readonly #handling: OrderHandling
  #limit: MicroLamports = NO_COST
  #delivered: MicroLamports = NO_COST
  #locking: Promise<void> | null = null
  #locked = false

  /** `id`: the order's 32 bytes. */
  constructor(id: Uint8Array, found: Found<OrderAccount>, handling: OrderHandling) {
    this.id = id
    this.#found = found
    this.#handling = handling
  }

  get left(): MicroLamports {
    return microLamports(toMicroLamports(this.#found.account.maxCost) - this.#delivered)
  }

  reserve(_request: string, { limit }: Terms): void {
    this.#handling.hold(this.#found.address)
    this.#limit = limit
  }

  mayStart(): boolean {
    return this.#locked
  }

  headroom(): MicroLamports {
    const { deadline } = this.#found.account
    const seconds = Number(deadline) - this.#handling.now() / 1000
    return seconds > CLAIM_SECONDS ? microLamports(this.#limit - this.#delivered) : NO_COST
  }

  deliver(_request: string, cost: MicroLamports): void {
    const delivered = microLamports(this.#delivered + cost)
    if (delivered > this.#limit) throw LedgerError.RESERVATION_EXCEEDED(delivered, this.#limit)
    this.#delivered = delivered
  }

  /** Before the start it is the lock that is waited for; later there is nothing to come. */
  async payment(signal: AbortSignal, ms: number): Promise<void> {
    if (this.#locked) throw PaymentError.PAYMENT_REQUIRED('The deadline of this order is too near to go on.')
    this.#locking ??= this.#handling.lock(this.#found)
    await within(this.#locking, signal, ms)
    this.#locked = true
  }

  maySpare(amount: MicroLamports, prices: Prices): boolean {
    return amount <= forgivable(prices, NO_LAMPORTS)
  }

  bill(_request: string, cost: MicroLamports): MicroLamports {
    return cost
  }

  issued(answered: Answered): Promise<void> {
    return this.#handling.owed(this.#found, answered)
  }

  release(): void {
    this.#handling.free(this.#found, this.#locking)
  }
}

/** Throws the signal's reason, or `PAYMENT_REQUIRED` after `ms`; what was begun goes on. */
async function within(work: Promise<void>, signal: AbortSignal, ms: number): Promise<void> {
  signal.throwIfAborted()
  let stop: () => void = () => undefined
  const cut = new Promise<never>((_, reject) => {
    const late = PaymentError.PAYMENT_REQUIRED(
      `The chain has not confirmed within ${ms / 1000} s that this order is taken.`,
    )
    const timer = setTimeout(() => reject(late), ms)
    const abort = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
    signal.addEventListener('abort', abort, { once: true })
    stop = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
    }
  })
  try {
    await Promise.race([work, cut])
  } finally {
    stop()
  }
}
