import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProxyError } from '../../proxy/errors.js'
import { BackendError, FakeBackend, fail, hang } from '../helpers/backend.js'
import { ask, openProxy, post } from '../helpers/http.js'
import type { Answer } from '../helpers/http.js'

const HELLO = { model: 'toy', messages: [{ role: 'user', content: 'hi' }] }

/** Every error has this body and these headers, whatever raised it. */
function assertError(answer: Answer, status: number, type: string, code: string, param: string | null = null): void {
  assert.equal(answer.status, status, answer.text)
  assert.match(answer.headers.get('x-request-id') ?? '', /^req_[0-9a-f]{32}$/)
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json/)
  assert.deepEqual(Object.keys(answer.json), ['error'])
  const { message, ...rest } = answer.json['error'] ?? {}
  assert.deepEqual(rest, { type, param, code })
  assert.ok(String(message).length > 5)
}

test('every code of the backend has its status, its type and its advice about retrying', async (t) => {
  const table: readonly (readonly [string, number, string, string, string | null, boolean])[] = [
    ['MODEL_NOT_FOUND', 404, 'not_found_error', 'model_not_found', 'model', false],
    ['NO_PROVIDER', 503, 'service_unavailable_error', 'no_provider', null, true],
    ['NOT_READY', 503, 'service_unavailable_error', 'not_ready', null, true],
    ['CANCELLED', 503, 'service_unavailable_error', 'cancelled', null, true],
    ['BUSY', 429, 'rate_limit_error', 'busy', null, true],
    ['QUEUE_FULL', 429, 'rate_limit_error', 'queue_full', null, true],
    ['RATE_LIMITED', 429, 'rate_limit_error', 'rate_limited', null, true],
    ['CONTEXT_LENGTH_EXCEEDED', 400, 'invalid_request_error', 'context_length_exceeded', 'messages', false],
    ['BAD_REQUEST', 400, 'invalid_request_error', 'bad_request', null, false],
    ['UNSUPPORTED', 400, 'invalid_request_error', 'unsupported', null, false],
    ['NO_CHAT_TEMPLATE', 400, 'invalid_request_error', 'no_chat_template', 'messages', false],
    ['PAYMENT_REQUIRED', 402, 'insufficient_funds', 'insufficient_funds', null, false],
    ['INSUFFICIENT_FUNDS', 402, 'insufficient_funds', 'insufficient_funds', null, false],
    ['CHANNEL_EXHAUSTED', 402, 'insufficient_funds', 'insufficient_funds', null, false],
    ['BUDGET_EXCEEDED', 402, 'insufficient_funds', 'budget_exceeded', null, false],
    ['COST_LIMIT', 402, 'insufficient_funds', 'cost_limit', null, false],
    ['PRICE_TOO_HIGH', 402, 'insufficient_funds', 'price_too_high', null, false],
    ['PEER_LOST', 502, 'server_error', 'peer_lost', null, true],
    ['ENGINE_CRASHED', 502, 'server_error', 'engine_crashed', null, true],
    ['ENGINE_FAILED', 502, 'server_error', 'engine_failed', null, true],
    ['DEADLINE_EXCEEDED', 504, 'server_error', 'deadline_exceeded', null, true],
  ]
  const { base, backend } = await openProxy(t)
  for (const [code, status, type, shown, param, retry] of table) {
    backend.script = fail(new BackendError(code, 'a sentence for people'))
    for (const stream of [false, true]) {
      const answer = await post(`${base}/chat/completions`, { ...HELLO, stream })
      assertError(answer, status, type, shown, param)
      assert.equal(answer.headers.get('x-should-retry'), retry ? null : 'false', code)
      assert.equal(answer.headers.get('retry-after') !== null, retry, code)
    }
  }
})

test('Retry-After is what the backend says, in whole seconds and in milliseconds', async (t) => {
  const { base, backend } = await openProxy(t)
  backend.script = fail(new BackendError('BUSY', 'three wait', {}, 2_300))
  const { headers } = await post(`${base}/chat/completions`, HELLO)
  assert.equal(headers.get('retry-after'), '3')
  assert.equal(headers.get('retry-after-ms'), '2300')
})

