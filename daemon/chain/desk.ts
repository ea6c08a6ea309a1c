/**
 * Where a person handles money: one question in, a stream of items out. It runs inside the node that holds the folder's
 * lock, or, when none runs, in the command itself (desk-open.ts). No secret is among the items.
 */
import { lamports } from '../../ledger/amount.js'
import type { Lamports } from '../../ledger/amount.js'
import { LAMPORTS_PER_SIGNATURE, settlementFee } from '../../ledger/chain/settle-policy.js'
import { feeOf } from '../../ledger/chain/transaction-fee.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import { codeOf } from '../errors.js'
import type { EarningsBook } from '../payment/earnings-book.js'
import type { ChainEarnings } from '../payment/earnings-view.js'
import { chainEarnings, creditOf, periodsOf } from './desk-earnings.js'
import { channelsOf, counterparties, creditRows, named, rowOf, unclaimedOf } from './desk-channels.js'
import { closeChannel } from './desk-closing.js'
import type { ChannelUse } from './desk-closing.js'
import { DeskError } from './desk-errors.js'
import type { DeskItem } from './desk-items.js'
import { parseDeskRequest } from './desk-request.js'
import type { DeskRequest } from './desk-request.js'
import { orderOf, orderRows, refundOrders } from './desk-orders.js'
import { settleNow } from './desk-settling.js'
import { transactions } from './desk-transactions.js'
import { assertPays, deposit, walletView, withdraw, withdrawalOf } from './desk-wallet.js'
import { voucherLine } from './voucher-lines.js'
import type { ChainLink } from './link.js'

export interface DeskChain {
  link(): Promise<ChainLink>
  /** Base58. */
  readonly genesis: string
  readonly use: ChannelUse
}

export interface DeskParts {
  readonly store: () => Promise<LedgerStore>
  readonly book: () => Promise<EarningsBook>
  readonly credit: Lamports | null
  /** null: this node uses none. */
  readonly chain: DeskChain | null
  /** Why there is none, and what to do. */
  readonly withoutChain: string
  /** A model's name by its hex root. */
  readonly nameOf: (root: string) => string | null
  /** Unix milliseconds. */
  readonly now: () => number
}

export class Desk {
  readonly #parts: DeskParts

  constructor(parts: DeskParts) {
    this.#parts = parts
  }

