/** The pure rules of both ends of an ask, against each other over a pipe, and alone against a peer that lies. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { arrived, stepIncoming } from '../../swarm/session/incoming.js'
import type { Incoming } from '../../swarm/session/incoming.js'
import { LEASE_TICKS, asked, frameCost, stepOutgoing, MAX_TEXT_BYTES } from '../../swarm/session/outgoing.js'
import type { Outgoing, OutgoingEvent } from '../../swarm/session/outgoing.js'
import { LIMIT, MAX_COST, Pair, WINDOW } from '../helpers/ask-pair.js'

const steps = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('frame' as const),
      count: fc.nat({ max: 4 }),
      cost: fc.integer({ min: 1, max: MAX_COST }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('deliver' as const, 'reply' as const, 'read' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('progress' as const, 'queued' as const, 'terms' as const, 'tick' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'accept' as const,
        'done' as const,
        'fail' as const,
        'refuse' as const,
        'cancel' as const,
        'receipt' as const,
      ),
    }),
  },
)

type Step = typeof steps extends fc.Arbitrary<infer T> ? T : never

function run(pair: Pair, step: Step): void {
  if (step.do === 'frame') return pair.frame(step.count, Math.max(step.cost, step.count))
  if (step.do === 'deliver') return pair.deliver()
  if (step.do === 'reply') return pair.reply()
  if (step.do === 'read') return pair.read()
  if (step.do === 'tick') return pair.tick()
  if (step.do === 'cancel') return pair.cancel()
  if (step.do === 'progress' || step.do === 'queued') {
    const kind = step.do === 'queued' ? 'queued' : 'prefill'
    return void pair.produce({ type: 'progress', kind }, { type: 'progress', kind })
  }
  if (step.do === 'terms') return void pair.produce({ type: 'terms' }, { type: 'terms' })
  if (step.do === 'receipt') return void pair.produce({ type: 'receipt' }, { type: 'receipt' })
  if (step.do === 'accept') return void pair.produce({ type: 'accept' }, { type: 'accepted' })
  if (step.do === 'refuse') return void pair.produce({ type: 'refuse' }, { type: 'refused' })
  if (step.do === 'fail') return void pair.produce({ type: 'fail' }, { type: 'failed' })
  pair.done()
}

test('two honest ends agree in every order of events: nothing is violated, and each ask ends at most once', () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 120 }), (script) => {
      const pair = new Pair()
      for (const step of script) {
        run(pair, step)
        const waiting = pair.unread.reduce((sum, { cost }) => sum + cost, 0)
        assert.ok(waiting <= WINDOW + MAX_COST, `a slow reader holds ${waiting}, more than its window and one frame`)
        assert.ok(pair.deliveries <= pair.produced)
        assert.ok(pair.ends <= 1, 'ended twice')
        assert.ok(pair.terms <= 1, 'terms twice')
        assert.ok(pair.receipts <= 1, 'two receipts')
        assert.ok(pair.signatures <= 1, 'two signatures')
        assert.equal(pair.provider.delivered, pair.produced)
        assert.ok(pair.consumer.read <= pair.provider.delivered, 'took more than was sent')
      }
    }),
    { numRuns: 2000 },
  )
})

test('whatever happened before, a reader that reads gets the end of the answer', () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 60 }), (script) => {
      const pair = new Pair()
      for (const step of script) run(pair, step)
      for (let turn = 0; turn < 200 && pair.ends === 0; turn++) {
        if (pair.produced < LIMIT) pair.frame(1, 1)
        else pair.done()
        pair.deliver()
        pair.read()
        pair.reply()
      }
      while (pair.toConsumer.length > 0) pair.deliver()
      assert.equal(pair.ends, 1)
      assert.equal(pair.consumer.phase, 'ended')
    }),
    { numRuns: 1000 },
  )
})

/** Mostly the right thing, so that a lie is told deep inside a conversation; `off` is added to what would be right. */
const off = fc.oneof(
  { weight: 9, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: -1, max: 2 }) },
)
const lies = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('frame' as const),
      off: fc.tuple(off, off, off),
      count: fc.nat({ max: 3 }),
      cost: fc.nat({ max: 3 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('taken' as const), cost: fc.nat({ max: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('accepted' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('done' as const), off }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'refused' as const,
        'progress' as const,
        'failed' as const,
        'tick' as const,
        'cancel' as const,
      ),
    }),
  },
)

type Lie = typeof lies extends fc.Arbitrary<infer T> ? T : never

function tell(lie: Lie, state: Outgoing): OutgoingEvent {
  if (lie.do === 'taken') return { type: 'taken', cost: lie.cost, count: 0 }
  if (lie.do === 'progress') return { type: 'progress', kind: 'decoding' }
  if (lie.do === 'done') return { type: 'done', sequence: state.sequence + lie.off }
  if (lie.do !== 'frame') return { type: lie.do }
  const [sequence, index, kind] = lie.off
  return {
    type: 'frame',
    kind: kind === 0 ? 'generate' : 'embed',
    sequence: state.sequence + sequence,
    index: state.index + index,
    count: lie.count,
    cost: Math.max(1, lie.count, lie.cost),
    text: 0,
  }
}

