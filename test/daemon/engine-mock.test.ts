import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EngineError } from '../../daemon/engine/errors.js'
import type { MockEngineOptions } from '../../daemon/engine/mock.js'
import { MockEngine } from '../../daemon/engine/mock.js'
import { ask, chat, job } from '../helpers/engine.js'

async function mock(options: MockEngineOptions = {}): Promise<MockEngine> {
  const engine = new MockEngine(options)
  await engine.ready()
  return engine
}

void describe('mock engine', () => {
  void test('says that it is a mock, in its name and beside it', async () => {
    const { info } = await mock({ name: 'fast' })
    assert.equal(info.name, 'mock-fast:f32')
    assert.ok(info.mock)
    assert.match(info.notice ?? '', /mock/)
  })

  void test('answers the same words for the same seed, as many tokens as are asked for', async () => {
    const engine = await mock()
    const [a, b] = [await ask(engine, { maxTokens: 20 }), await ask(engine, { maxTokens: 20 })]
    assert.equal(a.text, b.text)
    assert.deepEqual([a.tokens.length, a.done.finish, a.done.usage.output], [20, 'length', 20])
    const ended = await ask(engine, { maxTokens: null })
    assert.deepEqual([ended.tokens.length, ended.done.finish], [32, 'stop'])
  })

  void test('goes on where another left off', async () => {
    const engine = await mock()
    const whole = await ask(engine, { maxTokens: 20 })
    const rest = await ask(engine, { maxTokens: 20, resume: whole.tokens.slice(0, 8) })
    assert.deepEqual(rest.tokens, whole.tokens.slice(8))
    assert.ok(whole.text.endsWith(rest.text))
    assert.equal(rest.done.usage.output, 20)
  })

  void test('counts words as prompt tokens and refuses what does not fit, with both numbers', async () => {
    const engine = await mock({ contextLength: 10 })
    assert.equal((await ask(engine, { prompt: chat('one two three'), maxTokens: 2 })).done.usage.prompt, 4)
    await assert.rejects(ask(engine, { prompt: { kind: 'tokens', tokens: new Array(10).fill(1) } }), (error) => {
      assert.ok(error instanceof EngineError && error.code === 'CONTEXT_LENGTH_EXCEEDED')
      assert.deepEqual(error.context, { prompt: 10, limit: 10 })
      return true
    })
  })

  void test('one token an event when asked, several when the reader is slower', async () => {
    const sizes = async (tokensPerEvent: number): Promise<number[]> =>
      (await ask(await mock({ tokensPerEvent }), { maxTokens: 32 })).events.flatMap((event) =>
        event.type === 'tokens' ? [event.tokens.length] : [],
      )
    assert.deepEqual(new Set(await sizes(1)), new Set([1]))
    assert.deepEqual(await sizes(16), [16, 16])
  })

  void test('keeps to its timing, by its own clock', async () => {
    let now = 0
    const clock = {
      now: () => now,
      sleep: (milliseconds: number) => {
        now += milliseconds
        return Promise.resolve()
      },
    }
    const engine = await mock({
      tokensPerSecond: 10,
      firstTokenMs: 500,
      prefillTokensPerSecond: 10,
      tokensPerEvent: 1,
      clock,
    })
    const times: number[] = []
    for await (const event of engine.generate(job({ maxTokens: 5 }), new AbortController().signal))
      if (event.type === 'tokens') times.push(now)
    // Four prompt tokens at 10/s, half a second, then a token every 100 ms.
    assert.deepEqual(times.map(Math.round), [1000, 1100, 1200, 1300, 1400])
  })

  void test('serves its slots, queues the rest with their place, and refuses beyond the queue', async () => {
    const engine = await mock({ slots: 1, queueLimit: 1 })
    const abort = new AbortController()
    const busy = engine.generate(job({ maxTokens: 10_000 }), abort.signal)
    await busy.next()
    const waiting = engine.generate(job({ maxTokens: 1 }), new AbortController().signal)
    assert.deepEqual((await waiting.next()).value, { type: 'queued', position: 0 })
    assert.deepEqual([engine.load.active, engine.load.queued], [1, 1])
    await assert.rejects(ask(engine), (error) => error instanceof EngineError && error.code === 'QUEUE_FULL')
    await busy.return()
    assert.equal((await waiting.next()).value?.type, 'admitted')
    await waiting.return()
    assert.deepEqual([engine.load.active, engine.load.queued], [0, 0])
  })

  void test('a request that leaves the queue frees its place, and never takes a slot', async () => {
    const engine = await mock({ slots: 1, queueLimit: 1 })
    const busy = engine.generate(job({ maxTokens: 10_000 }), new AbortController().signal)
    await busy.next()
    const abort = new AbortController()
    const waiting = engine.generate(job(), abort.signal)
    await waiting.next()
    abort.abort()
    await assert.rejects(waiting.next(), (error) => error instanceof EngineError && error.code === 'CANCELLED')
    assert.equal(engine.load.queued, 0)
    await busy.return()
    assert.equal(engine.load.active, 0)
    assert.equal((await ask(engine, { maxTokens: 2 })).tokens.length, 2)
  })

  void test('cancels in the middle of its timing', async () => {
    const abort = new AbortController()
    const engine = await mock({ tokensPerSecond: 1 })
    const stream = engine.generate(job(), abort.signal)
    await stream.next()
    const next = stream.next()
    abort.abort()
    await assert.rejects(next, (error) => error instanceof EngineError && error.code === 'CANCELLED')
    assert.equal(engine.load.active, 0)
  })

  void test('embeds: unit length, the same for the same input', async () => {
    const engine = await mock()
    const { vectors } = await engine.embed(
      { inputs: ['a b', 'a b', 'c', [1, 2]], party: 'local' },
      new AbortController().signal,
    )
    assert.deepEqual(vectors[0], vectors[1])
    assert.notDeepEqual(vectors[0], vectors[2])
    for (const vector of vectors) assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-6)
  })
})
