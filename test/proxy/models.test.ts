import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearNames, modelEntries } from '../../proxy/dialect/model-cards.js'
import { BackendError, FakeBackend, card } from '../helpers/backend.js'
import { ask, openProxy } from '../helpers/http.js'

const CARDS = [
  card('smollm2-135m-instruct:q4_1@deadbeef', {
    aliases: ['gpt-4o-mini', 'org/small'],
    local: false,
    providers: 3,
    price: { input: 20_000n, cached: 2_000n, output: 2n ** 60n },
    tokensPerSecond: 31.5,
    ttftMs: 120,
  }),
  card('seedling:f16', { root: 'ee'.repeat(32), parameters: 0, notice: 'toy model for demonstrations' }),
]

function modelBackend(): FakeBackend {
  const backend = new FakeBackend()
  backend.cards = CARDS
  return backend
}

test('the list has every model under its own name and under its aliases', async (t) => {
  const { base } = await openProxy(t, modelBackend())
  const { status, json } = await ask(`${base}/models`)
  assert.equal(status, 200)
  assert.equal(json['object'], 'list')
  const data = json['data'] as unknown as Record<string, unknown>[]
  assert.deepEqual(
    data.map(({ id, alias_of }) => [id, alias_of]),
    [
      ['smollm2-135m-instruct:q4_1@deadbeef', null],
      ['seedling:f16', null],
      ['gpt-4o-mini', 'smollm2-135m-instruct:q4_1@deadbeef'],
      ['org/small', 'smollm2-135m-instruct:q4_1@deadbeef'],
    ],
  )
  assert.deepEqual(data[0], {
    id: 'smollm2-135m-instruct:q4_1@deadbeef',
    object: 'model',
    created: 1_700_000_000,
    owned_by: 'swarm',
    root: 'cd'.repeat(32),
    alias_of: null,
    aliases: ['gpt-4o-mini', 'org/small'],
    context_length: 8192,
    quantization: 'Q8_0',
    parameters: 1_000_000,
    features: ['chat', 'completion', 'embeddings'],
    providers: 3,
    local: false,
    price: { prompt: '20000', cached: '2000', completion: '1152921504606846976' },
    binding_quote: false,
    speed: { tokens_per_second: 31.5, ttft_ms: 120 },
    notice: null,
  })
  assert.equal(data[1]?.['notice'], 'toy model for demonstrations')
  assert.equal(data[1]?.['price'], null)
  assert.equal(data[1]?.['parameters'], null)
})

test('one model is found by name, alias or root, with its separators escaped or not', async (t) => {
  const { port } = await openProxy(t, modelBackend())
  const ids = ['smollm2-135m-instruct:q4_1@deadbeef', 'gpt-4o-mini', 'org/small', 'ee'.repeat(32)]
  for (const id of ids) {
    for (const path of [`/v1/models/${id}`, `/v1/models/${encodeURIComponent(id)}`, `/models/${id}`]) {
      const { status, json } = await ask(`http://127.0.0.1:${port}${path}`)
      assert.equal(status, 200, path)
      assert.ok([json['id'], json['root']].map(String).includes(id))
    }
  }
})

test('an unknown model is a 404 with the near names', async (t) => {
  const { base } = await openProxy(t, modelBackend())
  const { status, json, headers } = await ask(`${base}/models/smollm2`)
  assert.equal(status, 404)
  assert.equal(json['error']?.['code'], 'model_not_found')
  assert.equal(json['error']?.['param'], 'model')
  assert.match(String(json['error']?.['message']), /smollm2-135m-instruct:q4_1@deadbeef/)
  assert.equal(headers.get('x-should-retry'), 'false')
})

test('near names are those that begin alike or contain one another, best first', () => {
  const entries = modelEntries(['qwen3-8b:q4', 'qwen3-14b:q4', 'llama-3:q8', 'my-qwen3'].map((id) => card(id)))
  assert.deepEqual(nearNames('Qwen3-8b', entries), ['qwen3-8b:q4', 'qwen3-14b:q4'])
  assert.deepEqual(nearNames('qwen3', entries), ['my-qwen3', 'qwen3-14b:q4', 'qwen3-8b:q4'])
  assert.deepEqual(nearNames('zzz', entries), [])
})

test('health tells status, peers and version; starting is an answer too', async (t) => {
  const { port, backend } = await openProxy(t)
  for (const path of ['/health', '/v1/health']) {
    const { status, json } = await ask(`http://127.0.0.1:${port}${path}`)
    assert.equal(status, 200)
    assert.deepEqual(json, {
      status: 'ok',
      peers: 2,
      models: 1,
      uptime_ms: 1235,
      version: '0.0.0-test',
      service: 'swarmd',
    })
  }
  backend.state = { ...backend.state, status: 'starting' }
  assert.equal((await ask(`http://127.0.0.1:${port}/health`)).json['status'], 'starting')
})

test('a backend that is not ready makes the list a 503 with a time to come back', async (t) => {
  const backend = new FakeBackend()
  backend.models = () => {
    throw new BackendError('NOT_READY', 'still starting', {}, 250)
  }
  const { base } = await openProxy(t, backend)
  const { status, headers, json } = await ask(`${base}/models`)
  assert.equal(status, 503)
  assert.equal(headers.get('retry-after'), '1')
  assert.equal(headers.get('retry-after-ms'), '250')
  assert.equal(json['error']?.['code'], 'not_ready')
})