test('a context that is too long is said with both numbers, and names the input of its route', async (t) => {
  const { base, backend } = await openProxy(t)
  const error = new BackendError('CONTEXT_LENGTH_EXCEEDED', 'too long', { contextLength: 8192, tokens: 9001 })
  backend.script = fail(error)
  backend.embedder = () => Promise.reject(error)
  const answers = [
    [await post(`${base}/chat/completions`, HELLO), 'messages'],
    [await post(`${base}/completions`, { model: 'toy', prompt: 'a' }), 'prompt'],
    [await post(`${base}/embeddings`, { model: 'toy', input: 'a' }), 'input'],
  ] as const
  for (const [answer, param] of answers) {
    assertError(answer, 400, 'invalid_request_error', 'context_length_exceeded', param)
    assert.match(answer.text, /8192/)
    assert.match(answer.text, /9001/)
  }
})

test('an unknown model is told with the near names that the backend knows', async (t) => {
  const { base, backend } = await openProxy(t)
  backend.script = fail(new BackendError('MODEL_NOT_FOUND', 'No model "ll".', { near: ['llama-3:q8', 'llama-2:q4'] }))
  const answer = await post(`${base}/chat/completions`, HELLO)
  assert.equal(answer.json['error']?.['message'], 'No model "ll". Near names: llama-3:q8, llama-2:q4.')
})

test('an error without a known code is a 500 that tells nothing of the inside, and the log has the cause', async (t) => {
  const logged: { context: Record<string, unknown>; message: string }[] = []
  const log = { error: (context: object, message: string) => void logged.push({ context: { ...context }, message }) }
  const backend = new FakeBackend()
  const { base } = await openProxy(t, backend, { log })
  const secrets = [
    new TypeError('secret /home/me'),
    new BackendError('E_SECRET', 'secret'),
    'secret',
    null,
    { code: 7 },
  ]
  for (const secret of secrets) {
    backend.script = fail(secret as Error)
    const answer = await post(`${base}/chat/completions`, HELLO)
    assertError(answer, 500, 'server_error', 'internal_error')
    assert.doesNotMatch(answer.text, /secret/)
    const entry = logged.pop()
    assert.equal(entry?.context['requestId'], answer.headers.get('x-request-id'))
    if (secret !== null) assert.equal(entry?.context['err'], secret)
  }
})

test('what a peer wrote into an error is cut and stripped of control characters', async (t) => {
  const { base, backend } = await openProxy(t)
  backend.script = fail(new BackendError('PEER_LOST', `\u001b[31m${'x'.repeat(10_000)}`))
  const { json } = await post(`${base}/chat/completions`, HELLO)
  const message = String(json['error']?.['message'])
  assert.equal(message.length, 2000)
  assert.doesNotMatch(message, /\p{Cc}/u)
})

test('the fields that cannot be honoured are refused by name', async (t) => {
  const { base, backend } = await openProxy(t)
  const tool = { type: 'function', function: { name: 'f' } }
  const user = (content: unknown): object => ({ messages: [{ role: 'user', content }] })
  const refused: readonly (readonly [string, object])[] = [
    ['tools', { tools: [tool] }],
    ['tool_choice', { tool_choice: 'auto' }],
    ['tool_choice', { tool_choice: { type: 'function', function: { name: 'f' } } }],
    ['functions', { functions: [{ name: 'f' }] }],
    ['function_call', { function_call: 'auto' }],
    ['response_format', { response_format: { type: 'json_object' } }],
    ['response_format', { response_format: { type: 'json_schema', json_schema: {} } }],
    ['response_format', { response_format: 'json' }],
    ['audio', { audio: { voice: 'alloy', format: 'wav' } }],
    ['modalities', { modalities: ['text', 'audio'] }],
    ['web_search_options', { web_search_options: {} }],
    ['reasoning_effort', { reasoning_effort: 'high' }],
    ['verbosity', { verbosity: 'low' }],
    ['messages[0].content[0]', user([{ type: 'image_url', image_url: { url: 'data:' } }])],
    ['messages[0].content[1]', user([{ type: 'text', text: 'a' }, { type: 'input_audio' }])],
    ['messages[0].content[0]', user([{ type: 'file' }])],
    ['messages[0].role', { messages: [{ role: 'tool', content: 'x', tool_call_id: '1' }] }],
    ['messages[0].tool_calls', { messages: [{ role: 'assistant', content: null, tool_calls: [tool] }] }],
    ['provider.quantizations', { provider: { quantizations: ['fp8'] } }],
    ['provider.zdr', { provider: { zdr: true } }],
  ]
  for (const [param, more] of refused) {
    const answer = await post(`${base}/chat/completions`, { ...HELLO, ...more })
    assertError(answer, 400, 'invalid_request_error', 'unsupported_parameter', param)
    assert.match(answer.text, new RegExp(param.replaceAll(/[[\].]/g, '\\$&')))
    assert.equal(answer.headers.get('x-should-retry'), 'false')
  }
  assert.equal(backend.asked.length, 0)
})