const isQuiet = (act: string): boolean => act === 'ignore' || act === 'none' || act === 'forget'

test('against a lying provider the consumer delivers only what fits, in order, within limit and credit', () => {
  const limit = 8
  const window = 4
  fc.assert(
    fc.property(fc.array(lies, { maxLength: 40 }), (script) => {
      let state = asked('generate', 0, limit, window)
      let [index, sequence, granted, spent] = [0, 0, window, 0]
      for (const lie of script) {
        const event = tell(lie, state)
        const before = state
        const { state: next, act, grant, violation } = stepOutgoing(state, event)
        state = next
        granted += grant
        if (before.phase === 'ended') assert.ok(isQuiet(act), 'something happened after the end')
        if (violation !== null) assert.equal(next.phase, 'ended')
        if (act !== 'deliver' || event.type !== 'frame') continue
        assert.equal(before.phase, 'answering')
        assert.equal(event.kind, 'generate')
        assert.equal(event.index, index)
        assert.equal(event.sequence, sequence)
        assert.ok(spent < granted, 'delivered without credit')
        index += event.count
        sequence++
        spent += event.cost
        assert.ok(index <= limit, 'delivered more than was asked for')
      }
    }),
    { numRuns: 5000 },
  )
})

test('the lease runs out after five seconds without a frame, and any frame renews it', () => {
  const silent = (start: Outgoing): number => {
    let state = start
    for (let ticks = 1; ; ticks++) {
      const step = stepOutgoing(state, { type: 'tick' })
      if (step.act === 'lost') return ticks
      state = step.state
    }
  }
  const fresh = asked('generate', 0, Infinity, WINDOW)
  assert.equal(silent(fresh), LEASE_TICKS)
  let state = fresh
  for (let i = 0; i < LEASE_TICKS - 1; i++) state = stepOutgoing(state, { type: 'tick' }).state
  assert.equal(silent(stepOutgoing(state, { type: 'progress', kind: 'queued' }).state), LEASE_TICKS)
})

test('a provider that has nothing to say says so at every tick, and one that just spoke does not', () => {
  const { state, act } = stepIncoming(arrived(1), { type: 'tick', waiting: false })
  assert.equal(act, 'renew')
  const spoke = stepIncoming(state, { type: 'progress', kind: 'queued' }).state
  assert.equal(stepIncoming(spoke, { type: 'tick', waiting: false }).act, 'none')
})

test('a reader that takes nothing loses its place after two minutes, and any credit renews it', () => {
  const stalledAfter = (start: Incoming): number => {
    let state = start
    for (let ticks = 1; ticks < 10_000; ticks++) {
      const step = stepIncoming(state, { type: 'tick', waiting: true })
      if (step.act === 'stalled') return ticks
      state = step.state
    }
    return Infinity
  }
  assert.equal(stalledAfter(arrived(0)), 240)
  let state = arrived(0)
  for (let i = 0; i < 239; i++) state = stepIncoming(state, { type: 'tick', waiting: true }).state
  assert.equal(stalledAfter(stepIncoming(state, { type: 'credit', more: 1, limit: 9 }).state), 240)
})

test('credit over its limit is a violation, so that a peer cannot promise to read what it will not', () => {
  const { violation, act } = stepIncoming(arrived(5), { type: 'credit', more: 5, limit: 9 })
  assert.equal(act, 'abort')
  assert.notEqual(violation, null)
})

test('an embedding is not done before its last vector', () => {
  let state = asked('embed', 0, 2, WINDOW)
  state = stepOutgoing(state, { type: 'accepted' }).state
  state = stepOutgoing(state, { type: 'frame', kind: 'embed', sequence: 0, index: 0, count: 1, cost: 1, text: 0 }).state
  assert.notEqual(stepOutgoing(state, { type: 'done', sequence: 1 }).violation, null)
  state = stepOutgoing(state, { type: 'frame', kind: 'embed', sequence: 1, index: 1, count: 1, cost: 1, text: 0 }).state
  assert.equal(stepOutgoing(state, { type: 'done', sequence: 2 }).act, 'end')
})

test('an answer has so much text and no more, however few tokens it comes with', () => {
  let state = stepOutgoing(asked('generate', 0, 9, WINDOW), { type: 'accepted' }).state
  const frame = { type: 'frame', kind: 'generate', sequence: 0, index: 0, count: 0, cost: 1 } as const
  state = stepOutgoing(state, { ...frame, text: MAX_TEXT_BYTES - 1 }).state
  assert.equal(stepOutgoing(state, { ...frame, sequence: 1, text: 2 }).violation, 'more text than an answer can have')
  assert.equal(stepOutgoing(state, { ...frame, sequence: 1, text: 1 }).act, 'deliver')
})

test('long text costs as much credit as its bytes, so that one token cannot carry a book', () => {
  assert.equal(frameCost(1, 40), 1)
  assert.equal(frameCost(256, 2000), 256)
  assert.equal(frameCost(1, 65_536), 128)
  assert.equal(frameCost(0, 0), 1)
})
