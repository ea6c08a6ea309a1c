import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { base64, shorten } from '../../proxy/dialect/embedding-writer.js'
import { FakeBackend, PROVIDER, receipt } from '../helpers/backend.js'
import { openProxy, post } from '../helpers/http.js'

function vectorBackend(vectors: readonly Float32Array[]): FakeBackend {
  const backend = new FakeBackend()
  backend.embedder = async (request) => ({
    model: 'real-name',
    vectors: vectors.slice(0, request.inputs.length),
    promptTokens: 9,
    receipt: receipt('e9'),
  })
  return backend
}

test('embeddings come as numbers in the order of the inputs, with usage and receipt headers', async (t) => {
  const backend = vectorBackend([Float32Array.of(1, 0, 0), Float32Array.of(0, 0.5, -0.25)])
  const { base } = await openProxy(t, backend)
  const { status, headers, json } = await post(`${base}/embeddings`, { model: 'm', input: ['a', 'b'] })
  assert.equal(status, 200)
  assert.equal(json['object'], 'list')
  assert.equal(json['model'], 'real-name')
  assert.deepEqual(json['data'], [
    { object: 'embedding', index: 0, embedding: [1, 0, 0] },
    { object: 'embedding', index: 1, embedding: [0, 0.5, -0.25] },
  ])
  assert.deepEqual(json['usage'], { prompt_tokens: 9, total_tokens: 9 })
  assert.equal(headers.get('x-swarmd-provider'), PROVIDER)
  assert.equal(headers.get('x-swarmd-transaction'), 'e9')
})

test('base64 is little-endian float32, so any float32 comes back bit for bit', () => {
  fc.assert(
    fc.property(fc.float32Array({ maxLength: 20 }), (vector) => {
      const bytes = Buffer.from(base64(vector), 'base64')
      const back = Float32Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(index * 4))
      assert.deepEqual(back, vector)
    }),
  )
})

test('base64 of a vector that is a view into a larger buffer holds that vector alone', async (t) => {
  const whole = Float32Array.of(9, 9, 0.6, 0.8, 9)
  const { base } = await openProxy(t, vectorBackend([whole.subarray(2, 4)]))
  const { json } = await post(`${base}/embeddings`, { model: 'm', input: 'a', encoding_format: 'base64' })
  const [entry] = json['data'] as unknown as { embedding: string }[]
  const bytes = Buffer.from(entry?.embedding ?? '', 'base64')
  assert.deepEqual([bytes.length, bytes.readFloatLE(0), bytes.readFloatLE(4)], [8, Math.fround(0.6), Math.fround(0.8)])
})

test('inputs come as text, texts, token ids or lists of token ids', async (t) => {
  const forms: readonly (readonly [unknown, readonly unknown[]])[] = [
    ['a', ['a']],
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
    [[1, 2], [[1, 2]]],
    [
      [[1], [2]],
      [[1], [2]],
    ],
  ]
  for (const [input, expected] of forms) {
    const { base, backend } = await openProxy(t)
    assert.equal((await post(`${base}/embeddings`, { model: 'm', input })).status, 200)
    assert.deepEqual(backend.embedded[0]?.inputs, expected)
  }
})

test('empty, mixed or too many inputs are refused by name', async (t) => {
  const { base, backend } = await openProxy(t)
  const tooMany = Array.from({ length: 2049 }, () => 'a')
  for (const input of ['', [''], [], [[]], ['a', 1], [['a']], {}, null, 1, tooMany]) {
    const { status, json } = await post(`${base}/embeddings`, { model: 'm', input })
    assert.equal(status, 400, JSON.stringify(input)?.slice(0, 40))
    assert.match(String(json['error']?.['param']), /^input/)
  }
  assert.equal(backend.embedded.length, 0)
})

test('fewer dimensions are cut and scaled to unit length; more than the model has is a 400', async (t) => {
  const { base } = await openProxy(t, vectorBackend([Float32Array.of(0.3, 0.4, Math.sqrt(0.75))]))
  const ask = (dimensions: number): ReturnType<typeof post> =>
    post(`${base}/embeddings`, { model: 'm', input: 'a', dimensions })
  const [entry] = (await ask(2)).json['data'] as unknown as { embedding: number[] }[]
  assert.equal(entry?.embedding.length, 2)
  assert.ok(Math.abs((entry?.embedding[0] ?? 0) - 0.6) < 1e-6)
  assert.ok(Math.abs((entry?.embedding[1] ?? 0) - 0.8) < 1e-6)
  const refused = await ask(4)
  assert.equal(refused.status, 400)
  assert.equal(refused.json['error']?.['param'], 'dimensions')
})

test('a shortened vector has unit length, or is zero', () => {
  const vector = fc.float32Array({ minLength: 1, maxLength: 12, min: -8, max: 8, noNaN: true })
  fc.assert(
    fc.property(vector, fc.nat(11), (full, cut) => {
      const dimensions = Math.min(full.length, cut + 1)
      const short = shorten(full, dimensions)
      assert.equal(short.length, dimensions)
      const length = Math.hypot(...short)
      const source = Math.hypot(...full.slice(0, dimensions))
      assert.ok(source < 1e-30 || Math.abs(length - 1) < 1e-5, `${length}`)
    }),
  )
})

test('a backend that gives another number of vectors than was asked for is an error', async (t) => {
  const { base } = await openProxy(t, vectorBackend([Float32Array.of(1)]))
  const { status, json } = await post(`${base}/embeddings`, { model: 'm', input: ['a', 'b'] })
  assert.equal(status, 502)
  assert.equal(json['error']?.['code'], 'cut_short')
})
