import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { IDLE_MS, WARM, surplus } from '../../swarm/warmth.js'

const NOW = 1_000_000_000
const long = NOW - IDLE_MS

test('two sessions of each model stay warm, the last used ones, and the rest is closed', () => {
  const sessions = [
    { key: 'oldest', models: ['m'], idleSince: long - 3 },
    { key: 'older', models: ['m'], idleSince: long - 2 },
    { key: 'newer', models: ['m'], idleSince: long - 1 },
    { key: 'newest', models: ['m'], idleSince: long },
  ]
  assert.deepEqual(surplus(sessions, NOW), ['oldest', 'older'])
})

test('who serves another model too stays warm for that', () => {
  const sessions = [
    { key: 'a', models: ['m', 'n'], idleSince: long - 9 },
    { key: 'b', models: ['m'], idleSince: long - 1 },
    { key: 'c', models: ['m'], idleSince: long },
  ]
  assert.deepEqual(surplus(sessions, NOW), [])
})

test('nothing in use or lately used is closed, and every model keeps what it had, up to two', () => {
  const session = fc.record({
    models: fc.subarray(['m', 'n']),
    idleSince: fc.option(fc.constantFrom(long - 1, long, long + 1)),
  })
  fc.assert(
    fc.property(fc.array(session, { maxLength: 8 }), (list) => {
      const sessions = list.map((one, i) => ({ ...one, key: String(i) }))
      const closed = new Set(surplus(sessions, NOW))
      for (const { key, idleSince } of sessions) {
        if (idleSince === null || idleSince > long) assert.equal(closed.has(key), false)
      }
      for (const model of ['m', 'n']) {
        const serving = sessions.filter(({ models }) => models.includes(model))
        const left = serving.filter(({ key }) => !closed.has(key))
        assert.ok(left.length >= Math.min(WARM, serving.length))
      }
    }),
  )
})
