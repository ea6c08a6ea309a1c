/** With what a purchase is paid, by setting and by wish. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PaymentError } from '../../daemon/payment/errors.js'
import type { OutgoingMeans } from '../../daemon/payment/means.js'
import type { OrderWishes, OutgoingOrders, PayBy } from '../../daemon/payment/orders.js'
import { Payer } from '../../daemon/payment/payer.js'
import type { PayWishes } from '../../daemon/payment/payer.js'
import type { Purse } from '../../daemon/payment/purse.js'
import { LedgerError } from '../../ledger/errors.js'
import { offer } from '../helpers/consumer.js'
import { bodyOf } from '../helpers/direct-line.js'

const CHANNEL = { id: new Uint8Array([1]) } as unknown as OutgoingMeans
const ORDER = { id: new Uint8Array([2]) } as unknown as OutgoingMeans
const POOR = PaymentError.NO_MEANS('no deposit')
const WISH: PayWishes = { by: null, deadlineSeconds: null, minReputation: null, allowed: [] }

interface Given {
  readonly by?: PayBy
  readonly wish?: PayBy | null
  /** What stands in the way of a channel, and of an order. */
  readonly channel?: Error
  readonly order?: Error
  readonly orders?: 'none' | 'forbidden'
}

async function paidBy({ by = 'auto', wish = null, channel, order, orders }: Given): Promise<'channel' | 'order'> {
  const source: OutgoingOrders = {
    standsIn: orders !== 'forbidden',
    means: ({ wishes }) => {
      seen.push(wishes)
      return order ? Promise.reject(order) : Promise.resolve(ORDER)
    },
  }
  const purse: Pick<Purse, 'open'> = {
    open: () => (channel ? Promise.reject(channel) : Promise.resolve(CHANNEL as unknown as ReturnType<Purse['open']>)),
  }
  const payer = new Payer({ purse, orders: orders === 'none' ? null : source, by })
  const limits = { maxTokens: 1, maxCost: null, deadlineMs: 1000 }
  const onLie = (what: string): never => assert.fail(what)
  const means = await payer.means({ offer: offer(), body: bodyOf('x'), limits, pay: { ...WISH, by: wish }, onLie })
  return means === CHANNEL ? 'channel' : 'order'
}

const seen: OrderWishes[] = []

test('the setting decides, and a wish goes before it', async () => {
  assert.equal(await paidBy({}), 'channel')
  assert.equal(await paidBy({ by: 'channel' }), 'channel')
  assert.equal(await paidBy({ by: 'order' }), 'order')
  assert.equal(await paidBy({ by: 'order', wish: 'channel' }), 'channel')
  assert.equal(await paidBy({ by: 'channel', wish: 'order' }), 'order')
  assert.equal(seen.at(-1)?.minReputation, 0n)
})

test('an order stands in for a deposit that wallet or budget do not allow, and for nothing else', async () => {
  const spent = LedgerError.BUDGET_EXCEEDED('the day')
  assert.equal(await paidBy({ channel: POOR }), 'order')
  assert.equal(await paidBy({ channel: spent }), 'order')
  const others: readonly Given[] = [
    { channel: POOR, wish: 'channel' },
    { channel: POOR, by: 'channel' },
    { channel: POOR, orders: 'forbidden' },
    { channel: POOR, orders: 'none' },
    { channel: POOR, order: PaymentError.NO_MEANS('no order') },
  ]
  for (const given of others) await assert.rejects(paidBy(given), POOR)
  const broken = PaymentError.LEDGER_UNAVAILABLE('the disk')
  await assert.rejects(paidBy({ channel: broken }), broken)
})

test('an order that is wished for and cannot be had is told as it is', async () => {
  const order = PaymentError.NO_MEANS('no order')
  await assert.rejects(paidBy({ wish: 'order', order }), order)
  await assert.rejects(paidBy({ wish: 'order', orders: 'none' }), { code: 'NO_MEANS', message: /--chain/ })
})
