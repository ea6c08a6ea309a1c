/** Terms, receipts and signatures in the pure rules of both ends, against a peer that says them at any moment. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { arrived, stepIncoming } from '../../swarm/session/incoming.js'
import type { Incoming, IncomingEvent } from '../../swarm/session/incoming.js'
import { LATE_TICKS, asked, stepOutgoing } from '../../swarm/session/outgoing.js'
import type { Outgoing, OutgoingEvent } from '../../swarm/session/outgoing.js'

const payments = fc.constantFrom('free' as const, 'paid' as const)
const kinds = fc.constantFrom('queued' as const, 'prefill' as const, 'decoding' as const)

const fromProvider = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('accepted' as const, 'frame' as const, 'terms' as const) },
  { weight: 1, arbitrary: fc.constantFrom('done' as const, 'failed' as const, 'cancel' as const, 'refused' as const) },
  { weight: 2, arbitrary: fc.constantFrom('receipt' as const, 'tick' as const) },
  { weight: 2, arbitrary: kinds },
)

type Told = typeof fromProvider extends fc.Arbitrary<infer T> ? T : never

function told(what: Told, { sequence, index }: Outgoing): OutgoingEvent {
  switch (what) {
    case 'queued':
    case 'prefill':
    case 'decoding':
      return { type: 'progress', kind: what }
    case 'frame':
      return { type: 'frame', kind: 'generate', sequence, index, count: 1, cost: 1, text: 0 }
    case 'done':
      return { type: 'done', sequence }
    default:
      return { type: what }
  }
}

test('a consumer hears terms once, of a paid ask, after it was accepted and before any work; anything else is a violation', () => {
  fc.assert(
    fc.property(payments, fc.array(fromProvider, { maxLength: 12 }), (payment, script) => {
      let state = asked('generate', 0, 100, 100, payment)
      let [terms, worked] = [0, false]
      for (const what of script) {
        const before = state
        const step = stepOutgoing(state, told(what, state))
        state = step.state
        if (what === 'terms' && before.phase !== 'ended') {
          const right = payment === 'paid' && before.phase === 'answering' && terms === 0 && !worked
          assert.equal(step.violation === null, right)
          assert.equal(step.act, right ? 'deliver' : 'end')
          terms++
        }
        worked ||= what === 'frame' || what === 'prefill' || what === 'decoding'
      }
    }),
    { numRuns: 3000 },
  )
})

test('a consumer takes one receipt, of an ask that ended by failure or cancel, within ten seconds', () => {
  fc.assert(
    fc.property(fc.array(fromProvider, { maxLength: 30 }), (script) => {
      let state = asked('generate', 0, 100, 100, 'paid')
      let [due, had] = [false, false]
      for (const what of script) {
        const before = state
        const step = stepOutgoing(state, told(what, state))
        state = step.state
        if (before.phase !== 'ended') {
          due = state.phase === 'ended' && step.violation === null && (what === 'failed' || what === 'cancel')
        }
        if (what !== 'receipt') continue
        const right = before.phase === 'ended' && due && !had
        assert.equal(step.violation === null, right)
        if (right) assert.equal(step.act, 'deliver')
        had ||= right
      }
    }),
    { numRuns: 3000 },
  )
  let state = stepOutgoing(asked('generate', 0, 100, 100, 'paid'), { type: 'cancel' }).state
  for (let ticks = 1; ticks < LATE_TICKS; ticks++) {
    const step = stepOutgoing(state, { type: 'tick' })
    assert.equal(step.act, 'none')
    state = step.state
  }
  assert.equal(stepOutgoing(state, { type: 'tick' }).act, 'forget')
})

const atProvider = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('frame' as const, 'terms' as const, 'tick' as const) },
  { weight: 2, arbitrary: fc.constantFrom('receipt' as const, 'countersign' as const) },
  { weight: 1, arbitrary: fc.constantFrom('done' as const, 'done with' as const, 'fail' as const, 'refuse' as const) },
  { weight: 1, arbitrary: fc.nat({ max: 6 }) },
  { weight: 2, arbitrary: kinds },
)

type Happening = typeof atProvider extends fc.Arbitrary<infer T> ? T : never

/** A number is a cancel that claims to have taken so many. */
function happens(what: Happening): IncomingEvent {
  if (typeof what === 'number') return { type: 'cancel', taken: what }
  switch (what) {
    case 'queued':
    case 'prefill':
    case 'decoding':
      return { type: 'progress', kind: what }
    case 'frame':
      return { type: 'frame', count: 2, cost: 1 }
    case 'tick':
      return { type: 'tick', waiting: false }
    case 'done':
      return { type: 'done', receipt: 'none' }
    case 'done with':
      return { type: 'done', receipt: 'with' }
    default:
      return { type: what }
  }
}

test('a provider says terms at most once and before any work, and one receipt at most, never without output or a done', () => {
  fc.assert(
    fc.property(payments, fc.array(atProvider, { maxLength: 20 }), (payment, script) => {
      let state = arrived(100, payment)
      let [terms, receipts, signatures, worked] = [0, 0, 0, false]
      for (const what of script) {
        const before = state
        const { state: next, act, violation } = stepIncoming(state, happens(what))
        state = next
        const sent = act === 'send' || act === 'accept-and-send'
        if (what === 'terms' && sent) {
          terms++
          assert.ok(payment === 'paid' && !worked)
        }
        if (what === 'receipt' && sent) assert.ok(before.phase === 'ended' && before.delivered > 0)
        if ((what === 'receipt' || what === 'done with') && sent) receipts++
        if (what === 'countersign') {
          assert.equal(violation === null, before.phase === 'ended' && before.receipt === 'sent')
          if (act === 'signed') signatures++
        }
        if (typeof what === 'number' && before.phase !== 'ended') {
          assert.equal(violation === null, what <= before.delivered)
        }
        worked ||= sent && (what === 'frame' || what === 'prefill' || what === 'decoding')
        if (before.phase === 'ended') assert.equal(next.phase, 'ended')
      }
      assert.ok(terms <= 1 && receipts <= 1 && signatures <= receipts)
    }),
    { numRuns: 3000 },
  )
})

test('the ten seconds for a signature count from the receipt', () => {
  const forgottenAfter = (start: Incoming): number => {
    let state = start
    for (let ticks = 1; ; ticks++) {
      const step = stepIncoming(state, { type: 'tick', waiting: false })
      if (step.act === 'forget') return ticks
      state = step.state
    }
  }
  let state = stepIncoming(arrived(9), { type: 'frame', count: 1, cost: 1 }).state
  state = stepIncoming(state, { type: 'cancel', taken: 1 }).state
  assert.equal(forgottenAfter(state), LATE_TICKS)
  for (let i = 0; i < 5; i++) state = stepIncoming(state, { type: 'tick', waiting: false }).state
  state = stepIncoming(state, { type: 'receipt' }).state
  assert.equal(forgottenAfter(state), LATE_TICKS)
})
