/** Answers that cost something, between whole nodes: what is signed, held and written down, to the microlamport. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import b4a from 'b4a'
import { ceilToLamports, lamports, microLamports } from '../../ledger/amount.js'
import { cost, price } from '../../ledger/price.js'
import type { Prices } from '../../ledger/price.js'
import type { Entry } from '../../ledger/store/entry.js'
import { isConsumerSigned, isProviderSigned } from '../../ledger/receipt.js'
import { chat, nodes, recorded, until } from '../helpers/nodes.js'
import type { Nodes } from '../helpers/nodes.js'

/** Half a lamport and 2.3 lamports a token: sums are no whole lamports. */
const PRICES: Prices = { input: price(500_000n), cached: price(100_000n), output: price(2_300_000n) }
const CREDIT = 10_000_000n

/** Of `hello there`, as the mock counts it. */
const PROMPT = 3

function costOf(output: number): bigint {
  return cost(PRICES, { input: PROMPT, cached: 0, output })
}

function total(entries: readonly Entry[]): bigint {
  return entries.reduce((sum, { transaction }) => sum + transaction.statement.cost, 0n)
}

/** Both logs agree with each other and with the vouchers. */
async function balanced(net: Nodes, expected: bigint): Promise<void> {
  const [ours, theirs] = [await net.entries('consumer'), await net.entries('provider')]
  const ids = (entries: readonly Entry[]): string[] =>
    entries.map(({ transaction }) => b4a.toString(transaction.statement.id, 'hex')).sort()
  assert.deepEqual(ids(ours), ids(theirs))
  assert.equal(total(ours), expected)
  assert.equal(total(theirs), expected)
  for (const { transaction } of [...ours, ...theirs]) {
    assert.ok(isProviderSigned(transaction) && isConsumerSigned(transaction))
  }
  const channel = theirs[0]?.transaction.statement.channel
  assert.ok(channel)
  const due = ceilToLamports(microLamports(expected))
  const signed = await net.ledger('consumer', (store) => Promise.resolve(store.vouchers.lastSigned(channel)))
  const held = await net.ledger('provider', (store) => Promise.resolve(store.vouchers.held(channel)))
  assert.equal(signed?.cumulative, due)
  assert.equal(held?.voucher.cumulative, due)
  const sums = theirs.map(({ transaction }) => transaction.statement.cumulative)
  assert.equal(
    sums.reduce((most, sum) => (sum > most ? sum : most), 0n),
    expected,
  )
}

test('a stranger pays ahead, then window by window, and in the end exactly what it got', async (t) => {
  const net = await nodes(t)
  const provider = await net.provider('provider', { prices: PRICES, credit: CREDIT })
  const consumer = await net.consumer('consumer', { credit: CREDIT })
  const { status, body } = await chat(consumer, 'hello there', { max_tokens: 500 })
  assert.equal(status, 200, body)
  await recorded(1, consumer, provider)
  await consumer.close()
  await provider.close()
  await balanced(net, costOf(500))
})

test('parallel requests share a channel, and each is paid once', async (t) => {
  const net = await nodes(t)
  const provider = await net.provider('provider', { prices: PRICES, credit: CREDIT })
  const consumer = await net.consumer('consumer', { credit: CREDIT })
  const lengths = Array.from({ length: 12 }, (_, i) => 20 + 17 * i)
  const answers = await Promise.all(lengths.map((length) => chat(consumer, 'hello there', { max_tokens: length })))
  assert.deepEqual(
    answers.map(({ status }) => status),
    lengths.map(() => 200),
  )
  await recorded(lengths.length, consumer, provider)
  await consumer.close()
  await provider.close()
  await balanced(
    net,
    lengths.reduce((sum, length) => sum + costOf(length), 0n),
  )
})

