import assert from 'node:assert/strict'
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { EventStream } from '../../proxy/sse.js'

interface Recorded {
  readonly stream: EventStream
  readonly writes: string[]
  readonly tick: (ms: number) => void
}

/** A stream on a response without a socket, with the clock in the test's hand. */
function record(t: TestContext, graceMs = 50): Recorded {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  const raw = new ServerResponse(new IncomingMessage(new Socket()))
  const writes: string[] = []
  t.mock.method(raw, 'write', (chunk: string) => {
    writes.push(chunk)
    return true
  })
  const stream = new EventStream(raw, { graceMs, heartbeatMs: 1000, takeOver: () => ({}) })
  t.after(() => stream.end())
  return { stream, writes, tick: (ms) => t.mock.timers.tick(ms) }
}

test('nothing is sent during the grace, then a comment', (t) => {
  const { stream, writes, tick } = record(t)
  tick(49)
  assert.deepEqual([writes, stream.opened], [[], false])
  tick(1)
  assert.deepEqual([writes, stream.opened], [[': waiting\n\n'], true])
})

test('the first event ends the grace; the comment goes before it, and each is one write', (t) => {
  const { stream, writes } = record(t)
  stream.send('data: 1\n\n')
  stream.send('data: 2\n\n')
  assert.deepEqual(writes, [': waiting\n\n', 'data: 1\n\n', 'data: 2\n\n'])
})

test('whenever events come, no silence is longer than a heartbeat', (t) => {
  const { stream, writes, tick } = record(t)
  tick(50)
  let silence = 0
  let seen = writes.length
  for (let ms = 0; ms < 20_000; ms += 10) {
    // Events at odd times, also just after a beat, when the next beat stays silent.
    if (ms % 1370 === 0 || ms % 4510 === 0) stream.send('data: x\n\n')
    tick(10)
    silence = writes.length === seen ? silence + 10 : 0
    seen = writes.length
    assert.ok(silence < 1000, `${silence} ms of silence at ${ms}`)
  }
})

test('while events flow there are no comments between them', (t) => {
  const { stream, writes, tick } = record(t)
  for (let count = 0; count < 100; count++) {
    stream.send('data: x\n\n')
    tick(100)
  }
  assert.equal(writes.filter((chunk) => chunk.startsWith(':')).length, 1)
})

test('progress is told once when it changes, and is what the comments then say', (t) => {
  const { stream, writes, tick } = record(t)
  stream.progress('queued, position 2')
  stream.progress('queued, position 2')
  stream.progress('queued, position 1')
  tick(900)
  assert.deepEqual(writes, [': queued, position 2\n\n', ': queued, position 1\n\n', ': queued, position 1\n\n'])
})

test('a stream that ends before its first byte never takes the response over', (t) => {
  const { stream, writes, tick } = record(t)
  stream.end()
  tick(10_000)
  assert.deepEqual([writes, stream.opened], [[], false])
})

test('after its end a stream is silent', (t) => {
  const { stream, writes, tick } = record(t)
  stream.send('data: 1\n\n')
  stream.end()
  stream.end()
  tick(10_000)
  assert.equal(writes.length, 2)
})
