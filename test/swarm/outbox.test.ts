import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Outbox } from '../../swarm/session/outbox.js'
import type { Draft } from '../../swarm/session/outbox.js'
import { encode } from '../../swarm/wire/codec.js'
import { frameMessage } from '../../swarm/wire/frame.js'

function drain(outbox: Outbox): readonly Draft[] {
  const drafts: Draft[] = []
  for (let draft = outbox.shift(); draft; draft = outbox.shift()) drafts.push(draft)
  return drafts
}

const piece = fc.record({
  count: fc.oneof(fc.nat({ max: 3 }), fc.constantFrom(255, 256, 257, 700)),
  channel: fc.constantFrom('text' as const, 'thought' as const),
  text: fc.oneof(fc.constantFrom('', 'a', 'ü', '🙂'), fc.constantFrom('🙂'.repeat(30_000), 'x'.repeat(70_000))),
  positions: fc.boolean(),
})

test('whatever goes in comes out, in order, in frames that fit', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const outbox = new Outbox()
      let index = 0
      const expected: { token: number; channel: string; position: boolean }[] = []
      for (const { count, channel, text, positions } of pieces) {
        const tokens = Array.from({ length: count }, (_, i) => index + i)
        const all = tokens.map((token) => ({ token, logprob: -1, bytes: new Uint8Array(256), top: [] }))
        outbox.push({ index, tokens, channel, text, positions: positions ? all : null })
        for (const token of tokens) expected.push({ token, channel, position: positions })
        index += count
      }
      assert.equal(outbox.count, index)
      const drafts = drain(outbox)
      assert.deepEqual([outbox.count, outbox.isEmpty], [0, true])
      let at = 0
      const got: typeof expected = []
      for (const { index: from, count, body } of drafts) {
        if (body.kind !== 'text') throw new Error('no vectors went in')
        assert.equal(from, at)
        assert.equal(count, body.tokens.length)
        at += count
        assert.ok(encode(frameMessage, body).byteLength <= frameMessage.maxBytes)
        for (const token of body.tokens) got.push({ token, channel: body.channel, position: body.positions !== null })
      }
      assert.deepEqual(got, expected)
      const joined = (channel: string): string =>
        drafts.map(({ body }) => (body.kind === 'text' && body.channel === channel ? body.text : '')).join('')
      for (const channel of ['text', 'thought']) {
        assert.equal(
          joined(channel),
          pieces
            .filter((one) => one.channel === channel)
            .map((one) => one.text)
            .join(''),
        )
      }
    }),
    { numRuns: 200 },
  )
})

test('single tokens of one turn become one frame', () => {
  const outbox = new Outbox()
  for (let index = 0; index < 5; index++) {
    outbox.push({ index, tokens: [index], channel: 'text', text: `${index}`, positions: null })
  }
  assert.deepEqual(drain(outbox), [
    {
      index: 0,
      count: 5,
      body: { kind: 'text', channel: 'text', tokens: [0, 1, 2, 3, 4], text: '01234', positions: null },
    },
  ])
})

test('it is full at a frame, so that a producer waits', () => {
  const outbox = new Outbox()
  outbox.push({
    index: 0,
    tokens: Array.from({ length: 255 }, (_, i) => i),
    channel: 'text',
    text: '',
    positions: null,
  })
  assert.equal(outbox.isFull, false)
  outbox.push({ index: 255, tokens: [255], channel: 'text', text: '', positions: null })
  assert.equal(outbox.isFull, true)
})

test('vectors of any size up to the limit travel, each whole', () => {
  const outbox = new Outbox()
  const vectors = [384, 32_768, 32_768, 3, 1].map((length, i) => new Float32Array(length).fill(i))
  outbox.pushVectors(0, vectors)
  const drafts = drain(outbox)
  let at = 0
  for (const { index, count, body } of drafts) {
    if (body.kind !== 'vectors') throw new Error('no text went in')
    assert.equal(index, at)
    assert.deepEqual(body.vectors, vectors.slice(at, at + count))
    assert.ok(encode(frameMessage, body).byteLength <= frameMessage.maxBytes)
    at += count
  }
  assert.equal(at, vectors.length)
  assert.ok(drafts.length > 1)
})
