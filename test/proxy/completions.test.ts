import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeBackend, done, logprob, speak, started, text } from '../helpers/backend.js'
import { events, openProxy, post } from '../helpers/http.js'
import type { Json } from '../helpers/http.js'

interface Choice {
  readonly index: number
  readonly text: string
  readonly logprobs: Json | null
  readonly finish_reason: string | null
}

const choicesOf = (json: Json | undefined): readonly Choice[] => json?.['choices'] as unknown as readonly Choice[]

test('a completion continues its text and asks for 16 tokens unless told otherwise', async (t) => {
  const { base, backend } = await openProxy(t)
  const { status, json } = await post(`${base}/completions`, { model: 'toy', prompt: 'Once' })
  assert.equal(status, 200)
  assert.equal(json['object'], 'text_completion')
  assert.match(String(json['id']), /^cmpl-/)
  assert.deepEqual(choicesOf(json), [{ text: 'Hello, world', index: 0, logprobs: null, finish_reason: 'stop' }])
  assert.deepEqual(backend.asked[0]?.prompt, { kind: 'text', text: 'Once' })
  assert.equal(backend.asked[0]?.maxTokens, 16)
  await post(`${base}/completions`, { model: 'toy', prompt: 'Once', max_tokens: 5 })
  assert.equal(backend.asked[1]?.maxTokens, 5)
})

test('prompts come as text, texts, token ids or lists of token ids', async (t) => {
  const forms: readonly (readonly [unknown, readonly unknown[]])[] = [
    ['a', [{ kind: 'text', text: 'a' }]],
    [[1, 2], [{ kind: 'tokens', tokens: [1, 2] }]],
    [
      ['a', ''],
      [
        { kind: 'text', text: 'a' },
        { kind: 'text', text: '' },
      ],
    ],
    [
      [[1], [2, 3]],
      [
        { kind: 'tokens', tokens: [1] },
        { kind: 'tokens', tokens: [2, 3] },
      ],
    ],
  ]
  for (const [prompt, expected] of forms) {
    const { base, backend } = await openProxy(t)
    const { status, json } = await post(`${base}/completions`, { model: 'toy', prompt })
    assert.equal(status, 200, JSON.stringify(prompt))
    assert.deepEqual(
      backend.asked.map((asked) => asked.prompt),
      expected,
    )
    assert.equal(choicesOf(json).length, expected.length)
  }
})

test('a prompt that mixes forms, is empty, or holds no token ids is refused by name', async (t) => {
  const { base, backend } = await openProxy(t)
  for (const prompt of [['a', 1], [[1], 'a'], [], [[]], [-1], [1.5], [[2 ** 32]], {}, null, 7, true]) {
    const { status, json } = await post(`${base}/completions`, { model: 'toy', prompt })
    assert.equal(status, 400, JSON.stringify(prompt))
    assert.match(String(json['error']?.['param']), /^prompt/)
  }
  assert.equal(backend.asked.length, 0)
})

test('choices count through the prompts, n for each, and each prompt counts once in the usage', async (t) => {
  const backend = new FakeBackend(async function* (request) {
    yield started(request)
    yield text(`${request.prompt.kind === 'text' ? request.prompt.text : ''}${request.sampling.seed}`)
    yield done(1)
  })
  const { base } = await openProxy(t, backend)
  const { json } = await post(`${base}/completions`, { model: 'toy', prompt: ['a', 'b'], n: 2, best_of: 2, seed: 9 })
  assert.deepEqual(
    choicesOf(json).map((choice) => [choice.index, choice.text]),
    [
      [0, 'a9'],
      [1, 'a10'],
      [2, 'b9'],
      [3, 'b10'],
    ],
  )
  assert.equal(json['usage']?.['prompt_tokens'], 14)
  assert.equal(json['usage']?.['completion_tokens'], 4)
})

test('echo repeats the prompt before the answer, streamed too', async (t) => {
  const { base } = await openProxy(t)
  const body = { model: 'toy', prompt: ['One', 'Two'], echo: true }
  const whole = await post(`${base}/completions`, body)
  assert.deepEqual(
    choicesOf(whole.json).map((choice) => choice.text),
    ['OneHello, world', 'TwoHello, world'],
  )
  const { data, done: ended } = events((await post(`${base}/completions`, { ...body, stream: true })).text)
  assert.ok(ended)
  for (const index of [0, 1]) {
    const own = data.flatMap(choicesOf).filter((choice) => choice.index === index)
    assert.equal(own.map((choice) => choice.text).join(''), `${['One', 'Two'][index]}Hello, world`)
    assert.equal(own.at(-1)?.finish_reason, 'stop')
  }
})

