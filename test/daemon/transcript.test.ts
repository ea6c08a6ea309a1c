import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Transcript } from '../../daemon/payment/transcript.js'

const piece = fc.record({
  channel: fc.constantFrom('text' as const, 'thought' as const),
  tokens: fc.array(fc.nat(9), { maxLength: 3 }),
  text: fc.string({ maxLength: 3 }),
})

test('both sides put the same bytes together from the same pieces, however they keep them', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const [received, sent] = [new Transcript('generate', 'none'), new Transcript('generate')]
      for (const one of pieces) for (const side of [received, sent]) side.add(one, 5)
      assert.equal(received.count, sent.count)
      assert.deepEqual(received.upTo(received.count, 'stop', null), sent.upTo(sent.count, 'stop', null))
    }),
  )
})

test('a part of what was sent ends before a piece that it would break', () => {
  const sent = new Transcript('generate')
  sent.add({ channel: 'text', tokens: [1], text: 'one ' }, 5)
  sent.add({ channel: 'text', tokens: [2, 3], text: 'two three' }, 6)
  const part = sent.upTo(2, 'cancelled', null)
  assert.ok(part.kind === 'generate')
  assert.deepEqual([part.tokens, part.text, sent.firstAt], [[1, 2], 'one ', 5])
})

test('what was sent is not changed by what the engine does with its pieces later', () => {
  const tokens = [1]
  const sent = new Transcript('generate')
  sent.add({ channel: 'text', tokens, text: 'one' }, 5)
  tokens.push(2)
  const whole = sent.upTo(1, 'stop', null)
  assert.ok(whole.kind === 'generate')
  assert.deepEqual(whole.tokens, [1])
})
