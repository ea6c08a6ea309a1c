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

test('a bare request asks for the documented defaults', async (t) => {
  const { base, backend } = await openProxy(t)
  await post(`${base}/chat/completions`, HELLO)
  assert.deepEqual(backend.asked, [
    {
      model: 'toy',
      prompt: { kind: 'chat', messages: [{ role: 'user', content: 'hi' }] },
      sampling: {
        temperatureMilli: 1000,
        topPMilli: 1000,
        minPMilli: 0,
        topK: 0,
        presencePenaltyMilli: 0,
        frequencyPenaltyMilli: 0,
        repeatPenaltyMilli: 1000,
        logitBias: [],
        seed: null,
      },
      maxTokens: null,
      stop: [],
      logprobs: null,
      routing: {
        only: null,
        ignore: [],
        order: [],
        sort: null,
        maxPrice: { input: null, output: null },
        allowFallbacks: true,
        deadlineMs: null,
      },
    },
  ])
})

test('null means not given, and unknown fields are ignored', async (t) => {
  const { base, backend } = await openProxy(t)
  const nulls = ['temperature', 'top_p', 'n', 'stop', 'seed', 'max_tokens', 'logprobs', 'logit_bias', 'tools', 'stream']
  const body = { ...HELLO, ...Object.fromEntries(nulls.map((name) => [name, null])), user: 'me', made_up: { a: 1 } }
  assert.equal((await post(`${base}/chat/completions`, HELLO)).status, 200)
  assert.equal((await post(`${base}/chat/completions`, body)).status, 200)
  assert.deepEqual(backend.asked[1], backend.asked[0])
})

test('every sampling field reaches the backend in milli-units', async (t) => {
  const { base, backend } = await openProxy(t)
  const { status } = await post(`${base}/chat/completions`, {
    ...HELLO,
    temperature: 0.7,
    top_p: 0.95,
    min_p: 0.05,
    top_k: 40,
    presence_penalty: -0.5,
    frequency_penalty: 0.25,
    repetition_penalty: 1.1,
    logit_bias: { '50256': -100, '7': 1.5 },
    seed: 12345,
    stop: ['a', 'b', 'a', 'c', 'd', 'e'],
    max_tokens: 50,
    max_completion_tokens: 40,
    logprobs: true,
    top_logprobs: 5,
  })
  assert.equal(status, 200)
  const asked = backend.asked[0]
  assert.deepEqual(asked?.sampling, {
    temperatureMilli: 700,
    topPMilli: 950,
    minPMilli: 50,
    topK: 40,
    presencePenaltyMilli: -500,
    frequencyPenaltyMilli: 250,
    repeatPenaltyMilli: 1100,
    logitBias: [
      [7, 1500],
      [50256, -100_000],
    ],
    seed: 12345n,
  })
  assert.deepEqual(asked?.stop, ['a', 'b', 'c', 'd', 'e'])
  assert.equal(asked?.maxTokens, 40)
  assert.equal(asked?.logprobs, 5)
})

test('developer speaks as system, text parts are joined, names are kept', async (t) => {
  const { base, backend } = await openProxy(t)
  const parts = [
    { type: 'text', text: 'one ' },
    { type: 'text', text: 'two' },
  ]
  await post(`${base}/chat/completions`, {
    model: 'toy',
    messages: [
      { role: 'developer', content: 'be brief' },
      { role: 'user', content: parts, name: 'ann' },
      { role: 'assistant', content: null },
      { role: 'assistant', content: [{ type: 'refusal', refusal: 'no' }] },
    ],
  })
  assert.deepEqual(backend.asked[0]?.prompt, {
    kind: 'chat',
    messages: [
      { role: 'system', content: 'be brief' },
      { role: 'user', content: 'one two', name: 'ann' },
      { role: 'assistant', content: '' },
      { role: 'assistant', content: 'no' },
    ],
  })
})

test('n choices run as n requests with seeds that count up, and the prompt is counted once', async (t) => {
  const backend = new FakeBackend(async function* (request) {
    yield started(request)
    yield text(`seed ${request.sampling.seed}`)
    yield done(2)
  })
  const { base } = await openProxy(t, backend)
  const { json } = await post(`${base}/chat/completions`, { ...HELLO, n: 3, seed: -1 })
  const choices = json['choices'] as unknown as { index: number; message: { content: string } }[]
  const max = 2n ** 64n - 1n
  assert.deepEqual(
    choices.map(({ index, message }) => [index, message.content]),
    [
      [0, `seed ${max}`],
      [1, 'seed 0'],
      [2, 'seed 1'],
    ],
  )
  assert.equal(json['usage']?.['prompt_tokens'], 7)
  assert.equal(json['usage']?.['completion_tokens'], 6)
  assert.equal(json['swarmd']?.['cost_lamports'], '4.5')
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
    yield text('é', { logprobs: [logprob(5, 'é', ['é', 'e']), logprob(6, Uint8Array.of(0xf0, 0x9f))] })
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
