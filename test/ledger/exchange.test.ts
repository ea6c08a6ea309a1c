import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { LedgerError } from '../../ledger/errors.js'
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  MAX_VECTOR_BYTES,
} from '../../ledger/exchange.js'
import type { ExchangeBody, ExchangeRequest, ExchangeResponse, KeptResponse } from '../../ledger/exchange.js'

const SAMPLING = {
  temperatureMilli: 700,
  topPMilli: 950,
  minPMilli: 0,
  topK: 40,
  presencePenaltyMilli: -250,
  frequencyPenaltyMilli: 0,
  repeatPenaltyMilli: 1100,
  logitBias: [[7, -100_000]] as readonly (readonly [number, number])[],
  seed: 2n ** 64n - 1n,
}

const CHAT = {
  kind: 'generate',
  prompt: {
    kind: 'chat',
    messages: [
      { role: 'system', content: 'Kurz.' },
      { role: 'user', content: 'Größte Stadt? 🌍', name: 'ada' },
    ],
  },
  sampling: SAMPLING,
  stop: ['\n\n'],
  logprobs: 5,
  resume: [1, 300],
} satisfies ExchangeBody
const EMBED: ExchangeBody = { kind: 'embed', inputs: ['one', [2, 70_000]] }
const ANSWER: ExchangeResponse = {
  kind: 'generate',
  finish: 'stop',
  stopText: '\n\n',
  thought: 'Hm.',
  text: 'Tokio.',
  tokens: [9, 253, 65_536],
}
const VECTORS: ExchangeResponse = {
  kind: 'embed',
  finish: 'stop',
  vectors: [Float32Array.of(0.5, -1), Float32Array.of(0, 0.25)],
}

/** Written once and read for ever: other bytes need another version byte. */
const GOLDEN = {
  chat: '01011000000200054b75727a2e0001144772c3b6c39f74652053746164743f20f09f8c8d0103616461fd7805fd6c070028fdf30100fd98080107fe3f0d030008ffffffffffffffff01020a0a01050201fd2c01',
  embed: '0100010200036f6e65010202fe70110100',
  answer: '01000001020a0a03486d2e06546f6b696f2e0309fdfd00fe00000100',
  vectors:
    '010100020241c3165ef8b72ecb3226a3bbe40707b8362882abd12be1e13724f13947d74ce801100000003f000080bf000000000000803e',
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** The same fields, set in the opposite order. */
function reversed<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).reverse()) as T
}

function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'))
}

/** A kept answer as the one it was made from. */
function again(kept: KeptResponse): ExchangeResponse {
  if (kept.kind === 'generate') return kept
  assert.ok(kept.vectors, 'the vectors were kept')
  return { kind: 'embed', finish: kept.finish, vectors: kept.vectors }
}

test('requests and responses have the bytes of the first version, and are read back from them', () => {
  assert.equal(hex(encodeRequest(CHAT, 16)), GOLDEN.chat)
  assert.equal(hex(encodeRequest(EMBED, null)), GOLDEN.embed)
  assert.equal(hex(encodeResponse(ANSWER)), GOLDEN.answer)
  assert.equal(hex(encodeResponse(VECTORS)), GOLDEN.vectors)
  assert.deepEqual(decodeRequest(bytes(GOLDEN.chat)), { body: CHAT, maxTokens: 16 })
  assert.deepEqual(decodeRequest(bytes(GOLDEN.embed)), { body: EMBED, maxTokens: null })
  assert.deepEqual(decodeResponse(bytes(GOLDEN.answer)), ANSWER)
  assert.deepEqual(again(decodeResponse(bytes(GOLDEN.vectors))), VECTORS)
})

test('the order in which fields were set changes no byte', () => {
  const turned = { ...reversed(CHAT), sampling: reversed(SAMPLING) }
  assert.equal(hex(encodeRequest(turned, 16)), GOLDEN.chat)
})

test('half a character is what the wire makes of it, so both sides have the same bytes', () => {
  const text = (value: string): Uint8Array =>
    encodeResponse({ kind: 'generate', finish: 'stop', stopText: null, thought: '', text: value, tokens: [] })
  assert.deepEqual(text('a\ud800b'), text('a\ufffdb'))
})

