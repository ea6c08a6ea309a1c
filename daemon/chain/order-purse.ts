/**
 * This node's own orders: opened for its requests, watched, and taken back, the rest at once after a claim and everything
 * after the deadline. What is out is found on the chain itself, so a crash loses nothing; the journal only tells whether it
 * is worth a look.
 */
import b4a from 'b4a'
import { ceilToLamports, microLamports, NO_COST, toMicroLamports } from '../../ledger/amount.js'
import type { MicroLamports } from '../../ledger/amount.js'
import { rentFor } from '../../ledger/chain/calls.js'
import { ORDER, ORDER_PHASE } from '../../ledger/chain/layout/accounts.js'
import type { OrderAccount } from '../../ledger/chain/layout/accounts.js'
import { isOpenFor, orderAt, ordersOfPayer } from '../../ledger/chain/order-readings.js'
import { isOpen } from '../../ledger/chain/outbox-states.js'
import type { Found } from '../../ledger/chain/readings.js'
import { newOrderSalt, requestCommitment } from '../../ledger/order.js'
import { randomBytes } from '../../ledger/crypto.js'
import type { KeyPair } from '../crypto.js'
import { PaymentError } from '../payment/errors.js'
import type { OrderedAttempt } from '../payment/orders.js'
import type { OutgoingMeans } from '../payment/means.js'
import { wantedBy } from '../payment/ceiling.js'
import type { AskingOptions } from './asking.js'
import { bytesOf } from './link.js'
import type { ChainLink } from './link.js'
import type { OrderBook } from './order-book.js'
import { LEAST_SECONDS, SHORTEST_SECONDS, USUAL_SECONDS } from './order-rules.js'
import { OutgoingOrder } from './outgoing-order.js'
import type { OrderSource, OutOrder } from './outgoing-order.js'

export interface OrderPurseOptions {
  readonly link: Pick<ChainLink, 'rpc' | 'program' | 'client' | 'orders' | 'outbox' | 'providerOf'>
  readonly book: OrderBook
  readonly wallet: KeyPair
  readonly words: AskingOptions
  /** An attempt is over: a claim follows soon, or nothing. */
  readonly ended: () => void
  /** What could not be done; it is tried again at the next turn. */
  readonly failed: (error: unknown) => void
  /** Unix milliseconds. */
  readonly now: () => number
}

/** Lamports a transaction takes, and how many an order has: open and refund. */
const FEE = 5_000n
const TRANSACTIONS = 2n
/** The chain's clock and this one's are not the same. */
const CLOCK_SECONDS = 2n
const MAX_ALLOWED = 8
/** So that equal requests are known again in this process; it is no secret and leaves it never. */
const NO_SALT = new Uint8Array(32)

interface Mine extends OutOrder {
  readonly request: string
  /** Unix seconds: its deadline. */
  readonly until: bigint
  /** Being asked with. */
  busy: boolean
  /** Ends the attempt's count. */
  settle: (cost: MicroLamports) => void
}

export class OrderPurse implements OrderSource {
  readonly #options: OrderPurseOptions
  readonly #orders = new Map<string, Mine>()
  #opening = 0
  #rent: bigint | null = null
  #turn: Promise<void> = Promise.resolve()

  constructor(options: OrderPurseOptions) {
    this.#options = options
  }

  /** Is there something that may come back? */
  get isOut(): boolean {
    return this.#options.book.isOut
  }