test('after a restart of either side the channel goes on where it was', async (t) => {
  const net = await nodes(t)
  let provider = await net.provider('provider', { prices: PRICES, credit: CREDIT })
  let consumer = await net.consumer('consumer', { credit: CREDIT })
  assert.equal((await chat(consumer, 'hello there', { max_tokens: 100 })).status, 200)
  await recorded(1, consumer, provider)
  await consumer.close()
  consumer = await net.consumer('consumer', { credit: CREDIT })
  assert.equal((await chat(consumer, 'hello there', { max_tokens: 200 })).status, 200)
  await recorded(2, consumer, provider)
  await consumer.close()
  await provider.close()
  provider = await net.provider('provider', { prices: PRICES, credit: CREDIT })
  consumer = await net.consumer('consumer', { credit: CREDIT })
  assert.equal((await chat(consumer, 'hello there', { max_tokens: 300 })).status, 200)
  await recorded(3, consumer, provider)
  await consumer.close()
  await provider.close()
  const [ours, theirs] = [await net.entries('consumer'), await net.entries('provider')]
  assert.equal(total(theirs), costOf(100) + costOf(200) + costOf(300))
  assert.equal(total(ours), total(theirs))
  const channel = theirs[0]?.transaction.statement.channel
  assert.ok(channel)
  const paid = await net.ledger('provider', (store) =>
    Promise.resolve(store.vouchers.held(channel)?.voucher.cumulative),
  )
  // Each start rounds up once.
  assert.ok(paid !== undefined && paid >= ceilToLamports(microLamports(total(theirs))))
  assert.ok(paid <= ceilToLamports(microLamports(total(theirs))) + 2n)
})

test('without means a paid model is answered with 402, on either side and before anything is computed', async (t) => {
  const net = await nodes(t)
  await net.provider('provider', { prices: PRICES, credit: CREDIT })
  const poor = await net.consumer('poor')
  const refused = await chat(poor, 'hello there')
  assert.equal(refused.status, 402)
  assert.match(refused.body, /--credit/)
  await net.provider('closed', { prices: PRICES })
  const rich = await net.consumer('rich', { credit: CREDIT }, 2)
  const routed = await chat(rich, 'hello there', { max_tokens: 5 })
  assert.equal(routed.status, 200, 'the provider that cannot be paid is passed over')
  await poor.close()
  assert.deepEqual(await net.entries('poor'), [])
})

test('a budget says no with 402 before any byte leaves, and a channel that is used up likewise', async (t) => {
  const net = await nodes(t)
  const provider = await net.provider('provider', { prices: PRICES, credit: CREDIT })
  const budget = { all: { perRequest: lamports(2000n), perDay: null }, keys: new Map() }
  const thrifty = await net.consumer('thrifty', { credit: CREDIT, budget })
  const dear = await chat(thrifty, 'hello there', { max_tokens: 4000 })
  assert.equal(dear.status, 402)
  assert.match(dear.body, /budget/)
  assert.equal((await chat(thrifty, 'hello there', { max_tokens: 10 })).status, 200)
  const short = await net.consumer('short', { credit: 1000n })
  const used = await chat(short, 'hello there', { max_tokens: 4000 })
  assert.equal(used.status, 402, used.body)
  assert.equal(provider.snapshot().provided.total, 1, 'nobody else was heard of')
})

test('the picture of a node shows its channels where money is in play, and not a word of it in a free swarm', async (t) => {
  const net = await nodes(t)
  const provider = await net.provider('provider', { prices: PRICES, credit: CREDIT })
  const consumer = await net.consumer('consumer', { credit: CREDIT })
  assert.equal((await chat(consumer, 'hello there', { max_tokens: 10 })).status, 200)
  await recorded(1, consumer, provider)
  await consumer.close()
  const { ledger } = provider.snapshot()
  assert.equal(ledger.money?.earnedToday, String(costOf(10)))
  const [channel] = ledger.money.channels
  assert.deepEqual(
    [channel?.direction, channel?.paid, channel?.accrued],
    ['in', String(ceilToLamports(microLamports(costOf(10)))), String(costOf(10))],
  )
  const free = await net.provider('free')
  await until(() => free.snapshot().ledger.state === 'open')
  assert.deepEqual(free.snapshot().ledger, { state: 'open', transactions: 0, money: null })
})
