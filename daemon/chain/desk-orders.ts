/** Orders by hand: those that are out there, taking one back, and what became of the one that an answer was paid by. */
import b4a from 'b4a'
import { ORDER_PHASE } from '../../ledger/chain/layout/accounts.js'
import type { OrderAccount } from '../../ledger/chain/layout/accounts.js'
import { orderAt, ordersOfPayer, ordersOfProvider } from '../../ledger/chain/order-readings.js'
import { isOpen } from '../../ledger/chain/outbox-states.js'
import type { OutboxEntry } from '../../ledger/chain/outbox-states.js'
import type { Found } from '../../ledger/chain/readings.js'
import { feeOf } from '../../ledger/chain/transaction-fee.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import { DeskError } from './desk-errors.js'
import type { OrderEnd, OrderRow, Refund } from './desk-items.js'
import { addressOf } from './link.js'
import type { ChainLink } from './link.js'

type Link = Pick<ChainLink, 'rpc' | 'program' | 'client' | 'orders' | 'outbox'>

const STATES: Readonly<Record<number, OrderRow['state']>> = {
  [ORDER_PHASE.open]: 'open',
  [ORDER_PHASE.locked]: 'locked',
  [ORDER_PHASE.claimed]: 'claimed',
}

/** This node's own first, then those that it has taken. */
export async function orderRows(link: Link): Promise<readonly OrderRow[]> {
  const { rpc, program, client } = link
  const [out, into] = await Promise.all([
    ordersOfPayer(rpc, program, client.address),
    ordersOfProvider(rpc, program, client.provider),
  ])
  return [...out.map((found) => rowOf(found, 'out')), ...into.map((found) => rowOf(found, 'in'))]
}

/** Takes back what can be; `given`: the first characters of an address, null = all. Throws `ORDER_NOT_FOUND`. */
export async function* refundOrders(link: Link, given: string | null, now: number): AsyncGenerator<Refund> {
  const orders = await ordersOfPayer(link.rpc, link.program, link.client.address)
  for (const found of given === null ? orders : [theOne(orders, given)]) {
    const { address, account, lamports } = found
    const over = account.phase === ORDER_PHASE.claimed || BigInt(Math.floor(now / 1000)) > account.deadline
    const row = { order: address, until: Number(account.deadline) * 1000 }
    if (!over) {
      yield { ...row, did: 'waiting', returned: '0', cost: '0' }
      continue
    }
    const entry = await link.orders.refund(found)
    yield { ...row, did: 'refunded', returned: lamports.toString(), cost: feeOfEntry(entry).toString() }
  }
}

/** The order that paid for an answer, by the answer's transaction id; null: it was paid otherwise, or is not recorded yet. */
export async function orderOf(
  link: Link,
  store: Pick<LedgerStore, 'find' | 'get'>,
  transaction: string,
): Promise<OrderEnd | null> {
  const [position] = await store.find(b4a.from(transaction, 'hex'))
  if (position === undefined) return null
  const address = addressOf((await store.get(position)).transaction.statement.channel)
  const mine = link.outbox.list().filter(({ purpose }) => purpose['order'] === address)
  const [opened, refunded] = ['order-open', 'order-refund'].map((what) =>
    mine.findLast(({ purpose }) => purpose['what'] === what),
  )
  if (!opened) return null
  const maxCost = opened.purpose['amount'] ?? '0'
  const found = await orderAt(link.rpc, link.program, address)
  const fees = [opened, refunded].reduce((sum, entry) => sum + (entry ? feeOfEntry(entry) : 0n), 0n)
  const common = { order: address, maxCost, fees: fees.toString(), until: Number(opened.purpose['until'] ?? 0) * 1000 }
  if (found) {
    const { cost, rent, state } = rowOf(found, 'out')
    return { ...common, cost, rent, state, returned: null }
  }
  const back = refunded && !isOpenYet(refunded) ? (refunded.purpose['amount'] ?? null) : null
  return { ...common, cost: null, rent: null, state: 'closed', returned: back }
}

function theOne<T extends { readonly address: string }>(orders: readonly T[], given: string): T {
  const [first, second] = orders.filter(({ address }) => address.startsWith(given))
  if (!first || second) throw DeskError.ORDER_NOT_FOUND(given)
  return first
}

/** Sent, and not seen on the chain so far. */
function isOpenYet(entry: OutboxEntry): boolean {
  return isOpen(entry) && entry.phase !== 'confirmed'
}

function rowOf({ address, lamports, account }: Found<OrderAccount>, direction: OrderRow['direction']): OrderRow {
  const { phase, maxCost, cost, deadline } = account
  const claimed = phase === ORDER_PHASE.claimed
  return {
    order: address,
    direction,
    model: b4a.toString(account.model, 'hex'),
    maxCost: maxCost.toString(),
    cost: claimed ? cost.toString() : null,
    state: STATES[phase] ?? 'open',
    until: Number(deadline) * 1000,
    rent: (lamports - (claimed ? maxCost - cost : maxCost)).toString(),
  }
}

function feeOfEntry({ wire }: OutboxEntry): bigint {
  return feeOf(b4a.from(wire, 'base64'))
}
