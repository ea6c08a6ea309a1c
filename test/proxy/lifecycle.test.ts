import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { createProxy } from '../../proxy/proxy.js'
import { FakeBackend } from '../helpers/backend.js'
import { ask, openProxy } from '../helpers/http.js'

test('port 0 takes a free port and says which', async (t) => {
  const proxy = createProxy({ backend: new FakeBackend(), port: 0 })
  t.after(() => proxy.close())
  assert.equal(proxy.address, null)
  await proxy.ready()
  const { host, port, baseUrl } = proxy.address ?? { host: '', port: 0, baseUrl: '' }
  assert.equal(host, '127.0.0.1')
  assert.ok(port > 0)
  assert.equal(baseUrl, `http://127.0.0.1:${port}/v1`)
  assert.equal((await ask(`${baseUrl}/models`)).status, 200)
})

test('ready and close may be called again, in any order', async () => {
  const proxy = createProxy({ backend: new FakeBackend(), port: 0 })
  await Promise.all([proxy.ready(), proxy.ready()])
  await Promise.all([proxy.close(), proxy.close()])
  await proxy.close()
  await createProxy({ backend: new FakeBackend(), port: 0 }).close()
})

test('closing frees the port, also with idle connections open', async (t) => {
  const { base, port, close } = await openProxy(t)
  await ask(`${base}/models`)
  await close()
  await openProxy(t, new FakeBackend(), { port })
})

test('a port that another swarmd has is said so, with the way out', async (t) => {
  const { port } = await openProxy(t)
  const second = createProxy({ backend: new FakeBackend(), port })
  await assert.rejects(second.ready(), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'EADDRINUSE')
    assert.match(error.message, new RegExp(`Port ${port} on 127.0.0.1 is taken: another swarmd answers`))
    assert.match(error.message, /swarmd status/)
    assert.match(error.message, /--port N, SWARMD_PORT/)
    return true
  })
  await second.close()
})

test('a port that another program has is said so, with the command that names it', async (t) => {
  const server = createServer((socket) => socket.end('220 not http\r\n'))
  t.after(() => server.close())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await assert.rejects(
    createProxy({ backend: new FakeBackend(), port }).ready(),
    (error: Error & { code?: string }) => {
      assert.equal(error.code, 'EADDRINUSE')
      assert.match(error.message, new RegExp(`ss -ltnp sport = :${port}`))
      return true
    },
  )
})

test('an address of another machine is said so', async () => {
  const proxy = createProxy({ backend: new FakeBackend(), host: '192.0.2.1', key: 'k', port: 0 })
  await assert.rejects(proxy.ready(), { code: 'EADDRNOTAVAIL', message: /192\.0\.2\.1 is no address of this machine/ })
  await proxy.close()
})