test('the same fields pass when they ask for nothing', async (t) => {
  const { base } = await openProxy(t)
  const body = {
    ...HELLO,
    tools: [],
    tool_choice: 'none',
    functions: [],
    function_call: 'none',
    response_format: { type: 'text' },
    modalities: ['text'],
    audio: null,
    reasoning_effort: 'medium',
    service_tier: 'flex',
    store: true,
    metadata: { a: 'b' },
    parallel_tool_calls: true,
  }
  assert.equal((await post(`${base}/chat/completions`, body)).status, 200)
})

test('a value out of range, of the wrong type or missing is refused by its name', async (t) => {
  const { base, backend } = await openProxy(t)
  const refused: readonly (readonly [string, string, object])[] = [
    ['invalid_value', 'temperature', { temperature: 2.001 }],
    ['invalid_value', 'temperature', { temperature: -0.1 }],
    ['invalid_type', 'temperature', { temperature: '0.5' }],
    ['invalid_value', 'top_p', { top_p: 1.1 }],
    ['invalid_value', 'min_p', { min_p: -1 }],
    ['invalid_value', 'presence_penalty', { presence_penalty: 2.5 }],
    ['invalid_value', 'frequency_penalty', { frequency_penalty: -2.5 }],
    ['invalid_value', 'repetition_penalty', { repetition_penalty: 0 }],
    ['invalid_type', 'seed', { seed: 1.5 }],
    ['invalid_value', 'seed', { seed: 1e30 }],
    ['invalid_value', 'n', { n: 0 }],
    ['invalid_value', 'n', { n: 17 }],
    ['invalid_value', 'max_tokens', { max_tokens: 0 }],
    ['invalid_type', 'max_completion_tokens', { max_completion_tokens: 'many' }],
    ['invalid_value', 'stop', { stop: '' }],
    ['invalid_value', 'stop', { stop: Array.from({ length: 17 }, (_, index) => `${index}`) }],
    ['invalid_type', 'stop[0]', { stop: [1] }],
    ['invalid_type', 'logprobs', { logprobs: 3 }],
    ['invalid_value', 'top_logprobs', { top_logprobs: 3 }],
    ['invalid_value', 'top_logprobs', { logprobs: true, top_logprobs: 21 }],
    ['invalid_value', 'logit_bias[5]', { logit_bias: { '5': 101 } }],
    ['invalid_type', 'logit_bias[5]', { logit_bias: { '5': 'x' } }],
    ['invalid_value', 'logit_bias', { logit_bias: { hello: 1 } }],
    ['invalid_type', 'stream', { stream: 'yes' }],
    ['missing_required_parameter', 'model', { model: undefined }],
    ['invalid_value', 'model', { model: '' }],
    ['missing_required_parameter', 'messages', { messages: undefined }],
    ['invalid_value', 'messages', { messages: [] }],
    ['invalid_type', 'messages', { messages: 'hi' }],
    ['invalid_type', 'messages[0]', { messages: ['hi'] }],
    ['missing_required_parameter', 'messages[0].role', { messages: [{ content: 'x' }] }],
    ['invalid_value', 'messages[0].role', { messages: [{ role: 'king', content: 'x' }] }],
    ['missing_required_parameter', 'messages[1].content', { messages: [...HELLO.messages, { role: 'user' }] }],
    [
      'missing_required_parameter',
      'messages[0].content[0].text',
      { messages: [{ role: 'user', content: [{ type: 'text' }] }] },
    ],
    ['invalid_value', 'provider.only', { provider: { only: ['nobody'] } }],
    ['invalid_value', 'provider.sort', { provider: { sort: 'beauty' } }],
    ['invalid_value', 'provider.max_price.prompt', { provider: { max_price: { prompt: 'cheap' } } }],
  ]
  for (const [code, param, more] of refused) {
    const answer = await post(`${base}/chat/completions`, { ...HELLO, ...more })
    assertError(answer, 400, 'invalid_request_error', code, param)
  }
  assert.equal(backend.asked.length, 0)
})

