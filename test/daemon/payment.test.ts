import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ceilToLamports, microLamports } from '../../ledger/amount.js'
import { cost, FREE, price } from '../../ledger/price.js'
import type { Prices } from '../../ledger/price.js'
import { CHAIN_START, isConsumerSigned, isProviderSigned, issueReceipt } from '../../ledger/receipt.js'
import { decodeTransaction, encodeTransaction } from '../../ledger/transaction.js'
import type { Statement, Transaction } from '../../ledger/transaction.js'
import { maxWindow } from '../../daemon/payment/policy.js'
import { pair } from '../helpers/direct-line.js'

/** A third of a lamport, and three and a half. */
const PRICES: Prices = { input: price(333_333n), cached: price(100_000n), output: price(3_500_000n) }
/** Words of the prompt, as the mock counts them. */
const PROMPT = 'one two three four'
const WINDOW = 64

function costOf(output: number): bigint {
  return cost(PRICES, { input: 4, cached: 0, output })
}

test('a stranger pays the prompt first, then a voucher each half window, and never more than it got', async (t) => {
  const side = await pair(t, { prices: PRICES })
  const seen: { readonly arrived: number; readonly paid: bigint }[] = []
  for await (const event of side.ask(PROMPT, 400)) {
    if (event.type === 'tokens')
      seen.push({ arrived: side.line.arrived, paid: side.line.vouchers.at(-1)?.cumulative ?? 0n })
  }
  const { consumer, provider } = await side.logs()
  assert.equal(side.line.vouchers[0]?.cumulative, ceilToLamports(microLamports(costOf(0))), 'the prompt, ahead')
  for (const { arrived, paid } of seen) {
    assert.ok(paid <= ceilToLamports(microLamports(costOf(arrived))))
    assert.ok(costOf(arrived) - paid * 1_000_000n <= BigInt(WINDOW) * PRICES.output)
  }
  const windows = Math.ceil(400 / (WINDOW / 2))
  assert.ok(
    side.line.vouchers.length <= windows + 2,
    `${side.line.vouchers.length} vouchers for ${windows} half windows`,
  )
  assert.equal(await side.held(), ceilToLamports(microLamports(costOf(400))))
  assert.equal(consumer[0]?.transaction.statement.cost, costOf(400))
  assert.deepEqual(consumer[0]?.transaction, provider[0]?.transaction)
  assert.equal(provider[0]?.transaction.statement.cumulative, costOf(400))
})

test('a consumer that stops paying gets one window more, and the record says so on both sides', async (t) => {
  const side = await pair(t, { prices: PRICES })
  await side.answer(PROMPT, 10)
  const before = await side.held()
  side.line.pays = false
  const arrived = side.line.arrived
  await assert.rejects(side.answer(PROMPT, 500), { code: 'PAYMENT_REQUIRED' })
  const free = costOf(side.line.arrived - arrived) + costOf(10) - before * 1_000_000n
  assert.ok(free > 0n && free <= BigInt(WINDOW) * PRICES.output, `${free} microlamports unpaid`)
  await assert.rejects(side.answer(PROMPT, 500), { code: 'PAYMENT_REQUIRED' })
  const { consumer, provider } = await side.logs()
  assert.equal(consumer[1]?.transaction.statement.finish, 'failed')
  assert.deepEqual(consumer[1].transaction, provider[1]?.transaction)
})

test('however often a consumer comes back without paying, what it gets for nothing is bounded', async (t) => {
  const side = await pair(t, { prices: PRICES })
  await side.answer(PROMPT, 10)
  const paid = (await side.held()) * 1_000_000n
  side.line.pays = false
  let answered = 0
  const again = async (): Promise<void> => {
    await side.answer(PROMPT, 30)
    answered++
  }
  await assert.rejects(
    async () => {
      for (let i = 0; i < 100; i++) await again()
    },
    { code: 'PAYMENT_REQUIRED', message: /unpaid/ },
  )
  assert.ok(answered > 1, 'a few lost vouchers are no reason')
  const unpaid = cost(PRICES, { input: 4 * (answered + 1), cached: 0, output: side.line.arrived }) - paid
  assert.ok(unpaid <= maxWindow(PRICES) + BigInt(WINDOW) * PRICES.output, `${unpaid} microlamports unpaid`)
  await assert.rejects(again(), { code: 'PAYMENT_REQUIRED' })
  side.line.pays = true
  await again()
})

type Lie = (statement: Statement) => Statement

