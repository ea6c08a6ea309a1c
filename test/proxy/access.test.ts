import assert from 'node:assert/strict'
import { request } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import { test } from 'node:test'
import fc from 'fast-check'
import { Access, isLoopback } from '../../proxy/access.js'
import { createProxy } from '../../proxy/proxy.js'
import { FakeBackend } from '../helpers/backend.js'
import { ask, openProxy, post } from '../helpers/http.js'

const HELLO = { model: 'toy', messages: [{ role: 'user', content: 'hi' }] }
const RULES = { host: '127.0.0.1', key: null, allowOrigins: [], allowHosts: [] }

/** fetch sets Host itself; this does not. */
function askAs(
  port: number,
  headers: Record<string, string>,
  path = '/v1/models',
): Promise<{ status: number; headers: IncomingHttpHeaders; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: '127.0.0.1', path, headers, agent: false, setHost: false }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
    })
    sent.on('error', reject)
    sent.end()
  })
}

test('on loopback without a key any caller on this machine is served, whatever key it sends', async (t) => {
  const { base } = await openProxy(t)
  for (const headers of [{}, { authorization: 'Bearer sk-anything' }, { 'x-api-key': 'x' }]) {
    assert.equal((await post(`${base}/chat/completions`, HELLO, { ...headers })).status, 200)
  }
})

test("a named key opens like the owner's, and the backend is told whose budget it is", async (t) => {
  const keys = new Map([
    ['laptop', 'sk-laptop'],
    ['phone', 'sk-phone'],
  ])
  const { base, backend } = await openProxy(t, new FakeBackend(), { key: 'sk-right', keys })
  for (const key of ['sk-right', 'sk-phone', 'sk-laptop']) {
    const { status } = await post(`${base}/chat/completions`, HELLO, { authorization: `Bearer ${key}` })
    assert.equal(status, 200)
  }
  await post(`${base}/completions`, { model: 'toy', prompt: 'hi' }, { 'x-api-key': 'sk-phone' })
  await post(`${base}/embeddings`, { model: 'toy', input: 'hi' }, { 'x-api-key': 'sk-laptop' })
  assert.deepEqual(
    [...backend.asked, ...backend.embedded].map(({ caller }) => caller),
    [null, 'phone', 'laptop', 'phone', 'laptop'],
  )
  assert.equal((await post(`${base}/chat/completions`, HELLO, { 'x-api-key': 'laptop' })).status, 401)
})

test('with a key set, Bearer and X-Api-Key open, everything else is 401', async (t) => {
  const { base, backend } = await openProxy(t, new FakeBackend(), { key: 'sk-right' })
  const right = [
    { authorization: 'Bearer sk-right' },
    { authorization: 'bearer  sk-right' },
    { 'x-api-key': 'sk-right' },
  ]
  for (const headers of right) {
    assert.equal((await post(`${base}/chat/completions`, HELLO, { ...headers })).status, 200)
  }
  const wrong = [
    {},
    { authorization: 'Bearer sk-wrong' },
    { authorization: 'Bearer sk-righ' },
    { authorization: 'Bearer sk-right2' },
    { authorization: 'Basic sk-right' },
    { authorization: 'sk-right' },
    { authorization: 'Bearer ' },
    { 'x-api-key': '' },
    { 'x-api-key': 'x'.repeat(5000) },
  ]
  for (const headers of wrong) {
    const { status, json, headers: answered } = await post(`${base}/chat/completions`, HELLO, { ...headers })
    assert.equal(status, 401, JSON.stringify(headers).slice(0, 60))
    assert.equal(json['error']?.['code'], 'invalid_api_key')
    assert.equal(json['error']?.['type'], 'authentication_error')
    assert.equal(answered.get('x-should-retry'), 'false')
  }
  assert.equal(backend.asked.length, right.length)
  assert.equal((await ask(`${base}/models`)).status, 401)
  assert.equal((await ask(`${base}/nothing`)).status, 401)
})

test('health needs no key, and tells only the status without it', async (t) => {
  const { base } = await openProxy(t, new FakeBackend(), { key: 'sk-right' })
  assert.deepEqual((await ask(`${base}/health`)).json, { status: 'ok' })
  const known = await ask(`${base}/health?x=1`, { headers: { 'x-api-key': 'sk-right' } })
  assert.equal(String(known.json['version']), '0.0.0-test')
})

test('any key is held by those who have it and by nobody else', () => {
  const key = fc.string({ minLength: 1, maxLength: 8, unit: fc.constantFrom('a', 'b') })
  fc.assert(
    fc.property(key, key, (set, given) => {
      const access = new Access({ ...RULES, key: set })
      assert.equal(access.holdsKey({ authorization: `Bearer ${given}` }), set === given)
      assert.equal(access.holdsKey({ 'x-api-key': given }), set === given)
    }),
  )
})