test('routing wishes come from the body, from headers, and the body goes first', async (t) => {
  const { base, backend } = await openProxy(t)
  const [a, b] = ['aa'.repeat(32), 'bb'.repeat(32)]
  const provider = {
    order: [a.toUpperCase()],
    only: [a, 'local'],
    ignore: [b],
    sort: 'price',
    max_price: { prompt: 20_000, completion: '60000.9' },
    allow_fallbacks: false,
  }
  const headers = { 'x-swarmd-order': `${b}, ${a}`, 'x-swarmd-sort': 'latency', 'x-swarmd-deadline-ms': '5000' }
  await post(`${base}/chat/completions`, { ...HELLO, provider }, headers)
  await post(`${base}/chat/completions`, HELLO, {
    ...headers,
    'x-swarmd-max-price-completion': '7',
    'x-swarmd-allow-fallbacks': 'false',
  })
  assert.deepEqual(backend.asked[0]?.routing, {
    order: [a],
    only: [a, 'local'],
    ignore: [b],
    sort: 'price',
    maxPrice: { input: 20_000n, output: 60_000n },
    allowFallbacks: false,
    deadlineMs: 5000,
  })
  assert.deepEqual(backend.asked[1]?.routing, {
    order: [b, a],
    only: null,
    ignore: [],
    sort: 'latency',
    maxPrice: { input: null, output: 7n },
    allowFallbacks: false,
    deadlineMs: 5000,
  })
  const bad = {
    'x-swarmd-sort': 'x',
    'x-swarmd-only': 'me',
    'x-swarmd-deadline-ms': '0',
    'x-swarmd-allow-fallbacks': '1',
  }
  for (const [name, value] of Object.entries(bad)) {
    const answer = await post(`${base}/chat/completions`, HELLO, { [name]: value })
    assertError(answer, 400, 'invalid_request_error', 'invalid_value', name)
  }
})

test('an unknown address is 404, a wrong method 405 with what is allowed', async (t) => {
  const { base, port } = await openProxy(t)
  for (const path of ['/', '/v1', '/v1/nothing', '/v1/chat', '/v1/v1/models']) {
    assertError(await ask(`http://127.0.0.1:${port}${path}`), 404, 'invalid_request_error', 'unknown_url')
  }
  const wrong = [
    ['GET', '/chat/completions', 'POST'],
    ['DELETE', '/models/a%2Fb', 'GET'],
    ['POST', '/models', 'GET'],
    ['PUT', '/embeddings', 'POST'],
    ['POST', '/health', 'GET'],
  ] as const
  for (const [method, path, allow] of wrong) {
    const answer = await ask(`${base}${path}`, { method })
    assertError(answer, 405, 'invalid_request_error', 'method_not_allowed')
    assert.equal(answer.headers.get('allow'), allow)
  }
})

test('closing while an answer streams tells it so, and later requests are not accepted', async (t) => {
  const { base, backend, close } = await openProxy(t, new FakeBackend(hang()))
  const response = await fetch(`${base}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...HELLO, stream: true }),
  })
  const whole = post(`${base}/chat/completions`, HELLO)
  const reader = response.body?.getReader()
  await reader?.read()
  while (backend.asked.length < 2) await new Promise((resolve) => setImmediate(resolve))
  const closing = close()
  let rest = ''
  for (;;) {
    const part = await reader?.read()
    if (part === undefined || part.done) break
    rest += Buffer.from(part.value).toString()
  }
  assert.match(rest, /"code":"shutting_down"/)
  assertError(await whole, 503, 'service_unavailable_error', 'shutting_down')
  await closing
  await assert.rejects(ask(`${base}/models`))
})

test('an error of the proxy is an Error with a code that callers can match', () => {
  const error = ProxyError.KEY_REQUIRED('0.0.0.0')
  assert.ok(error instanceof Error)
  assert.equal(error.code, 'KEY_REQUIRED')
})
