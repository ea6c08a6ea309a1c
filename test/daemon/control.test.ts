import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import fc from 'fast-check'
import { connectControl } from '../../daemon/control/client.js'
import { LineCutter } from '../../daemon/control/lines.js'
import { MAX_REQUEST_BYTES, parseMessage, parseRequest } from '../../daemon/control/protocol.js'
import { parseQuestion, SORTS } from '../../daemon/control/route.js'
import type { RouteQuestion, RouteView } from '../../daemon/control/route.js'
import { ControlServer } from '../../daemon/control/server.js'
import type { ControlSource } from '../../daemon/control/server.js'
import type { NodeSnapshot } from '../../daemon/control/snapshot.js'
import { controlAddress } from '../../daemon/paths.js'

const COUNTS = { active: 0, total: 0, failed: 0, cancelled: 0, promptTokens: 0, outputTokens: 0 }

class FakeNode implements ControlSource {
  version = 1
  stopped = 0
  readonly listeners = new Set<() => void>()

  snapshot(): NodeSnapshot {
    return {
      version: `0.0.${this.version}`,
      pid: process.pid,
      started: 0,
      dataDir: '/data',
      state: 'ready',
      api: null,
      network: {
        name: 'test',
        state: 'joined',
        bootstrap: null,
        address: null,
        nat: 'unknown',
        invited: false,
        allowed: null,
      },
      nodeKey: '',
      served: [],
      models: [],
      peers: [],
      requests: COUNTS,
      provided: COUNTS,
      ledger: { state: 'open', transactions: 0, money: null },
      warnings: [],
    }
  }

  explain(question: RouteQuestion): RouteView {
    if (question.model === 'unknown') throw new Error('There is no such model.')
    return { model: question.model ?? '', root: '', chosen: null, retryAfterMs: null, candidates: [], excluded: [] }
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  stop(): void {
    this.stopped += 1
  }

  change(): void {
    this.version += 1
    for (const listener of this.listeners) listener()
  }
}

interface Served {
  readonly node: FakeNode
  readonly server: ControlServer
  readonly dataDir: string
  readonly path: string
}

async function serve(t: TestContext, dataDir = folder(t)): Promise<Served> {
  const node = new FakeNode()
  const server = new ControlServer({ dataDir, runtimeDir: undefined, source: node })
  t.after(() => server.close())
  await server.ready()
  return { node, server, dataDir, path: controlAddress(dataDir, undefined).path }
}

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'swarmd-control-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

function dial(t: TestContext, path: string): Socket {
  const socket = connect(path)
  socket.on('error', () => undefined)
  t.after(() => socket.destroy())
  return socket
}

test('a client gets a snapshot, further ones as the node changes, and asks it to stop', async (t) => {
  const { node, dataDir } = await serve(t)
  const client = await connectControl({ dataDir, runtimeDir: undefined })
  t.after(() => client.close())
  assert.equal((await client.hello()).pid, process.pid)
  assert.equal((await client.snapshot()).version, '0.0.1')
  const next = new Promise<NodeSnapshot>((resolve) => {
    void client.subscribe(resolve).then((now) => {
      assert.equal(now.version, '0.0.1')
      for (let change = 0; change < 50; change++) node.change()
    })
  })
  assert.equal((await next).version, '0.0.51', 'fifty changes at once travel as one')
  await client.stop()
  assert.equal(node.stopped, 1)
})

test('a client is told how a request would go, and why a question has no answer', async (t) => {
  const { dataDir, path } = await serve(t)
  const client = await connectControl({ dataDir, runtimeDir: undefined })
  t.after(() => client.close())
  const question = { maxPrice: { input: null, output: '7' }, sort: null, promptTokens: 1, outputTokens: 0 }
  assert.equal((await client.explain({ ...question, model: 'tiny' })).model, 'tiny')
  await assert.rejects(client.explain({ ...question, model: 'unknown' }), /There is no such model/)
  await assert.rejects(client.explain({ ...question, model: 'tiny', promptTokens: -1 }), /no question about a route/)
  const socket = dial(t, path)
  await once(socket, 'data')
  socket.write('{"id":1,"method":"explain"}\n')
  assert.match(String((await once(socket, 'data'))[0]), /"code":"BAD_PARAMS"/)
})

test('a question survives the way through JSON, and anything else is none', () => {
  const ceiling = fc.option(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String))
  const count = fc.integer({ min: 0, max: 1_048_576 })
  fc.assert(
    fc.property(
      fc.tuple(fc.option(fc.string()), ceiling, ceiling, fc.constantFrom(null, ...SORTS), count, count),
      ([model, input, output, sort, promptTokens, outputTokens]) => {
        const question: RouteQuestion = { model, maxPrice: { input, output }, sort, promptTokens, outputTokens }
        assert.deepEqual(parseQuestion(JSON.parse(JSON.stringify(question))), question)
      },
    ),
  )
  fc.assert(fc.property(fc.anything(), (value) => void parseQuestion(value)))
  const good = { model: null, maxPrice: { input: null, output: null }, sort: null, promptTokens: 0, outputTokens: 0 }
  for (const bad of [
    { sort: 'size' },
    { maxPrice: { input: '-1', output: null } },
    { promptTokens: 1e9 },
    { model: 3 },
  ])
    assert.equal(parseQuestion({ ...good, ...bad }), null)
})

