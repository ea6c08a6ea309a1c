/**
 * A provider's orders: taken, locked, answered, claimed. A claim is on the disk before its receipt leaves, and is made
 * again and again until no fork can take it back; an order that was locked for an answer that never came is claimed for
 * nothing, so that its payer has everything back at once.
 */
import b4a from 'b4a'
import safetyCatch from 'safety-catch'
import { NO_LAMPORTS } from '../../ledger/amount.js'
import { ORDER_PHASE } from '../../ledger/chain/layout/accounts.js'
import type { OrderAccount } from '../../ledger/chain/layout/accounts.js'
import { orderAt, ordersOfProvider } from '../../ledger/chain/order-readings.js'
import { isOpen } from '../../ledger/chain/outbox-states.js'
import type { Found } from '../../ledger/chain/readings.js'
import { claimOf, requestCommitment } from '../../ledger/order.js'
import { codeOf } from '../errors.js'
import { PaymentError } from '../payment/errors.js'
import type { ByOrder, IncomingOrders, OrderedAsk } from '../payment/orders.js'
import { Proofs } from '../payment/proofs.js'
import { IncomingOrder } from './incoming-order.js'
import type { Answered, OrderHandling } from './incoming-order.js'
import type { ChainLink } from './link.js'
import { addressOf } from './link.js'
import type { OrderBook, OrderClaim } from './order-book.js'
import { objectionTo } from './order-rules.js'

export interface OrderDeskOptions {
  readonly link: Pick<ChainLink, 'rpc' | 'program' | 'client' | 'orders' | 'outbox'>
  readonly book: OrderBook
  /** What could not be done; it is tried again at the next turn. */
  readonly failed: (error: unknown) => void
  /** What the owner must know. */
  readonly complain: (message: string) => void
  /** Unix milliseconds. */
  readonly now: () => number
}

const NOTHING = new Uint8Array(32)

export class OrderDesk implements IncomingOrders {
  readonly #options: OrderDeskOptions
  readonly #proofs = new Proofs()
  /** Being answered by this process. */
  readonly #held = new Set<string>()
  readonly #handling: OrderHandling
  #turn: Promise<void> = Promise.resolve()
  /** What an earlier life has locked was looked for. */
  #swept = false