  /** Is there something that was asked with, and not claimed yet? */
  get isAwaited(): boolean {
    return [...this.#orders.values()].some(({ busy }) => !busy)
  }

  /** Throws `NO_MEANS` with what is in the way. */
  async means(attempt: OrderedAttempt): Promise<OutgoingMeans> {
    const { link, wallet } = this.#options
    const { client } = link
    const provider = await link.providerOf(attempt.offer.nodeKey)
    if (!provider) throw PaymentError.NO_MEANS('This provider is not registered on the chain, so it can take no order.')
    const { settled } = provider.account
    const { minReputation } = attempt.wishes
    if (settled < minReputation)
      throw PaymentError.NO_MEANS(
        `This provider has earned ${settled} lamports on the chain, where ${minReputation} are wanted.`,
      )
    const [balance, rent] = await Promise.all([client.balance(), this.#rentOf()])
    const left = balance - rent - FEE * TRANSACTIONS
    const { needed } = wantedBy(attempt)
    if (toMicroLamports(balance) < needed + (rent + FEE * TRANSACTIONS) * 1_000_000n)
      throw PaymentError.NO_MEANS(
        `The wallet ${client.address} holds ${balance} lamports. An order for this request takes ${ceilToLamports(needed)}, a rent of ${rent} that comes back, and fees of ${FEE * TRANSACTIONS}.`,
      )
    const words = this.#options.words
    return new OutgoingOrder({ source: this, attempt, left: microLamports(left * 1_000_000n), wallet, words })
  }

  async open(attempt: OrderedAttempt, ceiling: MicroLamports): Promise<OutOrder> {
    const request = nameOf(attempt)
    const known = await this.#reusable(attempt, request, ceiling)
    if (known) return known
    const { book, link, now } = this.#options
    const { wishes, offer, body, limits } = attempt
    const seconds = BigInt(Math.max(SHORTEST_SECONDS, wishes.deadlineSeconds ?? USUAL_SECONDS))
    const deadline = BigInt(Math.floor(now() / 1000)) + seconds
    const salt = newOrderSalt()
    const id = b4a.toString(randomBytes(16), 'hex')
    const terms = {
      model: offer.modelRoot,
      requestHash: requestCommitment(salt, body, limits.maxTokens),
      maxCost: ceilToLamports(ceiling),
      deadline,
      minReputation: wishes.minReputation,
      context: offer.contextLength,
      allowed: await this.#accountsOf([offer.nodeKey, ...wishes.allowed]),
    }
    this.#opening++
    try {
      await book.goesOut(id, deadline)
      const { order } = await link.orders.open(terms, id)
      return this.#kept({ id: bytesOf(order), address: order, salt, until: deadline }, request)
    } finally {
      this.#opening--
    }
  }

  ended(order: OutOrder): void {
    const mine = this.#orders.get(order.address)
    if (mine) mine.busy = false
    this.#options.ended()
  }

  /** One turn; turns wait for each other. Never throws. */
  run(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#run()).catch((error: unknown) => this.#options.failed(error))
    return this.#turn
  }

  async #run(): Promise<void> {
    const { book, failed, link, now } = this.#options
    const out = book.out()
    const opening = this.#opening > 0
    await link.outbox.tick()
    const orders = await ordersOfPayer(link.rpc, link.program, link.client.address)
    const seconds = BigInt(Math.floor(now() / 1000))
    for (const found of orders) {
      const { address, account } = found
      const claimed = account.phase === ORDER_PHASE.claimed
      if (claimed) this.#over(address, toMicroLamports(account.cost))
      if (claimed || seconds > account.deadline + CLOCK_SECONDS)
        await link.orders.refund(found).then(() => this.#over(address, NO_COST), failed)
    }
    // Back by another hand.
    const there = new Set(orders.map(({ address }) => address))
    for (const { address, until } of this.#orders.values())
      if (!there.has(address) && seconds > until) this.#over(address, NO_COST)
    const under = link.outbox.list().some((entry) => entry.purpose['what']?.startsWith('order-') && isOpen(entry))
    if (orders.length === 0 && !opening && !under) await book.allBack(out)
  }

  /** Its count is final. */
  #over(address: string, cost: MicroLamports): void {
    this.#orders.get(address)?.settle(cost)
    this.#orders.delete(address)
  }

  /** Of an attempt at the same request that ended before anybody took it. */
  async #reusable(attempt: OrderedAttempt, request: string, ceiling: MicroLamports): Promise<OutOrder | null> {
    const { link, now } = this.#options
    const mine = [...this.#orders.values()].find((order) => !order.busy && order.request === request)
    if (!mine) return null
    mine.busy = true
    const found = await this.#at(mine.address)
    const provider = await link.providerOf(attempt.offer.nodeKey)
    const soon = BigInt(Math.floor(now() / 1000) + 2 * LEAST_SECONDS)
    const usable =
      found &&
      provider &&
      toMicroLamports(found.account.maxCost) >= ceiling &&
      isOpenFor(found.account, provider.address, provider.account.settled, soon)
    if (!usable) {
      mine.busy = false
      return null
    }
    // The attempt before has cost nothing: this one counts it all.
    mine.settle(NO_COST)
    return this.#kept(mine, request)
  }

  #kept({ id, address, salt, until }: Omit<Mine, 'cost' | 'request' | 'busy' | 'settle'>, request: string): OutOrder {
    let settle: Mine['settle'] = () => undefined
    const cost = new Promise<MicroLamports>((resolve) => (settle = resolve))
    const mine: Mine = { id, address, salt, until, cost, request, busy: true, settle }
    this.#orders.set(address, mine)
    return mine
  }

  async #accountsOf(nodes: readonly Uint8Array[]): Promise<string[]> {
    const names = new Map(nodes.map((node) => [b4a.toString(node, 'hex'), node]))
    const wanted = [...names.values()].slice(0, MAX_ALLOWED)
    const found = await Promise.all(wanted.map((node) => this.#options.link.providerOf(node)))
    return found.flatMap((provider) => (provider ? [provider.address] : []))
  }

  async #rentOf(): Promise<bigint> {
    return (this.#rent ??= await rentFor(this.#options.link.rpc, ORDER.size))
  }

  #at(address: string): Promise<Found<OrderAccount> | null> {
    return orderAt(this.#options.link.rpc, this.#options.link.program, address)
  }
}

function nameOf({ offer, body, limits }: OrderedAttempt): string {
  const request = requestCommitment(NO_SALT, body, limits.maxTokens)
  return b4a.toString(b4a.concat([offer.modelRoot, request]), 'hex')
}
