import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeBackend, PROVIDER, done, logprob, speak, started, text } from '../helpers/backend.js'
import { events, openProxy, post } from '../helpers/http.js'

const HELLO = { model: 'toy', messages: [{ role: 'user', content: 'hi' }], stream: true }

test('a stream is a comment, the role, the text piece by piece, the finish and [DONE]', async (t) => {
  const { base } = await openProxy(t)
  const { status, headers, text: body } = await post(`${base}/chat/completions`, HELLO)
  assert.equal(status, 200)
  assert.equal(headers.get('content-type'), 'text/event-stream; charset=utf-8')
  assert.match(headers.get('x-request-id') ?? '', /^req_/)
  assert.ok(body.startsWith(': waiting\n\n'))
  const { data, done: ended } = events(body)
  assert.ok(ended)
  const choices = data.map((chunk) => (chunk['choices'] as unknown as Record<string, unknown>[])[0])
  assert.deepEqual(choices, [
    { index: 0, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null },
    { index: 0, delta: { content: 'Hello' }, logprobs: null, finish_reason: null },
    { index: 0, delta: { content: ', ' }, logprobs: null, finish_reason: null },
    { index: 0, delta: { content: 'world' }, logprobs: null, finish_reason: null },
    { index: 0, delta: {}, logprobs: null, finish_reason: 'stop' },
  ])
  for (const chunk of data) {
    assert.equal(chunk['object'], 'chat.completion.chunk')
    assert.equal(chunk['id'], data[0]?.['id'])
    assert.equal('usage' in chunk, false)
  }
  assert.equal(data.at(-1)?.['swarmd']?.['cost_lamports'], '1.5')
  assert.equal(data.filter((chunk) => 'swarmd' in chunk).length, 1)
})

test('what is known when the headers leave is in them', async (t) => {
  const { base } = await openProxy(t)
  const { headers } = await post(`${base}/chat/completions`, HELLO)
  assert.equal(headers.get('x-swarmd-provider'), PROVIDER)
  assert.equal(headers.get('x-swarmd-transaction'), 'e1')
  assert.equal(headers.get('x-swarmd-cost-lamports'), null)
})

test('usage comes only when asked for, last, with null before it', async (t) => {
  const { base } = await openProxy(t)
  const body = { ...HELLO, stream_options: { include_usage: true } }
  const { data, done: ended } = events((await post(`${base}/chat/completions`, body)).text)
  assert.ok(ended)
  const last = data.at(-1)
  assert.deepEqual(last?.['choices'], [])
  assert.equal(last?.['usage']?.['total_tokens'], 10)
  assert.deepEqual(last?.['swarmd']?.['seeds'], ['42'])
  for (const chunk of data.slice(0, -1)) assert.equal(chunk['usage'], null)
})

test('any text survives as JSON in one line: quotes, newlines, emoji, lone surrogates, separators', async (t) => {
  const pieces = ['"q"\\', '\n\n', 'data: [DONE]\n\n', '😀', '\ud800', '\u2028\u2029', '\0', '</script>']
  const { base } = await openProxy(t, new FakeBackend(speak(pieces)))
  const { data } = events((await post(`${base}/chat/completions`, HELLO)).text)
  const deltas = data.map(
    (chunk) => (chunk['choices'] as unknown as { delta: { content?: string } }[])[0]?.delta.content,
  )
  assert.deepEqual(deltas.slice(1, -1), pieces)
})

test('thoughts stream under both names, before the answer', async (t) => {
  const backend = new FakeBackend(async function* (request) {
    yield started(request)
    yield text('hm', { channel: 'thought' })
    yield text('yes')
    yield done(2)
  })
  const { base } = await openProxy(t, backend)
  const { data } = events((await post(`${base}/chat/completions`, HELLO)).text)
  const deltas = data.map((chunk) => (chunk['choices'] as unknown as { delta: object }[])[0]?.delta)
  assert.deepEqual(deltas.slice(1, 3), [{ reasoning_content: 'hm', reasoning: 'hm' }, { content: 'yes' }])
})

test('logprobs stream with their text, and a token without text yet is not lost', async (t) => {
  const backend = new FakeBackend(async function* (request) {
    yield started(request)
    yield text('', { logprobs: [logprob(1, Uint8Array.of(0xc3))] })
    yield text('é', { logprobs: [logprob(2, Uint8Array.of(0xa9))] })
    yield text('')
    yield text('', { logprobs: [logprob(3, '')] })
    yield done(2)
  })
  const { base } = await openProxy(t, backend)
  const { data } = events((await post(`${base}/chat/completions`, { ...HELLO, logprobs: true })).text)
  const choices = data.map(
    (chunk) =>
      (
        chunk['choices'] as unknown as {
          delta: { content?: string }
          logprobs: { content: { bytes: number[] }[] } | null
        }[]
      )[0],
  )
  assert.deepEqual(
    choices.slice(1, 3).map((choice) => [choice?.delta.content, choice?.logprobs?.content.map(({ bytes }) => bytes)]),
    [
      ['', [[0xc3]]],
      ['é', [[0xa9]]],
    ],
  )
  assert.equal(data.length, 4)
})

test('n choices stream side by side, each with its role, its text and its finish', async (t) => {
  const backend = new FakeBackend(async function* (request) {
    yield started(request)
    yield text(`${request.sampling.seed}a`)
    yield text(`${request.sampling.seed}b`)
    yield done(2)
  })
  const { base } = await openProxy(t, backend)
  const body = { ...HELLO, n: 2, seed: 5, stream_options: { include_usage: true } }
  const { data } = events((await post(`${base}/chat/completions`, body)).text)
  const choices = data.flatMap(
    (chunk) =>
      chunk['choices'] as unknown as { index: number; delta: { content?: string }; finish_reason: string | null }[],
  )
  for (const index of [0, 1]) {
    const own = choices.filter((choice) => choice.index === index)
    assert.equal(own.map(({ delta }) => delta.content ?? '').join(''), `${5 + index}a${5 + index}b`)
    assert.deepEqual(own[0]?.delta, { role: 'assistant', content: '' })
    assert.equal(own.at(-1)?.finish_reason, 'stop')
  }
  assert.equal(data.at(-1)?.['usage']?.['prompt_tokens'], 7)
  assert.equal(data.at(-1)?.['usage']?.['completion_tokens'], 4)
})