  constructor(options: OrderDeskOptions) {
    this.#options = options
    this.#handling = {
      hold: (order) => this.#hold(order),
      lock: (found) => this.#lock(found),
      owed: (found, answered) => this.#owed(found, answered),
      free: (found, locking) => this.#free(found, locking),
      now: options.now,
    }
  }

  /** Was everything found that an earlier life has locked? */
  get isSwept(): boolean {
    return this.#swept
  }

  /** Something is left to be claimed. */
  get isOwed(): boolean {
    return this.#options.book.claims().length > 0
  }

  async take({ body, limits, offer }: OrderedAsk, payment: ByOrder): Promise<IncomingOrder> {
    const { link, now } = this.#options
    const { client } = link
    const [found, own] = await Promise.all([this.#at(addressOf(payment.order)), client.providerAt(client.provider)])
    if (!found) throw refused('The chain knows no such order.')
    if (!this.#proofs.holds(payment, found.account.payer.toBytes()))
      throw refused("This ask does not prove that it comes from the order's payer.")
    if (!own) throw refused('This provider is not registered on the chain yet.')
    const requestHash = requestCommitment(payment.salt, body, limits.maxTokens)
    const taker = { provider: client.provider, settled: own.account.settled }
    const objection = objectionTo(found.account, { model: offer.modelRoot, requestHash }, taker, seconds(now()))
    if (objection !== null) throw refused(objection)
    return new IncomingOrder(payment.order, found, this.#handling)
  }

  /** One turn; turns wait for each other. Never throws. */
  run(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#run()).catch((error: unknown) => this.#options.failed(error))
    return this.#turn
  }

  async #run(): Promise<void> {
    const { book, failed, link } = this.#options
    await link.outbox.tick()
    if (!this.#swept) await this.#sweep()
    for (const claim of book.claims()) await this.#claim(claim).catch((error: unknown) => failed(error))
  }

  /** What was locked by a process that is gone: without a claim on the disk no answer was delivered whole. */
  async #sweep(): Promise<void> {
    const { book, link } = this.#options
    const owed = new Set(book.claims().map(({ order }) => order))
    for (const { address, account } of await ordersOfProvider(link.rpc, link.program, link.client.provider)) {
      if (account.phase !== ORDER_PHASE.locked || owed.has(address) || this.#held.has(address)) continue
      await book.owed(nothingFor(address, account))
    }
    this.#swept = true
  }

  async #claim({ order, responseHash, cost, until }: OrderClaim): Promise<void> {
    const { book, link, complain, now } = this.#options
    const found = await this.#at(order)
    const late = seconds(now()) > until
    // Claimed, as far as this node can see: forgotten when no fork can take that back.
    const claims = link.outbox
      .list()
      .filter(({ purpose }) => purpose['what'] === 'order-claim' && purpose['order'] === order)
    if (claims.some(({ phase }) => phase === 'finalized')) return book.claimed(order)
    if (claims.some(isOpen)) return
    // A node that is behind may not know of the order yet.
    if (!found && !late) return
    const mine = found?.account.provider.toBase58() === link.client.provider
    if (found && mine && found.account.phase === ORDER_PHASE.claimed) return book.claimed(order)
    if (!found || !mine || late) {
      if (cost > 0n) complain(`The order ${order} could not be claimed before its deadline: ${cost} lamports are lost.`)
      return book.claimed(order)
    }
    await link.orders.claim(found, responseHash, cost)
  }

  #hold(order: string): void {
    if (this.#held.has(order)) throw refused('This order is being answered already.')
    this.#held.add(order)
  }

  async #lock(found: Found<OrderAccount>): Promise<void> {
    const { link } = this.#options
    try {
      await link.orders.lock(found)
    } catch (error) {
      const code = codeOf(error)
      if (code === 'TX_REJECTED')
        throw refused('This order could not be taken: somebody else was first, or it has ended.')
      if (code?.startsWith('RPC_') || code === 'INSUFFICIENT_FUNDS' || code === 'BLOCKHASH_EXPIRED')
        throw refused('This provider cannot reach the chain to take the order.')
      throw error
    }
    // What the outbox remembers may be an order of the same address that was closed since.
    const account = (await this.#at(found.address))?.account
    const mine = account?.phase === ORDER_PHASE.locked && account.provider.toBase58() === link.client.provider
    if (!mine || !b4a.equals(account.requestHash, found.account.requestHash))
      throw refused('The chain does not show this order as taken by this provider.')
  }

  async #owed({ address, account }: Found<OrderAccount>, { response, cost }: Answered): Promise<void> {
    const owed = { order: address, responseHash: response.hash, cost: claimOf(cost), until: account.deadline }
    await this.#options.book.owed(owed)
    this.#held.delete(address)
    void this.run()
  }

  #free({ address, account }: Found<OrderAccount>, locking: Promise<void> | null): void {
    const { book, failed } = this.#options
    // A lock that failed left nothing to give back; one that comes late is given back then.
    const back = locking?.then(
      () => book.owed(nothingFor(address, account)).then(() => void this.run()),
      () => undefined,
    )
    void Promise.resolve(back)
      .catch(failed)
      .then(() => this.#held.delete(address))
      .catch(safetyCatch)
  }

  #at(order: string): Promise<Found<OrderAccount> | null> {
    return orderAt(this.#options.link.rpc, this.#options.link.program, order)
  }
}

function nothingFor(order: string, { deadline }: OrderAccount): OrderClaim {
  return { order, responseHash: NOTHING, cost: NO_LAMPORTS, until: deadline }
}

function refused(message: string): PaymentError {
  return PaymentError.PAYMENT_REQUIRED(message)
}

function seconds(ms: number): bigint {
  return BigInt(Math.floor(ms / 1000))
}
