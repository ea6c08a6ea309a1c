import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { test } from 'node:test'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { FakeBackend } from '../helpers/backend.js'
import { openProxy, post, raw } from '../helpers/http.js'

const HELLO = { model: 'toy', messages: [{ role: 'user', content: 'hi' }] }
const JSON_TYPE = { 'content-type': 'application/json' }

async function send(
  port: number,
  headers: Record<string, string>,
  body: Buffer,
  agent?: Agent,
): Promise<{ status: number; text: string; localPort: number }> {
  const sent = request({
    port,
    host: '127.0.0.1',
    path: '/v1/chat/completions',
    method: 'POST',
    headers: { ...JSON_TYPE, ...headers },
    ...(agent === undefined ? {} : { agent }),
  })
  sent.on('error', () => undefined)
  sent.end(body)
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  const localPort = response.socket.localPort ?? 0
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return { status: response.statusCode ?? 0, text, localPort }
}

test('bodies may be compressed', async (t) => {
  const { port, backend } = await openProxy(t)
  const json = Buffer.from(JSON.stringify(HELLO))
  const forms = {
    gzip: gzipSync(json),
    'x-gzip': gzipSync(json),
    deflate: deflateSync(json),
    br: brotliCompressSync(json),
    identity: json,
  }
  for (const [encoding, body] of Object.entries(forms)) {
    const { status, text } = await send(port, { 'content-encoding': encoding }, body)
    assert.equal(status, 200, `${encoding}: ${text}`)
  }
  assert.equal(backend.asked.length, 5)
})

test('a body that does not inflate, or in an unknown form, is refused', async (t) => {
  const { port } = await openProxy(t)
  const whole = gzipSync(JSON.stringify(HELLO))
  for (const [encoding, body] of [
    ['gzip', Buffer.from('no gzip')],
    ['gzip', whole.subarray(0, 20)],
    ['br', Buffer.from('no brotli')],
  ] as const) {
    const { status, text } = await send(port, { 'content-encoding': encoding }, body)
    assert.equal(status, 400, text)
    assert.match(text, /does not inflate/)
  }
  const unknown = await send(port, { 'content-encoding': 'zstd' }, whole)
  assert.equal(unknown.status, 415)
  assert.match(unknown.text, /unsupported_media_type/)
})

test('a body over the limit is 413, announced, streamed or inflated', async (t) => {
  const { port, backend } = await openProxy(t, new FakeBackend(), { bodyLimit: 100_000 })
  const json = Buffer.from(JSON.stringify({ ...HELLO, padding: 'x'.repeat(200_000) }))
  const answers = [
    await send(port, { 'content-length': String(json.length) }, json),
    await send(port, { 'transfer-encoding': 'chunked' }, json),
    await send(port, { 'content-encoding': 'gzip' }, gzipSync(json)),
  ]
  for (const { status, text } of answers) {
    assert.equal(status, 413)
    assert.match(text, /"code":"body_too_large"/)
    assert.match(text, /100000 bytes/)
  }
  assert.equal(backend.asked.length, 0)
})

test('a body just below 20 MB is taken by default', async (t) => {
  const { base, backend } = await openProxy(t)
  const content = 'x'.repeat(19_900_000)
  assert.equal(
    (await post(`${base}/chat/completions`, { ...HELLO, messages: [{ role: 'user', content }] })).status,
    200,
  )
  const prompt = backend.asked[0]?.prompt
  assert.ok(prompt?.kind === 'chat' && prompt.messages[0]?.content.length === content.length)
})

test('what is not JSON, or no JSON object, is a 400', async (t) => {
  const { base } = await openProxy(t)
  for (const body of ['{', '', 'null', '[]', '"text"', '7', '{"model":"toy",}', '\u0000', '['.repeat(100_000)]) {
    const { status, json } = await post(`${base}/chat/completions`, body)
    assert.equal(status, 400, body.slice(0, 20))
    assert.equal(json['error']?.['type'], 'invalid_request_error')
  }
})

test('a byte order mark before the JSON does no harm, and __proto__ is a field like any other', async (t) => {
  const { base } = await openProxy(t)
  assert.equal((await post(`${base}/chat/completions`, `\ufeff${JSON.stringify(HELLO)}`)).status, 200)
  const polluted = `{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},${JSON.stringify(HELLO).slice(1)}`
  assert.equal((await post(`${base}/chat/completions`, polluted)).status, 200)
  assert.equal('polluted' in {}, false)
})

test('one connection serves many requests, also after an error', async (t) => {
  const { port } = await openProxy(t)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  const ports = new Set<number>()
  for (const body of [HELLO, {}, { ...HELLO, stream: true }, HELLO]) {
    const { localPort } = await send(port, {}, Buffer.from(JSON.stringify(body)), agent)
    ports.add(localPort)
  }
  assert.equal(ports.size, 1)
})

test('a client that expects 100-continue is told to go on; another expectation is 417', async (t) => {
  const { port } = await openProxy(t)
  const json = JSON.stringify(HELLO)
  const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${json.length}\r\nconnection: close\r\n`
  const socket = connect(port, '127.0.0.1')
  t.after(() => socket.destroy())
  socket.write(`${head}expect: 100-continue\r\n\r\n`)
  const [first] = (await once(socket, 'data')) as [Buffer]
  assert.match(first.toString(), /^HTTP\/1\.1 100 Continue/)
  let rest = ''
  socket.on('data', (chunk: Buffer) => (rest += chunk.toString()))
  socket.write(json)
  await once(socket, 'close')
  assert.match(rest, /^HTTP\/1\.1 200/)
  assert.match(await raw(port, `${head}expect: miracles\r\n\r\n`), /^HTTP\/1\.1 417.*"code":"expectation_failed"/s)
})

test('what is no HTTP is answered in the same form, and the connection ends', async (t) => {
  const { port } = await openProxy(t)
  const garbled = await raw(port, 'this is not http\r\n\r\n')
  assert.match(garbled, /^HTTP\/1\.1 400 Bad Request\r\n.*x-request-id: req_.*"code":"invalid_body"/s)
  const huge = await raw(port, `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`)
  assert.match(huge, /^HTTP\/1\.1 431.*"code":"headers_too_large"/s)
})

test('an address that cannot be decoded is a 400 in the same form', async (t) => {
  const { port } = await openProxy(t)
  const answer = await raw(port, 'GET /v1/models/%zz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n')
  assert.match(answer, /^HTTP\/1\.1 400.*x-request-id: req_.*"type":"invalid_request_error"/s)
})

test('a client that goes away in the middle of its body harms nobody', async (t) => {
  const { port, base, backend } = await openProxy(t)
  const socket = connect(port, '127.0.0.1')
  socket.write(
    'POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{"mod',
  )
  await once(socket, 'connect')
  socket.destroy()
  await once(socket, 'close')
  assert.equal((await post(`${base}/chat/completions`, HELLO)).status, 200)
  assert.equal(backend.asked.length, 1)
})

test('every answer has an id of its own', async (t) => {
  const { base } = await openProxy(t)
  const ids = await Promise.all(
    Array.from({ length: 20 }, async () =>
      (await post(`${base}/chat/completions`, HELLO, { 'x-request-id': 'mine' })).headers.get('x-request-id'),
    ),
  )
  assert.equal(new Set(ids).size, 20)
})
