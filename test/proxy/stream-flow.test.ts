import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { BackendError, FakeBackend, done, fail, hang, started, text, untilAborted } from '../helpers/backend.js'
import { events, openProxy, openResponse, post } from '../helpers/http.js'

const HELLO = { model: 'toy', messages: [{ role: 'user', content: 'hi' }], stream: true }

test('a failure before the first byte keeps its status code', async (t) => {
  const { base } = await openProxy(t, new FakeBackend(fail(new BackendError('MODEL_NOT_FOUND', 'no such model'))))
  const { status, headers, json } = await post(`${base}/chat/completions`, HELLO)
  assert.equal(status, 404)
  assert.equal(headers.get('content-type'), 'application/json; charset=utf-8')
  assert.equal(json['error']?.['code'], 'model_not_found')
})

test('a failure after the first byte is an event with the same body, and the end', async (t) => {
  const backend = new FakeBackend(async function* (request) {
    yield started(request)
    yield text('half')
    throw new BackendError('PEER_LOST', 'the provider went away')
  })
  const { base } = await openProxy(t, backend)
  const { status, text: body } = await post(`${base}/chat/completions`, HELLO)
  assert.equal(status, 200)
  const { data, done: ended } = events(body)
  assert.equal(ended, false)
  assert.deepEqual(data.at(-1), {
    error: { message: 'the provider went away', type: 'server_error', param: null, code: 'peer_lost' },
  })
})

test('queue and prefill are told as comments at once, and the last one is repeated while nothing else comes', async (t) => {
  const backend = new FakeBackend(async function* (_request, signal) {
    yield { type: 'queued', position: 3 }
    yield { type: 'prefill', done: 512, total: 2048 }
    await untilAborted(signal)
    yield done(0)
  })
  const { port } = await openProxy(t, backend, { heartbeatMs: 20 })
  const response = await openResponse(port, '/v1/chat/completions', HELLO)
  const comments: string[] = []
  for await (const chunk of response) {
    comments.push(...events(String(chunk)).comments)
    if (comments.length >= 5) break
  }
  assert.deepEqual(comments.slice(0, 2), ['queued, position 3', 'prefill 512/2048'])
  assert.ok(comments.slice(2).every((comment) => comment === 'prefill 512/2048'))
})

test('a backend that says nothing still gets the headers and a comment out', async (t) => {
  const backend = new FakeBackend(async function* (_request, signal) {
    await untilAborted(signal)
    yield done(0)
  })
  const { port } = await openProxy(t, backend, { graceMs: 1 })
  const response = await openResponse(port, '/v1/chat/completions', HELLO)
  const [first] = (await once(response, 'data')) as [Buffer]
  assert.equal(first.toString(), ': waiting\n\n')
  response.destroy()
})

test('a client that goes away cancels the backend, streaming or not', async (t) => {
  for (const stream of [true, false]) {
    let cancelled: () => void = () => undefined
    const cancellation = new Promise<void>((resolve) => {
      cancelled = resolve
    })
    const backend = new FakeBackend(hang(() => cancelled()))
    const { base } = await openProxy(t, backend)
    const abort = new AbortController()
    const answer = fetch(`${base}/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...HELLO, stream }),
      signal: abort.signal,
    })
    if (stream) await (await answer).body?.getReader().read()
    else await asked(backend)
    abort.abort()
    if (!stream) await assert.rejects(answer)
    await cancellation
  }
})

test('with n choices the failure of one cancels the others', async (t) => {
  let cancelled = 0
  const backend = new FakeBackend(async function* (request, signal) {
    yield started(request)
    if (request.sampling.seed === 8n) throw new BackendError('PEER_LOST', 'lost')
    await untilAborted(signal)
    cancelled += 1
    throw new BackendError('CANCELLED', 'cancelled')
  })
  const { base } = await openProxy(t, backend)
  const { data } = events((await post(`${base}/chat/completions`, { ...HELLO, n: 3, seed: 7 })).text)
  assert.equal(data.at(-1)?.['error']?.['code'], 'peer_lost')
  assert.equal(cancelled, 2)
})

test('a client that does not read holds the backend back', async (t) => {
  let produced = 0
  const piece = 'x'.repeat(10_000)
  const backend = new FakeBackend(async function* (request, signal) {
    yield started(request)
    for (; !signal.aborted && produced < 5_000; produced++) yield text(piece)
    yield done(produced)
  })
  const { port } = await openProxy(t, backend)
  const response = await openResponse(port, '/v1/chat/completions', HELLO)
  response.pause()
  // Held back means: the count stands still over many turns of the loop. 50 MB do not fit into any socket buffer.
  let before = -1
  while (before !== produced) {
    before = produced
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve))
  }
  assert.ok(produced < 5_000, `${produced} of 5000 pieces were produced for a client that reads nothing`)
  response.resume()
  let bytes = 0
  for await (const chunk of response) bytes += (chunk as Buffer).length
  assert.equal(produced, 5_000)
  assert.ok(bytes > 50_000_000)
})

async function asked(backend: FakeBackend): Promise<void> {
  while (backend.asked.length === 0) await new Promise((resolve) => setImmediate(resolve))
}
