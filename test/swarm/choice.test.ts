import assert from 'node:assert/strict'
import { test } from 'node:test'
import b4a from 'b4a'
import fc from 'fast-check'
import { choose } from '../../swarm/choice.js'
import type { Exclusion, RouteRequest } from '../../swarm/choice.js'
import { UNKNOWN } from '../../swarm/history.js'
import type { ProviderRecord } from '../../swarm/history.js'
import type { Offer } from '../../swarm/port.js'
import { NOW, ROOT, nodeHex, offer, priced, routeRequest } from '../helpers/offers.js'

const records = (byNode: Readonly<Record<number, Partial<ProviderRecord>>>) => (one: Offer) => ({
  ...UNKNOWN,
  ...byNode[one.nodeKey[0] ?? 0],
})
const nobody = records({})
/** Draws the first of the best, twice. */
const first = (): number => 0

function chosen(request: Partial<RouteRequest>, offers: readonly Offer[], history = nobody): number | null {
  return choose(routeRequest(request), offers, history, NOW, first).chosen?.nodeKey[0] ?? null
}

const EXCLUSIONS: readonly [string, Exclusion, Partial<RouteRequest>, Partial<Offer>, Partial<ProviderRecord>][] = [
  ['another model', 'OTHER_MODEL', {}, { modelRoot: new Uint8Array(32) }, {}],
  ['an expired offer', 'EXPIRED', {}, { expires: NOW }, {}],
  ['a provider outside the allow list', 'NOT_ALLOWED', { only: [nodeHex(9)] }, {}, {}],
  ['an ignored provider', 'IGNORED', { ignore: [nodeHex(2)] }, {}, {}],
  ['a provider tried already', 'TRIED', { tried: [nodeHex(2)] }, {}, {}],
  ['a missing feature', 'FEATURE_MISSING', { features: ['embeddings'] }, {}, {}],
  ['a prompt that fills the context', 'CONTEXT_TOO_SMALL', { promptTokens: 4096 }, {}, {}],
  ['an input price above the ceiling', 'PRICE_TOO_HIGH', { maxPrice: { input: 9n, output: null } }, priced(10, 0), {}],
  ['an output price above the ceiling', 'PRICE_TOO_HIGH', { maxPrice: { input: null, output: 9n } }, priced(0, 10), {}],
  ['too few completed requests', 'TOO_FEW_COMPLETED', { minCompleted: 3 }, {}, { successes: 2 }],
  ['a poor record', 'TOO_UNRELIABLE', { minReliability: 0.5 }, {}, { successes: 1, failures: 4 }],
  ['failures in a row', 'UNHEALTHY', {}, {}, { failedInRow: 2, lastFailure: NOW - 3999 }],
  ['a retry-after that has not passed', 'BUSY', {}, {}, { busyUntil: NOW + 1 }],
]

for (const [what, reason, request, over, record] of EXCLUSIONS) {
  test(`${what} leaves a provider out, with the reason ${reason}`, () => {
    const route = choose(routeRequest(request), [offer(2, over)], records({ 2: record }), NOW, first)
    assert.deepEqual(
      route.excluded.map((one) => one.reason),
      [reason],
    )
    assert.equal(route.chosen, null)
  })
}

test('limits are inclusive: what just fits is chosen', () => {
  assert.equal(chosen({ promptTokens: 4095 }, [offer(2)]), 2)
  assert.equal(chosen({ maxPrice: { input: 10n, output: 10n } }, [offer(2, priced(10, 10))]), 2)
  assert.equal(chosen({ minCompleted: 3 }, [offer(2)], records({ 2: { successes: 3 } })), 2)
  assert.equal(chosen({}, [offer(2)], records({ 2: { failedInRow: 2, lastFailure: NOW - 4000 } })), 2)
  assert.equal(chosen({}, [offer(2)], records({ 2: { busyUntil: NOW } })), 2)
})

test('when all are busy the answer says how long the soonest is', () => {
  const route = choose(
    routeRequest(),
    [offer(1), offer(2)],
    records({ 1: { busyUntil: NOW + 900 }, 2: { busyUntil: NOW + 300 } }),
    NOW,
    first,
  )
  assert.equal(route.retryAfterMs, 300)
})

