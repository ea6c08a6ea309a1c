import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Affinity, prefixesOf } from '../../swarm/affinity.js'
import { History, UNKNOWN, update } from '../../swarm/history.js'
import type { Outcome } from '../../swarm/history.js'
import type { AskBody, AskMessage } from '../../swarm/port.js'
import { ROOT } from '../helpers/offers.js'
import { textBody } from '../helpers/loopback-swarm.js'

test('measurements are a moving mean: the first counts whole, later ones a fifth', () => {
  let record = update(UNKNOWN, { type: 'answered', ttftMs: 100, tokensPerSecond: 50 }, 1)
  assert.equal(record.ttftMs, 100)
  record = update(record, { type: 'answered', ttftMs: 200, tokensPerSecond: null }, 2)
  assert.equal(record.ttftMs, 120)
  assert.equal(record.tokensPerSecond, 50)
})

test('an answer ends a row of failures, a queue and a retry-after; a refusal sets one', () => {
  let record = update(UNKNOWN, { type: 'refused', retryAfterMs: 700 }, 1000)
  assert.equal(record.busyUntil, 1700)
  record = update(update(record, { type: 'failed' }, 1001), { type: 'failed' }, 1002)
  assert.equal(record.failedInRow, 2)
  record = update(
    update(record, { type: 'queued', position: 3 }, 1003),
    { type: 'answered', ttftMs: 1, tokensPerSecond: 1 },
    1004,
  )
  assert.deepEqual([record.failedInRow, record.queue, record.busyUntil, record.failures], [0, 0, 0, 2])
})

test('the count of asks under way never goes below nothing and ends where it began', () => {
  const outcome = fc.constantFrom<Outcome>(
    { type: 'asked' },
    { type: 'answered', ttftMs: 1, tokensPerSecond: null },
    { type: 'refused', retryAfterMs: null },
    { type: 'failed' },
    { type: 'cancelled' },
  )
  fc.assert(
    fc.property(fc.array(outcome, { maxLength: 20 }), (outcomes) => {
      let record = UNKNOWN
      let active = 0
      for (const one of outcomes) {
        record = update(record, one, 5)
        active = one.type === 'asked' ? active + 1 : Math.max(0, active - 1)
        assert.equal(record.active, active)
      }
    }),
  )
})

test('the history forgets who was not touched for longest', () => {
  const history = new History(2)
  history.note('a', { type: 'failed' }, 1)
  history.note('b', { type: 'failed' }, 2)
  history.note('a', { type: 'failed' }, 3)
  history.note('c', { type: 'failed' }, 4)
  assert.deepEqual([history.get('a').failures, history.get('b').failures, history.size], [2, 0, 2])
})

function chat(...contents: readonly string[]): AskBody {
  const messages: AskMessage[] = contents.map((content, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content }))
  return textBody('', { prompt: { kind: 'chat', messages } })
}

test('a longer conversation is recognised by what it began with', () => {
  const affinity = new Affinity()
  affinity.remember(prefixesOf(ROOT, chat('hi', 'hello')), 'one')
  assert.equal(affinity.find(prefixesOf(ROOT, chat('hi', 'hello', 'and?'))), 'one')
  assert.equal(affinity.find(prefixesOf(ROOT, chat('hey', 'hello', 'and?'))), null)
  assert.equal(affinity.find(prefixesOf(new Uint8Array(32), chat('hi', 'hello'))), null)
})

test('the longest known beginning decides', () => {
  const affinity = new Affinity()
  affinity.remember(prefixesOf(ROOT, chat('system')), 'short')
  affinity.remember(prefixesOf(ROOT, chat('system', 'a')), 'long')
  assert.equal(affinity.find(prefixesOf(ROOT, chat('system', 'a', 'b'))), 'long')
})

test('text is known by its whole blocks, and embeddings are not known at all', () => {
  const affinity = new Affinity()
  affinity.remember(prefixesOf(ROOT, textBody('x'.repeat(5000))), 'one')
  assert.equal(affinity.find(prefixesOf(ROOT, textBody('x'.repeat(4500)))), 'one')
  assert.deepEqual(prefixesOf(ROOT, textBody('short')), [])
  assert.deepEqual(prefixesOf(ROOT, { kind: 'embed' }), [])
})

test('no more prefixes are kept than the bound, the oldest go first', () => {
  const affinity = new Affinity(3)
  for (const word of ['a', 'b', 'c', 'd']) affinity.remember(prefixesOf(ROOT, chat(word)), word)
  assert.equal(affinity.size, 3)
  assert.equal(affinity.find(prefixesOf(ROOT, chat('a'))), null)
  assert.equal(affinity.find(prefixesOf(ROOT, chat('d'))), 'd')
})