test('closing the server ends its clients and takes the socket away; nobody listens to the node any more', async (t) => {
  const { node, server, dataDir, path } = await serve(t)
  const client = await connectControl({ dataDir, runtimeDir: undefined })
  await client.subscribe(() => undefined)
  assert.equal(node.listeners.size, 1)
  await server.close()
  await client.closed
  assert.equal(node.listeners.size, 0)
  assert.ok(!existsSync(path))
  await assert.rejects(client.snapshot(), { code: 'CONTROL_FAILED' })
})

test('without a daemon the client says so, whether the socket is absent or dead', async (t) => {
  const dataDir = folder(t)
  const target = { dataDir, runtimeDir: undefined }
  await assert.rejects(connectControl(target), { code: 'NOT_RUNNING' })
  // A dead daemon's socket file: bound, never unlinked.
  const { path } = controlAddress(dataDir, undefined)
  writeFileSync(path, '')
  await assert.rejects(connectControl(target), { code: 'NOT_RUNNING' })
  const { server } = await serve(t, dataDir)
  const client = await connectControl(target)
  client.close()
  await server.close()
})

test('only the owner may open the socket', { skip: process.platform === 'win32' && 'named pipes' }, async (t) => {
  const { path } = await serve(t)
  assert.equal(statSync(path).mode & 0o777, 0o600)
})

test(
  'a data folder whose path is too long for a socket gets one elsewhere, in a folder of its own',
  { skip: process.platform === 'win32' && 'named pipes' },
  async (t) => {
    const runtimeDir = folder(t)
    const dataDir = join(folder(t), 'x'.repeat(120))
    mkdirSync(dataDir)
    const { path, folder: own } = controlAddress(dataDir, runtimeDir)
    assert.ok(Buffer.byteLength(path) <= 103)
    assert.notEqual(path, controlAddress(`${dataDir}y`, runtimeDir).path)
    const server = new ControlServer({ dataDir, runtimeDir, source: new FakeNode() })
    t.after(() => server.close())
    await server.ready()
    assert.equal(statSync(own ?? '').mode & 0o777, 0o700)
    const client = await connectControl({ dataDir, runtimeDir })
    client.close()
  },
)

test(
  'a folder that others can write to does not get the socket',
  { skip: process.platform === 'win32' && 'named pipes' },
  async (t) => {
    const runtimeDir = folder(t)
    const dataDir = join(runtimeDir, 'x'.repeat(120))
    mkdirSync(controlAddress(dataDir, runtimeDir).folder ?? '', { mode: 0o755 })
    const server = new ControlServer({ dataDir, runtimeDir, source: new FakeNode() })
    await assert.rejects(server.ready(), { code: 'DATA_UNUSABLE' })
    await server.close()
  },
)

