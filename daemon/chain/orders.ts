/**
 * A node's orders of both sides, and their turns. Whatever is out or owed is looked at again and again, from the start of the
 * node on; where there is nothing, the chain is not asked.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import safetyCatch from 'safety-catch'
import type { KeyPair } from '../crypto.js'
import { PaymentError } from '../payment/errors.js'
import type { IncomingMeans, OutgoingMeans } from '../payment/means.js'
import type { ByOrder, IncomingOrders, OrderedAsk, OrderedAttempt, OutgoingOrders } from '../payment/orders.js'
import { asking } from './asking.js'
import type { AskingOptions } from './asking.js'
import type { ChainLink } from './link.js'
import type { OrderDesk } from './order-desk.js'
import type { OrderPurse } from './order-purse.js'
import { every } from './turns.js'

export interface OrdersOptions {
  readonly dataDir: string
  readonly link: () => Promise<ChainLink>
  readonly wallet: KeyPair
  /** Does this node serve for a price? */
  readonly sells: boolean
  /** Why this node makes no deposits; null = it may. */
  readonly objection: () => string | null
  /** Words for a chain that is another one than before. */
  readonly wrongChain: (error: Error) => string
  readonly failed: (error: unknown) => void
  /** What the owner must know. */
  readonly complain: (message: string) => void
  /** Unix milliseconds. */
  readonly now: () => number
  /** Milliseconds between two turns. */
  readonly turnMs?: number | undefined
}

const TURN_MS = 15_000
/** A provider claims as soon as it has answered. */
const CHASE_MS = [200, 400, 800, 1_600, 3_200, 6_400]
/** For what can still be claimed or taken back when the node ends. The rest is done by the next start. */
const LAST_MS = 5_000

interface Sides {
  readonly desk: OrderDesk
  readonly purse: OrderPurse
  close(): Promise<void>
}

export class Orders implements OutgoingOrders, IncomingOrders {
  readonly #options: OrdersOptions
  #opening: Promise<Sides> | null = null
  #stop: (() => void) | null = null
  /** Aborted when another attempt has ended, or the node does. */
  #chase: AbortController | null = null
  #closed = false

  constructor(options: OrdersOptions) {
    this.#options = options
  }

  get standsIn(): boolean {
    return this.#options.objection() === null
  }

  /** Idempotent. */
  start(): void {
    const { sells, failed, turnMs = TURN_MS } = this.#options
    const turn = async (): Promise<void> => {
      const { desk, purse } = await this.#sides()
      if (this.#closed) return
      if (desk.isOwed || (sells && !desk.isSwept)) await desk.run()
      if (purse.isOut) await purse.run()
    }
    this.#stop ??= every(turnMs, () => turn().catch(failed))
    void turn().catch(failed)
  }

  means(attempt: OrderedAttempt): Promise<OutgoingMeans> {
    return asking(async () => (await this.#sides()).purse.means(attempt), this.#words())
  }

  take(ask: OrderedAsk, payment: ByOrder): Promise<IncomingMeans> {
    const refusal = (message: string): PaymentError => PaymentError.PAYMENT_REQUIRED(message)
    return asking(async () => (await this.#sides()).desk.take(ask, payment), { ...this.#words(), refusal })
  }

  /** The two sides, for whoever shows or moves orders by hand. */
  async purse(): Promise<OrderPurse> {
    return (await this.#sides()).purse
  }

  /** What can be claimed or taken back now still is, for at most a while. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#stop?.()
    this.#chase?.abort()
    const sides = await this.#opening?.catch(() => null)
    if (!sides) return
    const { desk, purse } = sides
    const late = new AbortController()
    const last = Promise.all([desk.isOwed ? desk.run() : null, purse.isOut ? purse.run() : null])
    await Promise.race([last, sleep(LAST_MS, null, { signal: late.signal }).catch(() => null)])
    late.abort()
    await sides.close()
  }

  #sides(): Promise<Sides> {
    if (this.#opening) return this.#opening
    const opening = this.#open()
    this.#opening = opening
    opening.catch(() => (this.#opening = null))
    return opening
  }

  async #open(): Promise<Sides> {
    const { dataDir, wallet, failed, complain, now } = this.#options
    const [{ OrderDesk }, { OrderPurse }, { OrderBook }] = await Promise.all([
      import('./order-desk.js'),
      import('./order-purse.js'),
      import('./order-book.js'),
    ])
    const link = await this.#options.link()
    const book = await OrderBook.open(dataDir)
    const ended = (): void => this.#hurry()
    return {
      desk: new OrderDesk({ link, book, failed, complain, now }),
      purse: new OrderPurse({ link, book, wallet, words: this.#words(), ended, failed, now }),
      close: () => book.close(),
    }
  }

  /** Takes the rest of an order back soon after it is claimed. */
  #hurry(): void {
    this.#chase?.abort()
    if (this.#closed) return
    const chase = new AbortController()
    this.#chase = chase
    void this.#follow(chase.signal).catch(safetyCatch)
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { purse } = await this.#sides()
    for (const ms of CHASE_MS) {
      await sleep(ms, null, { signal, ref: false })
      await purse.run()
      if (!purse.isAwaited) return
    }
  }

  #words(): AskingOptions {
    const { link, wrongChain } = this.#options
    const poor = async (error: Error): Promise<string> => {
      const { client } = await link()
      return `The wallet ${client.address} cannot pay for an order. ${error.message}`
    }
    return { refusal: (message) => PaymentError.NO_MEANS(message), wrongChain, poor }
  }
}
