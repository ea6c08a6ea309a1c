import assert from 'node:assert/strict'
import test from 'node:test'
import {
  contentMismatches,
  newContentKey,
  openContent,
  openContentKey,
  promptTokensHash,
  templateHash,
  sealContent,
  sealContentKey,
} from '../../ledger/content.js'
import { CONSUMER_BOX, CONTENT, CONTENT_KEY, draft, filled, PROVIDER_BOX } from './sample.js'

const ID = filled(16, 8)
const badSeal = { code: 'BAD_SEAL' }

test('whoever holds the sealed key reads the content, nobody else does', () => {
  const key = newContentKey()
  const { ciphertext } = sealContent(key, ID, CONTENT)
  for (const pair of [CONSUMER_BOX, PROVIDER_BOX]) {
    const sealed = sealContentKey(key, pair.publicKey)
    const { request, response } = openContent(openContentKey(sealed, pair), ID, ciphertext)
    assert.deepEqual([Buffer.from(request), Buffer.from(response)], [CONTENT.request, CONTENT.response])
  }
  const sealed = sealContentKey(key, CONSUMER_BOX.publicKey)
  assert.throws(() => openContentKey(sealed, PROVIDER_BOX), badSeal)
  assert.throws(() => openContentKey({ kind: 'destroyed', hash: filled(32, 0) }, CONSUMER_BOX), badSeal)
  assert.throws(() => openContentKey({ kind: 'sealed', sealed: filled(3, 0) }, CONSUMER_BOX), badSeal)
})

test('a body opens under its key and for its transaction only, unchanged only', () => {
  const { ciphertext } = sealContent(CONTENT_KEY, ID, CONTENT)
  const changed = ciphertext.map((byte, i) => (i === 20 ? byte ^ 1 : byte))
  assert.throws(() => openContent(filled(32, 99), ID, ciphertext), badSeal)
  assert.throws(() => openContent(CONTENT_KEY, filled(16, 9), ciphertext), badSeal)
  assert.throws(() => openContent(CONTENT_KEY, ID, changed), badSeal)
  assert.throws(() => openContent(CONTENT_KEY, ID, ciphertext.subarray(0, 9)), badSeal)
})

test('both sides come to the same ciphertext, and no two transactions to the same', () => {
  const one = sealContent(CONTENT_KEY, ID, CONTENT)
  const again = sealContent(CONTENT_KEY, ID, { ...CONTENT })
  const other = sealContent(newContentKey(), ID, CONTENT)
  assert.deepEqual(one, again)
  assert.notDeepEqual(one.ciphertext, other.ciphertext)
})

test('a hash confirms a guess only to those who hold the content key', () => {
  const one = sealContent(CONTENT_KEY, ID, CONTENT)
  const guess = sealContent(filled(32, 99), ID, CONTENT)
  assert.notDeepEqual(one.request.hash, guess.request.hash)
  assert.notDeepEqual(one.response.hash, guess.response.hash)
  assert.notDeepEqual(promptTokensHash(CONTENT_KEY, [1, 2]), promptTokensHash(filled(32, 99), [1, 2]))
  assert.notDeepEqual(promptTokensHash(CONTENT_KEY, [1, 2]), promptTokensHash(CONTENT_KEY, [2, 1]))
})

test('the hash of a template is a fact about the model: plain, pinned, and never that of no template', () => {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
  assert.equal(hex(templateHash('{{ messages }}')), 'dae029b0512c3e5209fd614fa97329ddb32b374e1352071fb5e185d1afe38d55')
  assert.equal(hex(templateHash(null)), '75c309ac686eab54c82beb9b20d09966841a0c6a6f8c6daaa0db4a18a6559913')
  assert.equal(
    hex(promptTokensHash(CONTENT_KEY, Uint32Array.of(1, 2, 70_000))),
    '2aef8db6981bdd19d3581a8b9975bcb2f7c9ee79a82451cddcca4410bf4e9b92',
  )
  assert.deepEqual(
    promptTokensHash(CONTENT_KEY, [1, 2, 70_000]),
    promptTokensHash(CONTENT_KEY, Uint32Array.of(1, 2, 70_000)),
  )
  assert.notDeepEqual(templateHash(''), templateHash(null))
})

test('content is checked against what was signed, part by part', () => {
  const statement = { ...draft(), counter: 0, previous: filled(32, 0) }
  const { request, response } = CONTENT
  assert.deepEqual(contentMismatches(CONTENT_KEY, CONTENT, statement), [])
  assert.deepEqual(contentMismatches(CONTENT_KEY, { request, response: request }, statement), ['response', 'body'])
  assert.deepEqual(contentMismatches(CONTENT_KEY, { request: response, response }, statement), ['request', 'body'])
  assert.deepEqual(contentMismatches(filled(32, 99), CONTENT, statement), ['request', 'response', 'body'])
})