test('logprobs have the legacy form, offsets counted in characters, streamed and not', async (t) => {
  const backend = new FakeBackend(async function* (request) {
    yield started(request)
    yield text('😀', { logprobs: [logprob(1, Uint8Array.of(0xf0, 0x9f)), logprob(2, Uint8Array.of(0x98, 0x80))] })
    yield text(' a', { logprobs: [logprob(3, ' a', [' a', ' b', ' c'])] })
    yield text('!', { logprobs: [logprob(4, '!'), logprob(5, '')] })
    yield done(4)
  })
  const { base } = await openProxy(t, backend)
  const body = { model: 'toy', prompt: 'x', logprobs: 2 }
  const expected = {
    tokens: ['bytes:\\xf0\\x9f', 'bytes:\\x98\\x80', ' a', '!'],
    token_logprobs: [-0.25, -0.25, -0.25, -0.25],
    top_logprobs: [{}, {}, { ' a': -0.25, ' b': -1.25 }, {}],
    text_offset: [0, 0, 1, 3],
  }
  const whole = await post(`${base}/completions`, body)
  assert.deepEqual(choicesOf(whole.json)[0]?.logprobs, expected)
  assert.equal(backend.asked[0]?.logprobs, 2)

  const { data } = events((await post(`${base}/completions`, { ...body, stream: true })).text)
  const parts = data.flatMap(choicesOf).flatMap(({ logprobs }) => (logprobs === null ? [] : [logprobs]))
  for (const [name, values] of Object.entries(expected)) {
    assert.deepEqual(
      parts.flatMap((part) => part[name] as unknown as unknown[]),
      values,
    )
  }
})

test('what cannot be done is refused by name: suffix, best_of, echo of tokens, echo with logprobs', async (t) => {
  const { base, backend } = await openProxy(t)
  const refused: readonly (readonly [string, object])[] = [
    ['suffix', { suffix: 'end' }],
    ['best_of', { best_of: 3 }],
    ['best_of', { best_of: 2, n: 3 }],
    ['echo', { echo: true, prompt: [1, 2] }],
    ['logprobs', { echo: true, logprobs: 1 }],
    ['logprobs', { logprobs: 21 }],
    ['max_tokens', { max_tokens: 0 }],
    ['prompt', { prompt: Array.from({ length: 129 }, () => 'a') }],
    ['prompt', { prompt: Array.from({ length: 65 }, () => 'a'), n: 2 }],
  ]
  for (const [param, more] of refused) {
    const { status, json } = await post(`${base}/completions`, { model: 'toy', prompt: 'a', ...more })
    assert.equal(status, 400, JSON.stringify(more))
    assert.equal(json['error']?.['param'], param)
  }
  assert.equal(backend.asked.length, 0)
  const harmless = { model: 'toy', prompt: 'a', suffix: '', best_of: 1 }
  assert.equal((await post(`${base}/completions`, harmless)).status, 200)
})

test('more choices than run side by side all come, in order', async (t) => {
  let running = 0
  let most = 0
  const backend = new FakeBackend(async function* (request) {
    running += 1
    most = Math.max(most, running)
    yield started(request)
    await new Promise((resolve) => setImmediate(resolve))
    yield text(request.prompt.kind === 'text' ? request.prompt.text : '')
    yield done(1)
    running -= 1
  })
  const { base } = await openProxy(t, backend)
  const prompt = Array.from({ length: 40 }, (_, index) => `p${index}`)
  const { json } = await post(`${base}/completions`, { model: 'toy', prompt })
  assert.deepEqual(
    choicesOf(json).map((choice) => choice.text),
    prompt,
  )
  assert.equal(most, 8)
})

test('thoughts are part of the text here, which has no other place for them', async (t) => {
  const backend = new FakeBackend(async function* (request) {
    yield started(request)
    yield text('<think>', { channel: 'thought' })
    yield text('yes')
    yield done(2)
  })
  const { base } = await openProxy(t, backend)
  const whole = await post(`${base}/completions`, { model: 'toy', prompt: 'a' })
  assert.equal(choicesOf(whole.json)[0]?.text, '<think>yes')
  const { data } = events((await post(`${base}/completions`, { model: 'toy', prompt: 'a', stream: true })).text)
  assert.equal(
    data
      .flatMap(choicesOf)
      .map((choice) => choice.text)
      .join(''),
    '<think>yes',
  )
})

test('a completion stream has no role chunk, and usage when asked', async (t) => {
  const { base } = await openProxy(t, new FakeBackend(speak(['a', 'b'])))
  const body = { model: 'toy', prompt: 'x', stream: true, stream_options: { include_usage: true } }
  const { data } = events((await post(`${base}/completions`, body)).text)
  assert.deepEqual(
    data.map((chunk) => choicesOf(chunk)[0]?.text),
    ['a', 'b', '', undefined],
  )
  assert.equal(data.at(-1)?.['usage']?.['completion_tokens'], 2)
})