test('a provider that rests after failures says when it will be asked again', () => {
  const record = { failedInRow: 2, lastFailure: NOW - 3000 }
  const route = choose(routeRequest(), [offer(2)], records({ 2: record }), NOW, first)
  assert.equal(route.chosen, null)
  assert.equal(route.retryAfterMs, 1000)
})

test('the caller may sort by price, by latency or by throughput, and order by name', () => {
  const offers = [offer(1, priced(9, 9)), offer(2, priced(5, 5)), offer(3, priced(7, 7))]
  const measured = records({
    1: { ttftMs: 10, tokensPerSecond: 20 },
    2: { ttftMs: 300, tokensPerSecond: 30 },
    3: { ttftMs: 200, tokensPerSecond: 90 },
  })
  assert.equal(chosen({ sort: 'price' }, offers, measured), 2)
  assert.equal(chosen({ sort: 'latency' }, offers, measured), 1)
  assert.equal(chosen({ sort: 'throughput' }, offers, measured), 3)
  assert.equal(chosen({ order: [nodeHex(3), nodeHex(1)] }, offers, measured), 3)
  assert.equal(chosen({ order: [nodeHex(3), nodeHex(1)], ignore: [nodeHex(3)] }, offers, measured), 1)
})

test('a prompt that is cached somewhere goes there, unless that provider is much slower', () => {
  const offers = [offer(1), offer(2)]
  const alike = records({ 1: { ttftMs: 500, tokensPerSecond: 50 }, 2: { ttftMs: 500, tokensPerSecond: 50 } })
  assert.equal(
    choose(routeRequest({ cachedAt: nodeHex(2), outputTokens: 1 }), offers, alike, NOW, first).chosen?.nodeKey[0],
    2,
  )
  const slow = records({ 1: { ttftMs: 500, tokensPerSecond: 50 }, 2: { ttftMs: 500, tokensPerSecond: 5 } })
  assert.equal(chosen({ cachedAt: nodeHex(2) }, offers, slow), 1)
})

test('an absurd price ranks last and breaks nothing', () => {
  const absurd = offer(1, priced(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER))
  const route = choose(routeRequest({ promptTokens: 4000 }), [absurd, offer(2, priced(1, 1))], nobody, NOW, first)
  assert.deepEqual(
    route.candidates.map((one) => one.offer.nodeKey[0]),
    [2, 1],
  )
})

test('equal providers share the load: of a thousand draws none gets nothing or nearly all', () => {
  let seed = 1
  const random = (): number => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed / 2_147_483_647
  }
  const counts = new Map<number, number>()
  for (let i = 0; i < 1000; i++) {
    const node =
      choose(
        routeRequest(),
        [1, 2, 3, 4].map((n) => offer(n)),
        nobody,
        NOW,
        random,
      ).chosen?.nodeKey[0] ?? 0
    counts.set(node, (counts.get(node) ?? 0) + 1)
  }
  assert.equal(counts.size, 4)
  for (const count of counts.values()) assert.ok(count > 150 && count < 400, `${count} of 1000`)
})

test('of the two drawn the better one is taken, whichever was drawn first', () => {
  const offers = [offer(1), offer(2), offer(3)]
  const graded = records({ 1: { ttftMs: 100 }, 2: { ttftMs: 200 }, 3: { ttftMs: 300 } })
  const drawing = (...draws: readonly number[]): number | null => {
    const left = [...draws]
    return choose(routeRequest(), offers, graded, NOW, () => left.shift() ?? 0).chosen?.nodeKey[0] ?? null
  }
  assert.equal(drawing(0, 0.99), 1)
  assert.equal(drawing(0.99, 0), 1)
  assert.equal(drawing(0.99, 0.99), 2)
  assert.equal(drawing(0.5, 0.99), 2)
})

