import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProxyError } from '../../proxy/errors.js'
import { BackendError, FakeBackend, fail, hang } from '../helpers/backend.js'
import { ask, assertError, openProxy, post } from '../helpers/http.js'

const HELLO = { model: 'toy', messages: [{ role: 'user', content: 'hi' }] }

test('every code of the backend has its status, its type and its advice about retrying', async (t) => {
  const table: readonly (readonly [string, number, string, string, string | null, boolean])[] = [
    ['MODEL_NOT_FOUND', 404, 'not_found_error', 'model_not_found', 'model', false],
    ['NO_PROVIDER', 503, 'service_unavailable_error', 'no_provider', null, true],
    ['OFFER_UNKNOWN', 503, 'service_unavailable_error', 'no_provider', null, true],
    ['ENGINE_CLOSED', 503, 'service_unavailable_error', 'not_ready', null, true],
    ['NOT_READY', 503, 'service_unavailable_error', 'not_ready', null, true],
    ['CANCELLED', 503, 'service_unavailable_error', 'cancelled', null, true],
    ['BUSY', 429, 'rate_limit_error', 'busy', null, true],
    ['QUEUE_FULL', 429, 'rate_limit_error', 'queue_full', null, true],
    ['RATE_LIMITED', 429, 'rate_limit_error', 'rate_limited', null, true],
    ['CONTEXT_LENGTH_EXCEEDED', 400, 'invalid_request_error', 'context_length_exceeded', 'messages', false],
    ['BAD_REQUEST', 400, 'invalid_request_error', 'bad_request', null, false],
    ['OUT_OF_BOUNDS', 400, 'invalid_request_error', 'bad_request', null, false],
    ['EMBEDDINGS_UNSUPPORTED', 400, 'invalid_request_error', 'unsupported', null, false],
    ['UNSUPPORTED', 400, 'invalid_request_error', 'unsupported', null, false],
    ['NO_CHAT_TEMPLATE', 400, 'invalid_request_error', 'no_chat_template', 'messages', false],
    ['PAYMENT_REQUIRED', 402, 'insufficient_funds', 'insufficient_funds', null, false],
    ['INSUFFICIENT_FUNDS', 402, 'insufficient_funds', 'insufficient_funds', null, false],
    ['CHANNEL_EXHAUSTED', 402, 'insufficient_funds', 'insufficient_funds', null, false],
    ['BUDGET_EXCEEDED', 402, 'insufficient_funds', 'budget_exceeded', null, false],
    ['COST_LIMIT', 402, 'insufficient_funds', 'cost_limit', null, false],
    ['PRICE_TOO_HIGH', 402, 'insufficient_funds', 'price_too_high', null, false],
    ['PEER_LOST', 502, 'server_error', 'peer_lost', null, true],
    ['MESSAGE_TOO_LARGE', 502, 'server_error', 'bad_provider', null, true],
    ['FLOODED', 502, 'server_error', 'bad_provider', null, true],
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
  backend.script = fail(new BackendError('BUSY', 'now', {}, 0))
  assert.equal((await post(`${base}/chat/completions`, HELLO)).headers.get('retry-after'), '1')
})

test('a context that is too long is said with both numbers, and names the input of its route', async (t) => {
  const { base, backend } = await openProxy(t)
  const error = new BackendError('CONTEXT_LENGTH_EXCEEDED', 'too long', { limit: 8192, prompt: 9001 })
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
