import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SwarmError } from '../../swarm/errors.js'
import { Doubts, MAX_DOUBTS } from '../../swarm/offers/doubts.js'
import { Allowance } from '../../swarm/session/allowance.js'
import { BAN_MS, MAX_RECORDS, STRIKE_MS, isBanned, strike, strikesOf } from '../../swarm/session/bans.js'
import type { Bans } from '../../swarm/session/bans.js'
import { take } from '../../swarm/session/rate.js'
import { lobbyProbability } from '../../swarm/topics.js'

test('a rate lets a burst through at once, then one per interval', () => {
  const rate = { perSecond: 10, burst: 3 }
  let state = 0
  const allowed: boolean[] = []
  for (const now of [1000, 1000, 1000, 1000, 1099, 1100, 1100]) {
    const next = take(rate, state, now)
    state = next.state
    allowed.push(next.retryAfterMs === null)
  }
  assert.deepEqual(allowed, [true, true, true, false, false, true, false])
})

test('a fine rate is exact at the clock of today', () => {
  const rate = { perSecond: 20_000, burst: 2000 }
  let state = 0
  for (let i = 0; i < 2000; i++) {
    const next = take(rate, state, 1_795_000_000_000)
    assert.equal(next.retryAfterMs, null)
    state = next.state
  }
  assert.equal(take(rate, state, 1_795_000_000_000).retryAfterMs, 1)
})

test('in any span of time no more pass than the burst and the rate allow, and a retry-after is honest', () => {
  const rate = { perSecond: 4, burst: 2 }
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 400 }), { maxLength: 60 }), (gaps) => {
      let [state, now] = [0, 10_000]
      const passed: number[] = []
      for (const gap of gaps) {
        now += gap
        const next = take(rate, state, now)
        if (next.retryAfterMs === null) passed.push(now)
        else assert.equal(take(rate, next.state, now + next.retryAfterMs).retryAfterMs, null)
        state = next.state
      }
      for (const [i, from] of passed.entries()) {
        for (const [j, to] of passed.entries()) {
          if (j < i) continue
          assert.ok(j - i + 1 <= rate.burst + ((to - from) * rate.perSecond) / 1000 + 1e-6)
        }
      }
    }),
  )
})

test('three strikes within the hour ban, for an hour', () => {
  let bans: Bans = new Map()
  bans = strike(bans, 'a', 0)
  bans = strike(bans, 'a', 1)
  assert.equal(isBanned(bans, 'a', 2), false)
  bans = strike(bans, 'a', 2)
  assert.equal(isBanned(bans, 'a', 3), true)
  assert.equal(isBanned(bans, 'b', 3), false)
  assert.equal(isBanned(bans, 'a', 2 + BAN_MS - 1), true)
  assert.equal(isBanned(bans, 'a', 2 + BAN_MS), false)
})

test('strikes are forgiven after an hour without one', () => {
  let bans: Bans = new Map()
  bans = strike(bans, 'a', 0)
  bans = strike(bans, 'a', 1)
  assert.equal(strikesOf(bans, 'a', 1 + STRIKE_MS), 0)
  bans = strike(bans, 'a', 1 + STRIKE_MS)
  assert.equal(strikesOf(bans, 'a', 1 + STRIKE_MS), 1)
})

test('the list of strikes is bounded, the oldest go first', () => {
  let bans: Bans = new Map()
  for (let i = 0; i <= MAX_RECORDS; i++) bans = strike(bans, `peer ${i}`, i)
  assert.equal(bans.size, MAX_RECORDS)
  assert.equal(strikesOf(bans, 'peer 0', MAX_RECORDS), 0)
  assert.equal(strikesOf(bans, `peer ${MAX_RECORDS}`, MAX_RECORDS), 1)
})

test('messages for no request are endured for a while, then they are a flood', () => {
  const allowance = new Allowance(() => 5)
  for (let i = 0; i < 2000; i++) allowance.stray()
  assert.throws(() => allowance.stray(), { code: 'FLOODED' })
})

test('everybody announces in a small lobby, one in a hundred in one a hundred times too large', () => {
  assert.equal(lobbyProbability(0), 1)
  assert.equal(lobbyProbability(256), 1)
  assert.equal(lobbyProbability(25_600), 0.01)
})

test('a refusal keeps a code this version knows, and one it does not know becomes a message', () => {
  const known = SwarmError.refused('BUSY', 'full', 300)
  assert.deepEqual([known.code, known.message, known.retryAfterMs], ['BUSY', 'full', 300])
  const unknown = SwarmError.refused('MOON_PHASE', 'wait')
  assert.deepEqual([unknown.code, unknown.message], ['REFUSED', 'MOON_PHASE: wait'])
  assert.equal(SwarmError.refused('toString', '').code, 'REFUSED')
})

test('a node that vanishes is doubted for five seconds, then for twice as long each time, until it is heard from', () => {
  let now = 0
  const doubts = new Doubts(() => now)
  const node = new Uint8Array(32).fill(1)
  const lasts: (number | null)[] = []
  for (let i = 0; i < 6; i++) {
    const ms = doubts.doubt(node)
    lasts.push(ms)
    assert.equal(doubts.doubt(node), null, 'one failure, two witnesses')
    now += (ms ?? 0) - 1
    assert.equal(doubts.has(node), true)
    now += 1
    assert.equal(doubts.has(node), false)
  }
  assert.deepEqual(lasts, [5000, 10_000, 20_000, 40_000, 80_000, 80_000])
  assert.equal(doubts.trust(node), false)
  doubts.doubt(node)
  assert.equal(doubts.trust(node), true)
  assert.equal(doubts.doubt(node), 5000)
})

test('no more nodes are doubted than the bound, the oldest are trusted again', () => {
  const doubts = new Doubts(() => 1)
  for (let i = 0; i <= MAX_DOUBTS; i++) doubts.doubt(Uint8Array.of(i, i >> 8))
  assert.equal(doubts.size, MAX_DOUBTS)
  assert.equal(doubts.has(Uint8Array.of(0, 0)), false)
})