test('a Host that is not this machine is refused, so that DNS rebinding finds nothing', async (t) => {
  const { port } = await openProxy(t, new FakeBackend(), { allowHosts: ['Swarm.example'] })
  const good = [
    '127.0.0.1',
    `127.0.0.1:${port}`,
    'localhost',
    'LOCALHOST:80',
    '[::1]:8080',
    'api.localhost',
    '127.9.9.9',
    'host.docker.internal',
    'swarm.example:443',
  ]
  for (const host of good) assert.equal((await askAs(port, { host })).status, 200, host)
  const bad = [
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '192.168.1.5',
    'evillocalhost',
    '[::2]',
    '0.0.0.0',
    'a b',
    '',
  ]
  for (const host of bad) {
    const { status, text } = await askAs(port, { host })
    assert.equal(status, 403, host)
    assert.match(text, /"code":"forbidden_host"/)
  }
  assert.equal((await askAs(port, {})).status, 403)
})

test('a page of another origin is refused before anything is asked; a page of this machine is served with CORS', async (t) => {
  const { base, backend } = await openProxy(t, new FakeBackend(), { allowOrigins: ['https://my.app'] })
  const bad = [
    'http://evil.example',
    'https://localhost.evil.example',
    'null',
    'file://',
    'https://my.app.evil',
    'http://my.app',
    'nonsense',
  ]
  for (const origin of bad) {
    const { status, json, headers } = await post(`${base}/chat/completions`, HELLO, { origin })
    assert.equal(status, 403, origin)
    assert.equal(json['error']?.['code'], 'forbidden_origin')
    assert.equal(headers.get('access-control-allow-origin'), null)
  }
  assert.equal(backend.asked.length, 0)
  for (const origin of [
    'http://localhost:3000',
    'https://127.0.0.1',
    'http://[::1]:5173',
    'tauri://localhost',
    'https://my.app',
  ]) {
    for (const stream of [false, true]) {
      const { status, headers } = await post(`${base}/chat/completions`, { ...HELLO, stream }, { origin })
      assert.equal(status, 200, origin)
      assert.equal(headers.get('access-control-allow-origin'), origin)
      assert.match(headers.get('access-control-expose-headers') ?? '', /x-request-id/)
    }
  }
})

test('an error is readable by a page that may call', async (t) => {
  const { base } = await openProxy(t)
  const { status, headers } = await post(`${base}/chat/completions`, {}, { origin: 'http://localhost:3000' })
  assert.equal(status, 400)
  assert.equal(headers.get('access-control-allow-origin'), 'http://localhost:3000')
})

test('a preflight is answered without a key, and only for origins that may call', async (t) => {
  const { base } = await openProxy(t, new FakeBackend(), { key: 'k' })
  const preflight = (origin: string): ReturnType<typeof ask> =>
    ask(`${base}/chat/completions`, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,x-stainless-os',
      },
    })
  const good = await preflight('http://localhost:3000')
  assert.equal(good.status, 204)
  assert.equal(good.headers.get('access-control-allow-origin'), 'http://localhost:3000')
  assert.equal(good.headers.get('access-control-allow-headers'), 'authorization,x-stainless-os')
  assert.equal((await preflight('https://evil.example')).status, 403)
})

test('a page cannot send the request in a form that needs no preflight', async (t) => {
  const { base, backend } = await openProxy(t)
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
    const { status } = await post(`${base}/chat/completions`, HELLO, { 'content-type': type })
    assert.equal(status, 415, type)
  }
  assert.equal(backend.asked.length, 0)
})

test('an address that others can reach needs a key, or the proxy does not start', async () => {
  for (const host of ['0.0.0.0', '::', '192.168.1.5', 'example.org', '128.0.0.1', '127.0.0.1.example']) {
    const proxy = createProxy({ backend: new FakeBackend(), host, port: 0 })
    await assert.rejects(proxy.ready(), { code: 'KEY_REQUIRED' })
    assert.equal(proxy.address, null)
    await proxy.close()
  }
  await assert.rejects(createProxy({ backend: new FakeBackend(), port: 0, key: '' }).ready(), { code: 'invalid_value' })
})

test('off loopback the key decides, and the Host may be any name', () => {
  const access = new Access({ ...RULES, host: '0.0.0.0', key: 'k' })
  access.assertBindable()
  assert.equal(access.refuse({ host: 'my.server.example' }), null)
  assert.equal(access.refuse({ host: 'my.server.example', origin: 'https://evil.example' })?.code, 'forbidden_origin')
})

test('loopback is 127.0.0.0/8, ::1 and localhost, and nothing that looks like them', () => {
  for (const host of ['127.0.0.1', '127.255.0.9', '::1', '[::1]', 'localhost', 'LocalHost'])
    assert.ok(isLoopback(host), host)
  for (const host of ['0.0.0.0', '::', '1.127.0.0.1', '127.0.0.1.x', '127.0.0', 'localhost.', ''])
    assert.ok(!isLoopback(host), host)
})
