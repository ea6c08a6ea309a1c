import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EngineError } from '../../daemon/engine/errors.js'
import { LlamaEngine } from '../../daemon/engine/host.js'
import { Liveness } from '../../daemon/engine/liveness.js'
import { ask, job, PLAIN_SAMPLING, SEEDLING, seedlingMissing } from '../helpers/engine.js'

/** Long enough for a host that is kept from a busy machine's cores, short enough for a test. */
const PATIENCE = { tickMs: 100, silent: 40, loading: 1_000, batch: 1_000 }

const ENDLESS = {
  ...PLAIN_SAMPLING,
  logitBias: [
    [0, -100_000],
    [2, -100_000],
  ] as const,
}

const hung = (error: unknown): boolean =>
  error instanceof EngineError && error.code === 'ENGINE_CRASHED' && /has not answered for [\d.]+ s/.test(error.message)

void describe('an engine host that hangs', { skip: seedlingMissing() }, () => {
  void test('is killed, fails what it computed, is started again, and serves what waited', async () => {
    const log: string[] = []
    const engine = new LlamaEngine({
      path: SEEDLING,
      threads: 1,
      slots: 1,
      contextSize: 4096,
      gpu: 'off',
      patience: PATIENCE,
      backoff: { first: 5, most: 50 },
      log: (_, text) => log.push(text),
    })
    await engine.ready()
    try {
      const { pid } = engine
      assert.ok(pid !== null)
      const { signal } = new AbortController()
      const running = engine.generate(job({ maxTokens: 4000, sampling: ENDLESS }), signal)[Symbol.asyncIterator]()
      while ((await running.next()).value?.type !== 'tokens');
      const waiting = ask(engine, { maxTokens: 3, sampling: ENDLESS })
      const embedding = engine.embed({ inputs: ['hello'], party: 'local' }, signal)
      const caught = assert.rejects(embedding, hung)
      process.kill(pid, 'SIGSTOP')
      await assert.rejects(async () => {
        while ((await running.next()).done !== true);
      }, hung)
      await caught
      assert.equal((await waiting).tokens.length, 3)
      assert.notEqual(engine.pid, pid)
      assert.throws(() => process.kill(pid, 0))
      assert.ok(log.some((line) => line.includes('has not answered')))
    } finally {
      await engine.close()
    }
  })

  void test('while it loads makes ready() fail', async () => {
    const engine = new LlamaEngine({
      path: SEEDLING,
      threads: 1,
      slots: 1,
      contextSize: 512,
      gpu: 'off',
      patience: { ...PATIENCE, loading: 2 },
    })
    const ready = engine.ready()
    const outcome = assert.rejects(ready, (error) => error instanceof EngineError && error.code === 'ENGINE_CRASHED')
    while (engine.pid === null) await new Promise(setImmediate)
    process.kill(engine.pid, 'SIGSTOP')
    await outcome
    await engine.close()
  })
})

void describe('signs of life', () => {
  const patience = { tickMs: 1_000, silent: 3, loading: 6, batch: 4 }

  const ticks = (liveness: Liveness, count: number): (string | null)[] =>
    Array.from({ length: count }, () => liveness.tick())

  void test('are any messages: only ticks without one count, and one message makes them all forgotten', () => {
    const liveness = new Liveness(patience)
    liveness.loaded()
    for (let i = 0; i < 5; i++) {
      assert.deepEqual(ticks(liveness, 3), [null, null, null])
      liveness.heard()
    }
    assert.equal(ticks(liveness, 4)[3], 'has not answered for 4 s')
  })

  void test('may come later while a model is loaded', () => {
    const liveness = new Liveness(patience)
    assert.deepEqual(ticks(liveness, 6).filter(Boolean), [])
    assert.equal(liveness.tick(), 'has not answered for 7 s')
  })

  void test('do not help a host that computes one batch for ever, and batches that end do not count', () => {
    const liveness = new Liveness(patience)
    liveness.loaded()
    const reports: readonly (readonly (number | null)[])[] = [
      ...Array.from({ length: 30 }, (_, i) => [i, null, null]),
      ...Array.from({ length: 4 }, () => [null, 7, null]),
      ...Array.from({ length: 4 }, (_, i) => [null, 8 + i, null]),
    ]
    for (const report of reports) {
      liveness.heard()
      liveness.computing(report)
      assert.equal(liveness.tick(), null)
    }
    for (let i = 0; i < 4; i++) {
      liveness.heard()
      liveness.computing([null, 99, 1])
      assert.equal(liveness.tick(), null)
    }
    liveness.heard()
    liveness.computing([null, 99, 2])
    assert.equal(liveness.tick(), 'has computed one batch for 5 s')
  })
})