const small = fc.nat({ max: 3 })
const record: fc.Arbitrary<ProviderRecord> = fc.record({
  ttftMs: fc.option(fc.constantFrom(1, 100, 900)),
  tokensPerSecond: fc.option(fc.constantFrom(1, 40, 200)),
  successes: small,
  failures: small,
  refusals: small,
  failedInRow: small,
  active: small,
  queue: small,
  busyUntil: fc.constantFrom(0, NOW - 1, NOW, NOW + 1),
  lastFailure: fc.constantFrom(0, NOW - 4001, NOW - 4000, NOW - 3999, NOW),
  lastSeen: fc.constant(0),
})
const world = fc.record({
  nodes: fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 6 }),
  prices: fc.array(fc.tuple(small, small), { minLength: 7, maxLength: 7 }),
  records: fc.array(record, { minLength: 7, maxLength: 7 }),
  sort: fc.constantFrom<RouteRequest['sort']>(null, null, 'price', 'latency', 'throughput'),
  maxPrice: fc.record({
    input: fc.option(fc.constantFrom(0n, 1n, 2n)),
    output: fc.option(fc.constantFrom(0n, 1n, 2n)),
  }),
  ignore: fc.subarray([1, 2, 3]),
  order: fc.subarray([4, 5]),
  draws: fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 2, maxLength: 2 }),
})

function play(w: typeof world extends fc.Arbitrary<infer T> ? T : never, nodes = w.nodes): ReturnType<typeof choose> {
  const offers = nodes.map((n) => offer(n, priced(...(w.prices[n] ?? [0, 0]))))
  const history = (one: Offer): ProviderRecord => w.records[one.nodeKey[0] ?? 0] ?? UNKNOWN
  const request = routeRequest({
    sort: w.sort,
    maxPrice: w.maxPrice,
    ignore: w.ignore.map(nodeHex),
    order: w.order.map(nodeHex),
  })
  let draw = 0
  return choose(request, offers, history, NOW, () => w.draws[draw++] ?? 0)
}

const ascending = (a: number, b: number): number => a - b
const keys = (offers: readonly Offer[]): number[] => offers.map((one) => one.nodeKey[0] ?? 0)

test('every offer is a candidate or left out, never both, and the chosen one is among the best', () => {
  fc.assert(
    fc.property(world, (w) => {
      const route = play(w)
      const all = [...keys(route.candidates.map((one) => one.offer)), ...keys(route.excluded.map((one) => one.offer))]
      assert.deepEqual(all.sort(ascending), [...w.nodes].sort(ascending))
      assert.equal(route.chosen === null, route.candidates.length === 0)
      const [top] = route.candidates
      const picked = route.candidates.find((one) => one.offer === route.chosen)
      if (!top || !picked) return
      if (w.sort !== null || w.order.length > 0) assert.equal(picked, top)
      else assert.ok(picked.score <= top.score * 1.5)
    }),
    { numRuns: 2000 },
  )
})

test('the order in which offers are known changes nothing in the ranking', () => {
  fc.assert(
    fc.property(world, (w) => {
      const [one, two] = [play(w), play(w, [...w.nodes].reverse())]
      assert.deepEqual(keys(one.candidates.map((c) => c.offer)), keys(two.candidates.map((c) => c.offer)))
      assert.deepEqual(
        one.chosen && b4a.toString(one.chosen.nodeKey, 'hex'),
        two.chosen && b4a.toString(two.chosen.nodeKey, 'hex'),
      )
    }),
    { numRuns: 1000 },
  )
})

test('no provider gains by being dearer, slower, fuller or less reliable', () => {
  const worse: readonly [string, Partial<ProviderRecord>, Partial<Offer>][] = [
    ['dearer', {}, priced(50, 50)],
    ['slower to start', { ttftMs: 500 }, {}],
    ['slower', { tokensPerSecond: 5 }, {}],
    ['fuller', { queue: 3 }, {}],
    ['busier with us', { active: 9 }, {}],
    ['less reliable', { failures: 5 }, {}],
  ]
  const base = { ttftMs: 100, tokensPerSecond: 50, successes: 10 }
  for (const [how, record, over] of worse) {
    const offers = [offer(1, { ...priced(10, 10), ...over }), offer(2, priced(10, 10))]
    const route = choose(routeRequest(), offers, records({ 1: { ...base, ...record }, 2: base }), NOW, first)
    assert.deepEqual(keys(route.candidates.map((one) => one.offer)), [2, 1], how)
  }
  assert.equal(b4a.equals(ROOT, offer(1).modelRoot), true)
})
