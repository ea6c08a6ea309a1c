import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { connectControl } from '../../daemon/control/client.js'
import type { ControlClient } from '../../daemon/control/client.js'
import { ControlServer } from '../../daemon/control/server.js'
import type { Stream } from '../../daemon/control/server.js'
import type { NodeSnapshot } from '../../daemon/control/snapshot.js'
import { DaemonError } from '../../daemon/errors.js'
import { folderOf } from '../ledger/folder.js'

async function connected(t: TestContext, streams: Readonly<Record<string, Stream>>): Promise<ControlClient> {
  const dataDir = folderOf(t)
  const source = {
    // The hello alone reads it here.
    snapshot: () => ({ version: '0' }) as NodeSnapshot,
    explain: () => assert.fail('nobody asks'),
    onChange: () => () => undefined,
    stop: () => undefined,
    streams,
  }
  const server = new ControlServer({ dataDir, runtimeDir: undefined, source })
  t.after(() => server.close())
  await server.ready()
  const client = await connectControl({ dataDir, runtimeDir: undefined })
  t.after(() => client.close())
  return client
}

test('a stream answers its parameters with items in order, then ends', async (t) => {
  const client = await connected(t, {
    async *count(params) {
      for (let i = 0; i < (params as { to: number }).to; i++) yield { i }
    },
  })
  const got: unknown[] = []
  for await (const item of client.stream('count', { to: 300 })) got.push(item)
  assert.deepEqual(
    got,
    Array.from({ length: 300 }, (_, i) => ({ i })),
  )
  for await (const item of client.stream('count', { to: 0 })) assert.fail(String(item))
})

test('a failure comes with its code, behind what was answered before it', async (t) => {
  const client = await connected(t, {
    async *broken() {
      yield 1
      throw DaemonError.NOT_RUNNING('not now')
    },
  })
  const got: unknown[] = []
  await assert.rejects(
    async () => {
      for await (const item of client.stream('broken', null)) got.push(item)
    },
    { code: 'NOT_RUNNING', message: 'not now' },
  )
  assert.deepEqual(got, [1])
  const other = await connected(t, {})
  await assert.rejects(
    async () => {
      for await (const item of other.stream('toString', null)) assert.fail(String(item))
    },
    { code: 'UNKNOWN_METHOD' },
  )
})

test('a reader that stops reading stops the work, and one that goes away ends it', async (t) => {
  let made = 0
  let ended: () => void = () => undefined
  const end = new Promise<void>((resolve) => (ended = resolve))
  const client = await connected(t, {
    async *endless(_params, signal) {
      try {
        for (;;) {
          signal.throwIfAborted()
          made++
          yield 'x'.repeat(64 * 1024)
        }
      } finally {
        ended()
      }
    },
  })
  for await (const item of client.stream('endless', null)) {
    assert.equal(String(item).length, 64 * 1024)
    // Both ends' buffers fill up, and then nothing more is made.
    let before = -1
    while (before !== made) {
      before = made
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    assert.ok(made < 200, `${made} items of 64 kB were made for one that was read`)
    break
  }
  await end
  await client.closed
})

test('a daemon that ends fails the stream', async (t) => {
  const client = await connected(t, {
    async *quiet(_params, signal) {
      yield 1
      await once(signal, 'abort')
    },
  })
  const stream = client.stream('quiet', null)
  await stream.next()
  client.close()
  await assert.rejects(stream.next(), { code: 'CONTROL_FAILED' })
})
