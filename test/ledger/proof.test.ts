import assert from 'node:assert/strict'
import test from 'node:test'
import { sealContent } from '../../ledger/content.js'
import { encodeResponse } from '../../ledger/exchange.js'
import { exportTransaction, parseExport, verifyExport } from '../../ledger/proof.js'
import type { Export } from '../../ledger/proof.js'
import { claim } from '../../ledger/receipt.js'
import { withoutKeys } from '../../ledger/transaction.js'
import { agreed, CONSUMER, CONTENT, CONTENT_KEY, draft, filled, tokens } from './sample.js'

const { transaction } = agreed()
const log = tokens(40)
const FULL: Export = {
  transaction,
  disclosure: { contentKey: CONTENT_KEY, content: CONTENT },
  windows: [0, 1].map((window) => ({ width: 8, proof: log.prove(window) })),
}
const BARE: Export = { transaction, disclosure: null, windows: [] }

function results(data: Export): string[] {
  return verifyExport(parseExport(exportTransaction(data))).checks.map(({ result }) => result)
}

test('an exported transaction verifies with nothing but the file', () => {
  const verdict = verifyExport(parseExport(exportTransaction(FULL)))
  assert.ok(verdict.holds && verdict.agreed)
  assert.deepEqual(results(FULL), ['good', 'good', 'good', 'good', 'good'])
  assert.deepEqual(results(BARE), ['good', 'good', 'good', 'absent', 'absent'])
  assert.deepEqual(results({ ...BARE, transaction: withoutKeys(transaction) }), [
    'good',
    'good',
    'good',
    'absent',
    'absent',
  ])
})

test('a half-signed transaction holds without being agreed', () => {
  const receipt = { ...transaction, consumerSignature: null }
  const record = claim(draft(), CONSUMER.secretKey)
  assert.deepEqual(results({ ...BARE, transaction: receipt }), ['good', 'absent', 'good', 'absent', 'absent'])
  assert.deepEqual(results({ ...BARE, transaction: record }), ['absent', 'good', 'good', 'absent', 'absent'])
  const verdict = verifyExport({ ...BARE, transaction: receipt })
  assert.ok(verdict.holds && !verdict.agreed)
  const none = { ...transaction, providerSignature: null, consumerSignature: null }
  assert.ok(!verifyExport({ ...BARE, transaction: none }).holds)
})

test('what was changed is shown, part by part', () => {
  const statement = { ...transaction.statement, usage: { input: 12, cached: 4, output: 39 } }
  const changed = { ...BARE, transaction: { ...transaction, statement } }
  assert.deepEqual(results(changed), ['bad', 'bad', 'bad', 'absent', 'absent'])
  const otherAnswer = { request: CONTENT.request, response: Buffer.from('{"text":"Bergen."}') }
  const lie = { ...FULL, disclosure: { contentKey: CONTENT_KEY, content: otherAnswer } }
  assert.deepEqual(results(lie), ['good', 'good', 'good', 'bad', 'good'])
  const proof = { ...log.prove(0), window: 1 }
  assert.deepEqual(results({ ...FULL, windows: [{ width: 8, proof }] }), ['good', 'good', 'good', 'good', 'bad'])
  for (const bad of [changed, lie]) assert.ok(!verifyExport(bad).holds)
})

test('windows with other tokens than the disclosed answer are bad, although the provider signed both', () => {
  const answer = { kind: 'generate', finish: 'stop', stopText: null, thought: '', text: 'Oslo.' } as const
  const told = Array.from({ length: 40 }, (_, i) => 100 + i)
  const of = (ids: readonly number[]): Export => {
    const content = { request: CONTENT.request, response: encodeResponse({ ...answer, tokens: ids }) }
    const { request, response, body } = sealContent(CONTENT_KEY, draft().id, content)
    const changes = { request, body, response: { ...response, tokenRoot: log.root() } }
    return {
      ...FULL,
      transaction: agreed(0, undefined, changes).transaction,
      disclosure: { contentKey: CONTENT_KEY, content },
    }
  }
  assert.deepEqual(results(of(told)), ['good', 'good', 'good', 'good', 'good'])
  const lie = of(told.toSpliced(39, 1, 5))
  assert.deepEqual(results(lie), ['good', 'good', 'good', 'good', 'bad'])
  assert.deepEqual(results({ ...lie, windows: lie.windows.slice(0, 1) }), ['good', 'good', 'good', 'good', 'good'])
  assert.deepEqual(results({ ...lie, disclosure: null }), ['good', 'good', 'good', 'absent', 'good'])
})

test('a file of another form is refused with what is wrong', () => {
  const file = exportTransaction(FULL)
  const parsed = JSON.parse(file) as Record<string, unknown>
  const windows = parsed['windows'] as Record<string, unknown>[]
  const wrong: readonly unknown[] = [
    null,
    [],
    { ...parsed, format: 'swarmd/transaction/2' },
    { ...parsed, transaction: '!!' },
    { ...parsed, transaction: 7 },
    { ...parsed, transaction: 'A'.repeat(40_000) },
    { ...parsed, content: 'text' },
    { ...parsed, content: { key: 'AAAA', request: '', response: '' } },
    { ...parsed, windows: {} },
    { ...parsed, windows: [{ ...windows[0], width: 7 }] },
    { ...parsed, windows: [{ ...windows[0], path: ['A'.repeat(64)] }] },
    { ...parsed, windows: [{ ...windows[0], window: '0' }] },
  ]
  for (const one of wrong) assert.throws(() => parseExport(JSON.stringify(one)), { code: 'BAD_EXPORT' })
  assert.throws(() => parseExport('{'), { code: 'BAD_EXPORT' })
  const newer = Buffer.concat([filled(1, 9), Buffer.from(String(parsed['transaction']), 'base64').subarray(1)])
  const text = JSON.stringify({ ...parsed, transaction: newer.toString('base64') })
  assert.throws(() => parseExport(text), { code: 'UNKNOWN_VERSION' })
})
