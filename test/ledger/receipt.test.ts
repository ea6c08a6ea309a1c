import assert from 'node:assert/strict'
import test from 'node:test'
import { microLamports } from '../../ledger/amount.js'
import {
  CHAIN_START,
  claim,
  complete,
  contradictions,
  countersign,
  follows,
  isConsumerSigned,
  isProviderSigned,
  issueReceipt,
} from '../../ledger/receipt.js'
import type { Seen } from '../../ledger/receipt.js'
import { price } from '../../ledger/price.js'
import { agreed, CONSUMER, draft, filled, PROVIDER, seenOf, STRANGER } from './sample.js'

const DRAFT = draft()
const SEEN = seenOf(DRAFT)
const { transaction: RECEIPT } = issueReceipt(DRAFT, CHAIN_START, PROVIDER.secretKey)

test('provider signs, consumer checks and countersigns, provider completes: both signatures hold', () => {
  const both = countersign(RECEIPT, SEEN, CONSUMER.secretKey)
  assert.ok(isProviderSigned(RECEIPT) && !isConsumerSigned(RECEIPT))
  assert.ok(isProviderSigned(both) && isConsumerSigned(both))
  assert.deepEqual(complete(RECEIPT, both.consumerSignature ?? filled(64, 0)), both)
})

test('a receipt that differs from what the consumer saw is not countersigned, whichever field it is', () => {
  const lies: Partial<Seen> = {
    id: filled(16, 99),
    kind: 'completion',
    network: filled(32, 99),
    modelRoot: filled(32, 99),
    consumer: STRANGER.publicKey,
    request: { ...DRAFT.request, bytes: 1 },
    response: { ...DRAFT.response, hash: filled(32, 99) },
    usage: { ...DRAFT.usage, output: 39 },
    sampling: { ...DRAFT.sampling, logitBias: [] },
    finish: 'length',
    prices: { ...DRAFT.prices, cached: price(4n) },
    cost: microLamports(1n),
    channel: filled(32, 99),
    sealedForConsumer: { kind: 'sealed', sealed: filled(80, 99) },
    sealedForProvider: { kind: 'destroyed', hash: filled(32, 99) },
    body: { ...DRAFT.body, bytes: 1 },
  }
  for (const [field, value] of Object.entries(lies)) {
    const seen = { ...SEEN, [field]: value } as Seen
    assert.throws(
      () => countersign(RECEIPT, seen, CONSUMER.secretKey),
      (error: Error) => {
        assert.equal((error as Error & { code: string }).code, 'RECEIPT_MISMATCH')
        assert.match(error.message, new RegExp(`: ${field}$`))
        return true
      },
    )
  }
})

test("what the consumer cannot compute is the provider's to state; the bytes and the hash of the answer are not", () => {
  const stated = draft(0, {
    response: { ...DRAFT.response, tokenRoot: filled(32, 99) },
    promptTokensHash: filled(32, 98),
    templateHash: filled(32, 97),
  })
  const receipt = issueReceipt(stated, CHAIN_START, PROVIDER.secretKey).transaction
  const both = countersign(receipt, SEEN, CONSUMER.secretKey)
  assert.ok(isConsumerSigned(both))
  assert.deepEqual(both.statement.response.tokenRoot, filled(32, 99), 'it is bound to what it stated')
  for (const response of [
    { ...DRAFT.response, hash: filled(32, 99) },
    { ...DRAFT.response, bytes: 1 },
  ]) {
    assert.throws(() => countersign(receipt, { ...SEEN, response }, CONSUMER.secretKey), {
      code: 'RECEIPT_MISMATCH',
      message: /: response$/,
    })
  }
})

test("the provider states the channel's sum, and the consumer signs no more than it can be", () => {
  const { cumulative } = DRAFT
  const more = { ...SEEN, cumulativeAtMost: microLamports(cumulative + 1n) }
  assert.ok(isConsumerSigned(countersign(RECEIPT, more, CONSUMER.secretKey)))
  const less = { ...SEEN, cumulativeAtMost: microLamports(cumulative - 1n) }
  assert.throws(() => countersign(RECEIPT, less, CONSUMER.secretKey), {
    code: 'RECEIPT_MISMATCH',
    message: /: cumulative$/,
  })
})

test('a signature of another key, over other bytes or for another purpose is refused', () => {
  const forged = issueReceipt(DRAFT, CHAIN_START, STRANGER.secretKey).transaction
  const changed = { ...RECEIPT, statement: { ...RECEIPT.statement, counter: 1 } }
  const bad = { code: 'RECEIPT_BAD_SIGNATURE' }
  assert.throws(() => countersign(forged, SEEN, CONSUMER.secretKey), bad)
  assert.throws(() => countersign(changed, SEEN, CONSUMER.secretKey), bad)
  const countersignature = countersign(RECEIPT, SEEN, CONSUMER.secretKey).consumerSignature ?? filled(64, 0)
  assert.throws(() => complete(changed, countersignature), bad)
  assert.throws(() => complete(RECEIPT, claim(DRAFT, CONSUMER.secretKey).consumerSignature ?? filled(64, 0)), bad)
  assert.ok(!isProviderSigned({ ...RECEIPT, providerSignature: countersignature }))
})

test('a claim stands for itself and never for a countersignature', () => {
  const record = claim(DRAFT, CONSUMER.secretKey)
  assert.ok(isConsumerSigned(record) && !isProviderSigned(record))
  const dressed = { ...record, providerSignature: RECEIPT.providerSignature }
  assert.ok(isProviderSigned(dressed) && !isConsumerSigned(dressed))
})

test('the receipts of a provider form a chain without holes', () => {
  const first = agreed(0)
  const second = agreed(1, first.head)
  const third = agreed(2, second.head)
  const [a, b, c] = [first, second, third].map(({ transaction }) => transaction.statement)
  assert.ok(a && b && c)
  assert.deepEqual([a.counter, b.counter, c.counter], [0, 1, 2])
  assert.ok(follows(a, b) && follows(b, c))
  assert.ok(!follows(a, c) && !follows(b, a) && !follows(a, { ...b, previous: filled(32, 1) }))
  assert.ok(!follows({ ...a, provider: STRANGER.publicKey }, b))
})

test('a statement that cannot be true names what contradicts itself', () => {
  const { statement } = agreed().transaction
  const { times } = statement
  assert.deepEqual(contradictions(statement), [])
  assert.deepEqual(contradictions({ ...statement, cost: microLamports(1n) }), ['cost'])
  assert.deepEqual(contradictions({ ...statement, cumulative: microLamports(1n) }), ['cumulative'])
  assert.deepEqual(contradictions({ ...statement, counter: 1 }), ['previous'])
  assert.deepEqual(contradictions({ ...statement, previous: filled(32, 1) }), ['previous'])
  assert.deepEqual(contradictions({ ...statement, times: { ...times, firstToken: times.asked - 1 } }), [
    'times.firstToken',
  ])
  assert.deepEqual(contradictions({ ...statement, times: { ...times, done: times.asked - 1 } }), [
    'times.done',
    'times.firstToken',
  ])
})