const LIES: Readonly<Record<string, Lie>> = {
  count: (statement) => ({ ...statement, usage: { ...statement.usage, output: statement.usage.output + 1 } }),
  cost: (statement) => ({ ...statement, cost: microLamports(statement.cost + 1n) }),
  cumulative: (statement) => ({ ...statement, cumulative: microLamports(statement.cumulative + 10n ** 12n) }),
  answer: (statement) => ({ ...statement, response: { ...statement.response, hash: new Uint8Array(32) } }),
  length: (statement) => ({ ...statement, response: { ...statement.response, bytes: statement.response.bytes + 1 } }),
  prompt: (statement) => ({ ...statement, request: { ...statement.request, hash: new Uint8Array(32) } }),
  model: (statement) => ({ ...statement, modelRoot: new Uint8Array(32) }),
  price: (statement) => ({ ...statement, prices: FREE }),
  finish: (statement) => ({ ...statement, finish: 'stop' }),
  id: (statement) => ({ ...statement, id: new Uint8Array(16) }),
}

test('a receipt that lies is never signed, whatever it lies about; the answer stands, and the consumer keeps its own account', async (t) => {
  const side = await pair(t, { prices: PRICES })
  for (const [name, lie] of Object.entries(LIES)) {
    side.line.lies.length = 0
    side.line.receipt = (bytes) => {
      const { statement } = decodeTransaction(bytes)
      return encodeTransaction(issueReceipt(lie(statement), CHAIN_START, side.provider.keys.secretKey).transaction)
    }
    assert.equal((await side.answer(PROMPT, 20)).length, 20, name)
    await side.consumer.books.settle(60_000)
    assert.equal(side.line.lies.length, 1, name)
    assert.match(side.line.lies[0] ?? '', /differs/, name)
  }
  side.line.lies.length = 0
  side.line.receipt = (bytes) => {
    const { statement } = decodeTransaction(bytes)
    return encodeTransaction(issueReceipt(statement, CHAIN_START, side.consumer.keys.secretKey).transaction)
  }
  await side.answer(PROMPT, 20)
  await side.consumer.books.settle(60_000)
  assert.match(side.line.lies[0] ?? '', /signature/)
  side.line.receipt = () => new Uint8Array([1, 2, 3])
  await side.answer(PROMPT, 20)
  await side.consumer.books.settle(60_000)
  assert.equal(side.line.lies.length, 2)
  const { consumer, provider } = await side.logs()
  assert.ok(consumer.every(({ transaction }) => isClaim(transaction) && transaction.statement.cost === costOf(20)))
  assert.ok(provider.every(({ transaction }) => isProviderSigned(transaction) && !isConsumerSigned(transaction)))
})

function isClaim(transaction: Transaction): boolean {
  return !transaction.providerSignature && isConsumerSigned(transaction)
}

test('who hangs up pays what it took, and both sides sign that', async (t) => {
  for (const prices of [FREE, PRICES]) {
    const side = await pair(t, { prices })
    let count = 0
    for await (const event of side.ask(PROMPT, 400)) {
      if (event.type === 'tokens' && (count += event.tokens.length) >= 37) break
    }
    const { consumer, provider } = await side.logs()
    assert.equal(consumer.length, 1)
    const { statement } = consumer[0]?.transaction ?? assert.fail()
    assert.deepEqual([statement.finish, statement.usage.output], ['cancelled', 37])
    assert.deepEqual(consumer[0]?.transaction, provider[0]?.transaction)
    assert.ok(consumer[0] && isProviderSigned(consumer[0].transaction))
    if (prices === FREE) continue
    assert.equal(statement.cost, costOf(37))
    assert.equal(await side.held(), ceilToLamports(microLamports(costOf(37))))
  }
})

test('a line cut in the middle leaves a claim here and a half-signed receipt there, and the channel goes on', async (t) => {
  const side = await pair(t, { prices: PRICES })
  side.line.cutAfter = 50
  await assert.rejects(side.answer(PROMPT, 400), { code: 'PEER_LOST' })
  side.line.cutAfter = Infinity
  for (let i = 0; i < 3; i++) assert.equal((await side.answer(PROMPT, 100)).length, 100)
  const { consumer, provider } = await side.logs()
  const [ours, theirs] = [consumer.at(-1), provider.at(-1)]
  assert.ok(ours && theirs && isClaim(ours.transaction))
  assert.deepEqual([ours.transaction.statement.finish, ours.transaction.statement.usage.output], ['lost', 50])
  assert.ok(isProviderSigned(theirs.transaction) && !theirs.transaction.consumerSignature)
  assert.equal(theirs.transaction.statement.finish, 'lost')
  assert.ok(consumer.slice(0, -1).every(({ transaction }) => isProviderSigned(transaction)))
  assert.deepEqual(side.line.lies, [])
  const got = costOf(50) + 3n * costOf(100)
  const paid = await side.held()
  assert.ok(paid >= ceilToLamports(microLamports(got)) && paid <= ceilToLamports(microLamports(got + costOf(0))) + 1n)
})