test('rubbish ends the connection it came on and no other', async (t) => {
  const { dataDir, path } = await serve(t)
  const client = await connectControl({ dataDir, runtimeDir: undefined })
  t.after(() => client.close())
  for (const rubbish of [
    'nonsense\n',
    '{}\n',
    '{"id":1}\n',
    '[]\n',
    '\n',
    'x'.repeat(MAX_REQUEST_BYTES + 1),
    '{"id":1.5,"method":"snapshot"}\n',
  ]) {
    const socket = dial(t, path)
    socket.write(rubbish)
    socket.resume()
    await once(socket, 'close')
  }
  assert.equal((await client.snapshot()).pid, process.pid)
})

test('an unknown method is an error by name', async (t) => {
  const { path } = await serve(t)
  const socket = dial(t, path)
  socket.write('{"id":7,"method":"dance"}\n')
  const cutter = new LineCutter(10_000)
  for await (const chunk of socket) {
    const answer = (cutter.push(chunk as Buffer) ?? [])
      .map((line) => parseMessage(line))
      .find((message) => message !== null && 'id' in message)
    if (answer === undefined || answer === null) continue
    assert.deepEqual(answer, { id: 7, error: { code: 'UNKNOWN_METHOD', message: 'There is no method "dance".' } })
    break
  }
})

test('a client that never reads does not keep the server from closing', async (t) => {
  const { node, server, path } = await serve(t)
  const socket = dial(t, path)
  await once(socket, 'connect')
  socket.pause()
  for (let id = 0; id < 2000; id++) socket.write(`{"id":${id},"method":"snapshot"}\n`)
  socket.write('{"id":0,"method":"stop"}\n')
  await new Promise<void>((resolve) => {
    const look = (): void => (node.stopped > 0 ? resolve() : void setImmediate(look))
    look()
  })
  await server.close()
})

test('whatever else listens there is refused, and silence has an end', async (t) => {
  const dataDir = folder(t)
  const { path } = controlAddress(dataDir, undefined)
  let greeting = 'HTTP/1.1 400 Bad Request\r\n\r\n'
  const sockets: Socket[] = []
  const stranger = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    socket.write(greeting)
  })
  stranger.listen(path)
  await once(stranger, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    stranger.close()
  })
  const target = { dataDir, runtimeDir: undefined, timeoutMs: 50 }
  await assert.rejects(connectControl(target), { code: 'CONTROL_FAILED', message: /is not swarmd/ })
  greeting = '{"hello":{"protocol":2,"version":"9.9.9","pid":1}}\n'
  await assert.rejects(connectControl(target), { code: 'CONTROL_FAILED', message: /swarmd 9\.9\.9.*restart/ })
  greeting = '{"hel'
  await assert.rejects(connectControl(target), { code: 'CONTROL_FAILED', message: /did not answer/ })
})

test('lines come out as they went in, however the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'grapheme', maxLength: 12 }).filter((line) => !line.includes('\n'))),
      fc.array(fc.nat(5)),
      (lines, cuts) => {
        const stream = Buffer.from(lines.map((line) => `${line}\n`).join(''))
        const cutter = new LineCutter(1000)
        const out: string[] = []
        let at = 0
        for (const cut of [...cuts, stream.length]) {
          out.push(...(cutter.push(stream.subarray(at, at + cut)) ?? assert.fail('too long')))
          at += cut
        }
        assert.deepEqual(out, lines)
      },
    ),
  )
})

test('no more than the limit of an unfinished line is kept', () => {
  fc.assert(
    fc.property(fc.nat(8), fc.array(fc.nat(4), { maxLength: 8 }), (limit, sizes) => {
      const cutter = new LineCutter(limit)
      let total = 0
      for (const size of sizes) {
        total += size
        assert.equal(cutter.push(Buffer.alloc(size, 'x')) === null, total > limit)
        if (total > limit) break
      }
    }),
  )
})

test('a whole line above the limit is refused, too', () => {
  assert.deepEqual(new LineCutter(3).push(Buffer.from('abc\nde\n')), ['abc', 'de'])
  assert.equal(new LineCutter(3).push(Buffer.from('abcd\n')), null)
  const cutter = new LineCutter(3)
  assert.deepEqual(cutter.push(Buffer.from('ab')), [])
  assert.equal(cutter.push(Buffer.from('cd\n')), null)
})

test('any text is a request, a message, or null', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
      parseRequest(line)
      parseMessage(line)
    }),
  )
})