test('every exchange is read back as it was written', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 8 })
  const tokens = fc.array(fc.nat(70_000), { maxLength: 4 })
  const prompt = fc.oneof(
    fc.record({
      kind: fc.constant('chat' as const),
      messages: fc.array(
        fc.record(
          { role: fc.constantFrom('system' as const, 'tool' as const), content: text, name: text },
          { requiredKeys: ['role', 'content'] },
        ),
        { maxLength: 3 },
      ),
    }),
    fc.record({ kind: fc.constant('text' as const), text }),
    fc.record({ kind: fc.constant('tokens' as const), tokens }),
  )
  const body: fc.Arbitrary<ExchangeBody> = fc.oneof(
    fc.record({
      kind: fc.constant('generate' as const),
      prompt,
      sampling: fc.constant(SAMPLING),
      stop: fc.array(text, { maxLength: 2 }),
      logprobs: fc.option(fc.nat(20)),
      resume: tokens,
    }),
    fc.record({ kind: fc.constant('embed' as const), inputs: fc.array(fc.oneof(text, tokens), { maxLength: 3 }) }),
  )
  fc.assert(
    fc.property(body, fc.option(fc.nat(8)), (asked, maxTokens) => {
      // fast-check makes records without a prototype.
      const plain = structuredClone({ body: asked, maxTokens }) as ExchangeRequest
      assert.deepEqual(decodeRequest(encodeRequest(asked, maxTokens)), plain)
    }),
  )
})

test('any bytes are an exchange in its one encoding, or a coded error', () => {
  const seeds = Object.values(GOLDEN).map(bytes)
  const edit = fc.record({ at: fc.nat(200), byte: fc.nat(255), cut: fc.nat(200) })
  const mutated = fc.tuple(fc.constantFrom(...seeds), fc.array(edit, { minLength: 1, maxLength: 3 }), fc.nat(9))
  const anything = fc.oneof(
    mutated.map(([seed, edits, how]) => {
      const out = Uint8Array.from(seed)
      for (const { at, byte } of edits) out[at % out.length] = byte
      return how === 0 ? out.subarray(0, (edits[0]?.cut ?? 0) % out.length) : out
    }),
    fc.uint8Array({ maxLength: 100 }),
  )
  let read = 0
  const check = (encoded: Uint8Array, reencode: () => Uint8Array): void => {
    let written
    try {
      written = reencode()
    } catch (error) {
      assert.ok(error instanceof LedgerError, String(error))
      return
    }
    read++
    assert.equal(hex(written), hex(encoded), 'one value, one encoding')
  }
  fc.assert(
    fc.property(anything, (encoded) => {
      check(encoded, () => {
        const { body, maxTokens } = decodeRequest(encoded)
        return encodeRequest(body, maxTokens)
      })
      check(encoded, () => encodeResponse(again(decodeResponse(encoded))))
    }),
    { numRuns: 3000 },
  )
  assert.ok(read > 0, 'some mutations are still readable')
})

test('the largest body that the wire carries can be kept', () => {
  const text = '\u0001'.repeat(16 * 2 ** 20 - 65_536 - 64)
  const body: ExchangeBody = { ...CHAT, prompt: { kind: 'text', text } }
  assert.deepEqual(decodeRequest(encodeRequest(body, null)).body, body)
})

test('vectors above their limit are named by a digest, the same on both sides', () => {
  const vectors = Array.from({ length: 257 }, (_, i) => new Float32Array(MAX_VECTOR_BYTES / 4 / 256).fill(i))
  const kept = decodeResponse(encodeResponse({ kind: 'embed', finish: 'stop', vectors }))
  assert.ok(kept.kind === 'embed' && kept.vectors === null)
  assert.deepEqual([kept.count, kept.dimensions], [257, MAX_VECTOR_BYTES / 4 / 256])
  const other = vectors.map((vector, i) => (i === 2 ? vector.with(5, 7) : vector))
  const changed = decodeResponse(encodeResponse({ kind: 'embed', finish: 'stop', vectors: other }))
  assert.ok(changed.kind === 'embed' && !Buffer.from(changed.digest).equals(kept.digest))
})

test('what cannot be said in one way only is refused', () => {
  const embed =
    (...vectors: Float32Array[]) =>
    () =>
      encodeResponse({ kind: 'embed', finish: 'stop', vectors })
  assert.throws(embed(Float32Array.of(1), Float32Array.of(1, 2)), { code: 'BAD_ENCODING' })
  assert.throws(embed(Float32Array.of(NaN)), { code: 'BAD_ENCODING' })
  const inputs = Array.from({ length: 2049 }, () => '')
  assert.throws(() => encodeRequest({ kind: 'embed', inputs }, null), { code: 'BAD_ENCODING' })
  assert.throws(() => decodeRequest(bytes(`02${GOLDEN.embed.slice(2)}`)), { code: 'UNKNOWN_VERSION' })
})
