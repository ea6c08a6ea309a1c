import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { MAX_MICRO, MAX_U64, microLamports } from '../../ledger/amount.js'
import { isConsumerSigned, isProviderSigned } from '../../ledger/receipt.js'
import { price } from '../../ledger/price.js'
import {
  decodeTransaction,
  encodeTransaction,
  isFreeOfCharge,
  MAX_LOGIT_BIASES,
  MAX_TRANSACTION_BYTES,
  NO_CHANNEL,
  receiptHash,
  signableBytes,
  withoutKeys,
} from '../../ledger/transaction.js'
import type { Transaction } from '../../ledger/transaction.js'
import { agreed, draft, filled } from './sample.js'

// Tests run from dist/test/ledger; fixtures are not compiled.
const GOLDEN = new URL('../../../test/fixtures/ledger/transaction-1.hex', import.meta.url)
const { transaction: SAMPLE } = agreed()

function changed(changes: Partial<Transaction['statement']>): Transaction {
  return { ...SAMPLE, statement: { ...SAMPLE.statement, ...changes } }
}

test('a transaction of version 1 has exactly these bytes, and they are read for ever', () => {
  const golden = readFileSync(GOLDEN, 'latin1').trim()
  assert.equal(Buffer.from(encodeTransaction(SAMPLE)).toString('hex'), golden)
  const read = decodeTransaction(Buffer.from(golden, 'hex'))
  assert.deepEqual(encodeTransaction(read), encodeTransaction(SAMPLE))
  assert.ok(isProviderSigned(read) && isConsumerSigned(read))
})

test('every shape of a transaction comes back as it was', () => {
  const shapes: Transaction[] = [
    SAMPLE,
    { ...SAMPLE, consumerSignature: null },
    { ...SAMPLE, providerSignature: null },
    withoutKeys(SAMPLE),
    changed({ times: { asked: 0, firstToken: null, done: Number.MAX_SAFE_INTEGER } }),
    changed({
      cost: microLamports(MAX_MICRO),
      cumulative: microLamports(0n),
      prices: { input: price(MAX_U64), cached: price(0n), output: price(255n) },
    }),
    changed({ kind: 'embedding', finish: 'failed', channel: NO_CHANNEL, counter: 2 ** 40 }),
  ]
  for (const shape of shapes) {
    const bytes = encodeTransaction(shape)
    assert.deepEqual(encodeTransaction(decodeTransaction(bytes)), bytes)
    const { statement } = decodeTransaction(bytes)
    assert.deepEqual(signableBytes(statement), signableBytes(shape.statement))
    assert.equal(statement.cost, shape.statement.cost)
    assert.deepEqual(statement.times, shape.statement.times)
    assert.equal(isFreeOfCharge(statement), shape.statement.channel === NO_CHANNEL)
  }
})

test('the largest transaction stays below the stated size', () => {
  const bias = Array.from({ length: MAX_LOGIT_BIASES }, (_, i) => [2 ** 32 - 1 - i, -10_000_000] as const)
  const long = 'é'.repeat(32)
  const runtime = {
    ...SAMPLE.statement.runtime,
    library: long,
    release: long,
    backend: long,
    cpuVariant: long,
    kvTypes: long,
  }
  const bytes = encodeTransaction(
    changed({ sampling: { ...SAMPLE.statement.sampling, sampler: long, logitBias: bias }, runtime }),
  )
  assert.ok(bytes.byteLength <= MAX_TRANSACTION_BYTES, `${bytes.byteLength} bytes`)
})

test('fields outside their bounds are not encoded', () => {
  const { sampling, runtime, usage } = SAMPLE.statement
  const wrong: Partial<Transaction['statement']>[] = [
    { id: filled(15, 0) },
    { previous: filled(33, 0) },
    { usage: { ...usage, output: 2 ** 32 } },
    { usage: { ...usage, output: -1 } },
    { counter: 0.5 },
    { sampling: { ...sampling, topPMilli: 10_000_001 } },
    { sampling: { ...sampling, seed: 2n ** 64n } },
    { sampling: { ...sampling, logitBias: Array.from({ length: MAX_LOGIT_BIASES + 1 }, () => [1, 1] as const) } },
    { runtime: { ...runtime, backend: 'x'.repeat(65) } },
    { sealedForConsumer: { kind: 'sealed', sealed: filled(81, 0) } },
  ]
  for (const changes of wrong) assert.throws(() => encodeTransaction(changed(changes)), { code: 'BAD_ENCODING' })
})

test('a newer version is named as such, and bytes after the end are refused', () => {
  const bytes = encodeTransaction(SAMPLE)
  assert.throws(() => decodeTransaction(Uint8Array.from([2, ...bytes.subarray(1)])), { code: 'UNKNOWN_VERSION' })
  assert.throws(() => decodeTransaction(Uint8Array.from([...bytes, 0])), { code: 'BAD_ENCODING' })
  assert.throws(() => decodeTransaction(bytes.subarray(0, -1)), { code: 'BAD_ENCODING' })
})

test('both signatures outlive the content keys', () => {
  const bare = withoutKeys(SAMPLE)
  assert.deepEqual(receiptHash(bare.statement), receiptHash(SAMPLE.statement))
  assert.ok(isProviderSigned(bare) && isConsumerSigned(bare))
  assert.deepEqual(withoutKeys(bare), bare)
  assert.equal(bare.statement.sealedForConsumer.kind, 'destroyed')
})

test('every field is signed', () => {
  const other = { ...draft(5), times: { asked: 1, firstToken: null, done: 2 } }
  const name = Buffer.from(receiptHash(SAMPLE.statement)).toString('hex')
  const varied: Partial<Transaction['statement']> = {
    ...other,
    kind: 'completion',
    network: filled(32, 99),
    modelRoot: filled(32, 99),
    consumer: filled(32, 99),
    provider: filled(32, 99),
    request: { ...other.request, bytes: 1 },
    response: { ...other.response, bytes: 1 },
    usage: { input: 1, cached: 2, output: 3 },
    sampling: { ...other.sampling, minPMilli: 1 },
    finish: 'length',
    runtime: { ...other.runtime, flashAttention: true },
    promptTokensHash: filled(32, 99),
    templateHash: filled(32, 99),
    counter: 9,
    previous: filled(32, 99),
    prices: { ...other.prices, output: price(61n) },
    cost: microLamports(7n),
    channel: filled(32, 99),
    sealedForConsumer: { kind: 'sealed', sealed: filled(80, 99) },
    sealedForProvider: { kind: 'sealed', sealed: filled(80, 99) },
    body: { ...other.body, bytes: 1 },
  }
  assert.deepEqual(Object.keys(varied).sort(), Object.keys(SAMPLE.statement).sort())
  for (const [field, value] of Object.entries(varied)) {
    const { statement } = changed({ [field]: value })
    assert.notEqual(Buffer.from(receiptHash(statement)).toString('hex'), name, field)
  }
})