  /** Throws `DeskError`s, what the chain throws, and `STORE_*`. */
  async *run(raw: unknown, signal: AbortSignal): AsyncGenerator<DeskItem, void, void> {
    const request = parseDeskRequest(raw)
    switch (request.op) {
      case 'earnings':
        return yield* this.#earnings(request, signal)
      case 'channels':
        return yield* this.#channels()
      case 'wallet': {
        const [link, store] = await this.#linked()
        return yield { wallet: await walletView(link, this.#chain().genesis, store) }
      }
      case 'deposit':
        return yield { deposit: await deposit(await this.#chain().link(), request.airdrop) }
      case 'withdraw': {
        const link = await this.#chain().link()
        if (request.dry) return yield { plan: await withdrawalOf(link, request) }
        return yield { sent: await withdraw(link, request) }
      }
      case 'transactions':
        return yield* transactions(await this.#chain().link(), request.limit, signal)
      case 'close':
        return yield* this.#close(request.channel, signal)
      case 'top-up':
        return yield* this.#topUp(request)
      case 'settle':
        return yield* this.#settle(request.channel)
      case 'orders': {
        for (const order of await orderRows(await this.#chain().link())) yield { order }
        return
      }
      case 'refund': {
        const link = await this.#chain().link()
        for await (const refund of refundOrders(link, request.order, this.#parts.now())) yield { refund }
        return
      }
      case 'ordered': {
        const ordered = await orderOf(...(await this.#linked()), request.transaction)
        if (ordered) yield { ordered }
        return
      }
      case 'vouchers': {
        const [link, { vouchers }] = await this.#linked()
        const { genesis } = this.#chain()
        for (const signed of vouchers.allHeld()) yield { voucher: voucherLine(signed, genesis, link) }
      }
    }
  }

  async *#earnings(
    { since, by }: Extract<DeskRequest, { op: 'earnings' }>,
    signal: AbortSignal,
  ): AsyncGenerator<DeskItem, void, void> {
    const { credit, chain, nameOf, now } = this.#parts
    const [store, book] = await Promise.all([this.#parts.store(), this.#parts.book()])
    for await (const progress of book.catchUp(store, signal)) yield { progress }
    if (credit === null && !chain && book.empty) throw DeskError.NOTHING_PAID()
    let paidOut: ChainEarnings | null = null
    if (chain) {
      try {
        paidOut = await chainEarnings(await chain.link(), store)
      } catch (error) {
        if (!codeOf(error)?.startsWith('RPC_')) throw error
        yield { note: `The chain cannot be asked, so what is settled is not known now. ${(error as Error).message}` }
      }
    }
    const sums = periodsOf(book, { since, by, now: now(), nameOf })
    yield { earnings: { ...sums, chain: paidOut, credit: credit === null ? null : creditOf(store) } }
  }

  async *#channels(): AsyncGenerator<DeskItem, void, void> {
    const { credit, chain } = this.#parts
    if (!chain) {
      if (credit === null) throw DeskError.NO_CHAIN(this.#parts.withoutChain)
      for await (const channel of creditRows(await this.#parts.store(), credit)) yield { channel }
      return
    }
    const [link, { vouchers }] = await this.#linked()
    const other = counterparties(link)
    for (const found of await channelsOf(link)) yield { channel: rowOf(found, vouchers, await other(found)) }
  }

  async *#close(given: string | null, signal: AbortSignal): AsyncGenerator<DeskItem, void, void> {
    const [link, { vouchers }] = await this.#linked()
    const channels = await channelsOf(link)
    const wanted = given === null ? channels.filter(({ direction }) => direction === 'out') : [named(channels, given)]
    const options = { link, vouchers, now: this.#parts.now, use: this.#chain().use }
    for (const found of wanted) {
      signal.throwIfAborted()
      yield { closed: await closeChannel(options, found) }
    }
  }

  async *#topUp({ channel, amount, id }: Extract<DeskRequest, { op: 'top-up' }>): AsyncGenerator<DeskItem, void, void> {
    const link = await this.#chain().link()
    const found = named(await link.channelsFrom(), channel)
    if (!link.outbox.get(`top-up/${id}`)) await assertPays(link, amount, LAMPORTS_PER_SIGNATURE)
    const { signature, wire, purpose } = await link.client.topUp(found.address, amount, id)
    if (purpose['channel'] !== found.address || purpose['amount'] !== amount.toString()) throw DeskError.ID_TAKEN(id)
    const after = (await link.client.channel(found.address))?.account.deposit ?? lamports(0n)
    const cost = feeOf(Buffer.from(wire, 'base64'))
    yield {
      toppedUp: {
        channel: found.address,
        amount: amount.toString(),
        deposit: after.toString(),
        signature,
        cost: cost.toString(),
      },
    }
  }

  async *#settle(given: string | null): AsyncGenerator<DeskItem, void, void> {
    const [link, { vouchers }] = await this.#linked()
    const channels = await link.channelsTo()
    const wanted = given === null ? channels : [named(channels, given)]
    const [first] = wanted
    if (given !== null && first) {
      const [unclaimed, fee] = [unclaimedOf(first, vouchers), settlementFee(1)]
      if (unclaimed <= fee)
        throw DeskError.NOT_WORTH_IT(
          `${unclaimed} lamports are unclaimed on this channel, and claiming them costs ${fee}.`,
        )
    }
    yield { settled: await settleNow(link, vouchers, wanted) }
  }

  #chain(): DeskChain {
    const { chain, withoutChain } = this.#parts
    if (!chain) throw DeskError.NO_CHAIN(withoutChain)
    return chain
  }

  async #linked(): Promise<readonly [ChainLink, LedgerStore]> {
    return Promise.all([this.#chain().link(), this.#parts.store()])
  }
}
