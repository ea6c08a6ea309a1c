import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeBackend, done, started, text } from '../helpers/backend.js'
import { openProxy, post } from '../helpers/http.js'

const HELLO = { model: 'toy', messages: [{ role: 'user', content: 'hi' }] }

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
      caller: null,
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