test('refused and failed before the first token: no record, no cost, and what was paid ahead pays the next one', async (t) => {
  const side = await pair(t, { prices: PRICES })
  side.line.terms = (terms) => ({ ...terms, limit: terms.limit * 2n })
  await assert.rejects(side.answer(PROMPT, 4000), { code: 'TERMS_REFUSED' })
  side.line.terms = (terms) => ({ ...terms, ahead: terms.ahead + 1n })
  await assert.rejects(side.answer(PROMPT, 10), { code: 'TERMS_REFUSED' })
  side.line.terms = (terms) => ({ ...terms, promptTokens: 100_000 })
  await assert.rejects(side.answer(PROMPT, 10), { code: 'TERMS_REFUSED' })
  side.line.terms = (terms) => ({ ...terms, window: maxWindow(PRICES) + 1n })
  await assert.rejects(side.answer(PROMPT, 10), { code: 'TERMS_REFUSED' })
  assert.equal(side.line.vouchers.length, 0, 'nothing was signed for terms that nobody agreed to')
  side.line.terms = (terms) => terms
  const hangUp = new AbortController()
  for await (const event of side.ask(PROMPT, 10, hangUp.signal)) if (event.type === 'prefill') break
  await side.answer(PROMPT, 10)
  const { consumer, provider } = await side.logs()
  assert.deepEqual([consumer.length, provider.length], [1, 1])
  assert.equal(await side.held(), ceilToLamports(microLamports(costOf(10))))
})

test('after a restart both sides go on from what is on the disk', async (t) => {
  let side = await pair(t, { prices: PRICES })
  let output = 0
  for (const length of [100, 33, 250]) {
    await side.answer(PROMPT, length)
    output += length
    const { provider } = await side.logs()
    assert.equal(
      provider[0]?.transaction.statement.cumulative,
      cost(PRICES, { input: 4 * provider.length, cached: 0, output }),
    )
    side = await side.reopened()
  }
  const due = ceilToLamports(microLamports(cost(PRICES, { input: 12, cached: 0, output })))
  const paid = await side.held()
  assert.ok(paid >= due && paid <= due + 2n, `${paid} lamports paid of ${due}`)
})

test('vouchers that nobody signed, or for a channel that no ask has named, are refused', async (t) => {
  const side = await pair(t, { prices: PRICES })
  await side.answer(PROMPT, 10)
  // The last voucher follows the answer.
  await side.held()
  const voucher = side.line.vouchers.at(-1) ?? assert.fail()
  const forged = { ...voucher, cumulative: voucher.cumulative + 1n }
  await assert.rejects(side.provider.till.accept(forged), { code: 'VOUCHER_BAD_SIGNATURE' })
  const other = { ...voucher, channel: new Uint8Array(32) }
  await assert.rejects(side.provider.till.accept(other), { code: 'VOUCHER_OTHER_CHANNEL' })
})

test('embeddings are paid by their inputs', async (t) => {
  const side = await pair(t, { prices: PRICES })
  const vectors: Float32Array[] = []
  for await (const event of side.embed(['one two three', 'four'])) {
    if (event.type === 'vectors') vectors.push(...event.vectors)
  }
  assert.equal(vectors.length, 2)
  const { consumer, provider } = await side.logs()
  assert.deepEqual(consumer[0]?.transaction, provider[0]?.transaction)
  const { statement } = consumer[0]?.transaction ?? assert.fail()
  assert.equal(statement.kind, 'embedding')
  assert.deepEqual(statement.usage, { input: 4, cached: 0, output: 0 })
  assert.equal(statement.cost, costOf(0))
})

test('a wrong countersignature is a lie of its consumer, and the receipt stays half-signed', async (t) => {
  const side = await pair(t, { prices: PRICES })
  side.line.signature = (signature) => Uint8Array.from(signature, (byte) => byte ^ 1)
  await side.answer(PROMPT, 10)
  const { provider } = await side.logs()
  assert.equal(provider[0]?.transaction.consumerSignature, null)
  assert.deepEqual(side.line.lies, ['a signature under a receipt is not that of the key that asked'])
})

test('an ask with a voucher that nobody signed is a lie, one with a voucher that was overtaken is none', async (t) => {
  const side = await pair(t, { prices: PRICES })
  await side.answer(PROMPT, 10)
  await side.held()
  // From here on asks bring the last voucher that arrived.
  side.line.pays = false
  await side.answer(PROMPT, 1).catch(() => null)
  assert.deepEqual(side.line.lies, [])
  side.line.voucher = (voucher) => voucher && { ...voucher, cumulative: voucher.cumulative + 1n }
  await assert.rejects(side.answer(PROMPT, 1), { code: 'PAYMENT_REQUIRED' })
  assert.equal(side.line.lies.length, 1)
})
