/** What a request leaves behind on both sides, in whole nodes over a real loopback swarm. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import b4a from 'b4a'
import { decodeRequest, decodeResponse } from '../../ledger/exchange.js'
import { isConsumerSigned, isProviderSigned } from '../../ledger/receipt.js'
import { receiptHash } from '../../ledger/transaction.js'
import { chat, nodes } from '../helpers/nodes.js'

test('after a free request both logs hold the same transaction, signed by both, and each side reads it with its seed alone', async (t) => {
  const net = await nodes(t)
  const provider = await net.provider('provider')
  const consumer = await net.consumer('consumer')
  const { status, text } = await chat(consumer, 'a question of some words', { max_tokens: 20 })
  assert.equal(status, 200)
  await consumer.close()
  await provider.close()
  const [[ours], [theirs]] = [await net.entries('consumer'), await net.entries('provider')]
  assert.ok(ours && theirs)
  assert.deepEqual([ours.role, theirs.role], ['consumer', 'provider'])
  assert.deepEqual(ours.transaction, theirs.transaction)
  assert.ok(isProviderSigned(ours.transaction) && isConsumerSigned(ours.transaction))
  assert.ok(b4a.equals(receiptHash(ours.transaction.statement), receiptHash(theirs.transaction.statement)))
  assert.deepEqual(ours.transaction.statement.usage, { input: 6, cached: 0, output: 20 })
  for (const [name, entry] of [
    ['consumer', ours],
    ['provider', theirs],
  ] as const) {
    const content = await net.ledger(name, (store, identity) => store.content(entry, identity.box()))
    assert.ok(content)
    const { body } = decodeRequest(content.request)
    assert.ok(body.kind === 'generate' && body.prompt.kind === 'chat')
    assert.equal(body.prompt.messages[0]?.content, 'a question of some words')
    const response = decodeResponse(content.response)
    assert.ok(response.kind === 'generate')
    assert.deepEqual([response.text, response.tokens.length, response.finish], [text, 20, 'length'])
  }
})
