import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PROVIDER, FakeBackend, done, logprob, speak, started, text } from '../helpers/backend.js'
import { openProxy, post } from '../helpers/http.js'

const HELLO = { model: 'toy', messages: [{ role: 'user', content: 'hi' }] }

test('a chat answer has the text, the usage, the receipt headers and the OpenAI shape', async (t) => {
  const { base } = await openProxy(t)
  const { status, headers, json } = await post(`${base}/chat/completions`, HELLO)
  assert.equal(status, 200)
  assert.match(String(json['id']), /^chatcmpl-[0-9a-f]{32}$/)
  assert.equal(headers.get('x-request-id'), String(json['id']).replace('chatcmpl-', 'req_'))
  assert.equal(json['object'], 'chat.completion')
  assert.equal(json['model'], 'toy')
  assert.deepEqual(json['choices'], [
    {
      index: 0,
      message: { role: 'assistant', content: 'Hello, world', refusal: null },
      logprobs: null,
      finish_reason: 'stop',
    },
  ])
  assert.deepEqual(json['usage'], {
    prompt_tokens: 7,
    completion_tokens: 3,
    total_tokens: 10,
    prompt_tokens_details: { cached_tokens: 2 },
    completion_tokens_details: { reasoning_tokens: 0 },
  })
  const receipt = { provider: PROVIDER, transaction: 'e1', cost_lamports: '1.5', ttft_ms: 12.35, overhead_ms: 0.5 }
  assert.deepEqual(json['swarmd'], { ...receipt, seeds: ['42'] })
  assert.equal(headers.get('x-swarmd-provider'), PROVIDER)
  assert.equal(headers.get('x-swarmd-transaction'), 'e1')
  assert.equal(headers.get('x-swarmd-cost-lamports'), '1.5')
  assert.equal(headers.get('x-swarmd-ttft-ms'), '12.35')
  assert.equal(headers.get('x-swarmd-overhead-ms'), '0.5')
})

test('the answer carries the name of the model that computed, not the alias that was asked for', async (t) => {
  const backend = new FakeBackend(async function* (request) {
    yield started(request, { model: 'qwen3-8b:q4_k_m' })
    yield done(0)
  })
  const { base } = await openProxy(t, backend)
  const { json } = await post(`${base}/chat/completions`, { ...HELLO, model: 'gpt-4o-mini' })
  assert.equal(json['model'], 'qwen3-8b:q4_k_m')
  assert.equal(backend.asked[0]?.model, 'gpt-4o-mini')
})

test('thoughts come apart from the answer, under both names', async (t) => {
  const backend = new FakeBackend(async function* (request) {
    yield started(request)
    yield text('let me ', { channel: 'thought' })
    yield text('see', { channel: 'thought' })
    yield text('42')
    yield done(5, { usage: { prompt: 7, cached: 0, output: 5, thought: 4 } })
  })
  const { base } = await openProxy(t, backend)
  const { json } = await post(`${base}/chat/completions`, HELLO)
  const [choice] = json['choices'] as unknown as { message: object }[]
  assert.deepEqual(choice?.message, {
    role: 'assistant',
    content: '42',
    refusal: null,
    reasoning_content: 'let me see',
    reasoning: 'let me see',
  })
  assert.deepEqual(json['usage']?.['completion_tokens_details'], { reasoning_tokens: 4 })
})

test('logprobs have exact bytes, and half a character is escaped', async (t) => {
  const backend = new FakeBackend(async function* (request) {
    yield started(request)
    yield text('é', { logprobs: [logprob(5, 'é', ['é', 'e', 'x']), logprob(6, Uint8Array.of(0xf0, 0x9f))] })
    yield text('', { logprobs: [logprob(9, '')] })
    yield text('hidden', { channel: 'thought', logprobs: [logprob(7, 'hidden')] })
    yield done(2)
  })
  const { base } = await openProxy(t, backend)
  const { json } = await post(`${base}/chat/completions`, { ...HELLO, logprobs: true, top_logprobs: 2 })
  const [choice] = json['choices'] as unknown as { logprobs: object }[]
  assert.deepEqual(choice?.logprobs, {
    content: [
      {
        token: 'é',
        logprob: -0.25,
        bytes: [195, 169],
        top_logprobs: [
          { token: 'é', logprob: -0.25, bytes: [195, 169] },
          { token: 'e', logprob: -1.25, bytes: [101] },
        ],
      },
      { token: '\\xf0\\x9f', logprob: -0.25, bytes: [0xf0, 0x9f], top_logprobs: [] },
    ],
    refusal: null,
  })
})

test('the finish reason tells an end from a limit, and the stop string that ended it is named', async (t) => {
  const backend = new FakeBackend()
  const { base } = await openProxy(t, backend)
  const expected = [
    ['stop', null, { finish_reason: 'stop' }],
    ['stop', '###', { finish_reason: 'stop', stop_reason: '###' }],
    ['length', null, { finish_reason: 'length' }],
    ['cancelled', null, { finish_reason: 'length' }],
  ] as const
  for (const [finish, stopText, shown] of expected) {
    backend.script = async function* (request) {
      yield started(request)
      yield done(0, { finish, stopText })
    }
    const { json } = await post(`${base}/chat/completions`, HELLO)
    const [choice] = json['choices'] as unknown as Record<string, unknown>[]
    const { finish_reason, stop_reason } = choice ?? {}
    assert.deepEqual({ finish_reason, ...(stop_reason === undefined ? {} : { stop_reason }) }, shown)
  }
})

test('an answer that breaks off without its end is an error, not a short answer', async (t) => {
  const backend = new FakeBackend(async function* (request) {
    yield started(request)
    yield text('half')
  })
  const { base } = await openProxy(t, backend)
  const { status, json } = await post(`${base}/chat/completions`, HELLO)
  assert.equal(status, 502)
  assert.equal(json['error']?.['code'], 'cut_short')
})

test('both address forms answer, with and without a slash at the end', async (t) => {
  const { port } = await openProxy(t, new FakeBackend(speak(['ok'])))
  for (const path of ['/v1/chat/completions', '/chat/completions', '/v1/chat/completions/']) {
    const { status, json } = await post(`http://127.0.0.1:${port}${path}`, HELLO)
    assert.equal(status, 200, path)
    assert.equal((json['choices'] as unknown as { message: { content: string } }[])[0]?.message.content, 'ok')
  }
})
