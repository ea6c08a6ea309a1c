import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { EngineError } from '../../daemon/engine/errors.js'
import { LlamaEngine } from '../../daemon/engine/host.js'
import type { EngineEvent } from '../../daemon/engine/port.js'
import { ask, job, PLAIN_SAMPLING, SEEDLING, seedlingMissing } from '../helpers/engine.js'

const ENDLESS = {
  ...PLAIN_SAMPLING,
  logitBias: [
    [0, -100_000],
    [2, -100_000],
  ] as const,
}

const crashed = (error: unknown): boolean => error instanceof EngineError && error.code === 'ENGINE_CRASHED'

void describe('an engine host that dies', { skip: seedlingMissing() }, () => {
  const log: string[] = []
  const engine = new LlamaEngine({
    path: SEEDLING,
    threads: 1,
    slots: 1,
    contextSize: 4096,
    gpu: 'off',
    backoff: { first: 5, most: 50 },
    log: (_, text) => log.push(text),
  })
  before(() => engine.ready())
  after(() => engine.close())

  for (const signal of ['SIGSEGV', 'SIGKILL'] as const) {
    void test(`by ${signal} fails what it computed, is started again, and serves what waited`, async () => {
      const running = started(
        engine.generate(job({ maxTokens: 4000, sampling: ENDLESS }), new AbortController().signal),
      )
      await running.begun
      const waiting = ask(engine, { maxTokens: 3, sampling: ENDLESS })
      const embedding = engine.embed({ inputs: ['hello'], party: 'local' }, new AbortController().signal)
      const { pid } = engine
      assert.ok(pid !== null)
      const caught = assert.rejects(embedding, crashed)
      process.kill(pid, signal)
      await assert.rejects(
        running.rest,
        (error) => crashed(error) && error instanceof Error && error.message.includes(signal),
      )
      await caught
      assert.equal(engine.load.state, 'restarting')
      assert.equal((await waiting).tokens.length, 3)
      assert.equal(engine.load.state, 'ready')
      assert.notEqual(engine.pid, pid)
      assert.ok(log.some((line) => line.includes(signal)))
    })
  }

  void test('again and again is started again each time', async () => {
    for (let round = 0; round < 3; round++) {
      const { pid } = engine
      assert.ok(pid !== null)
      process.kill(pid, 'SIGKILL')
      while (engine.pid === pid) await new Promise(setImmediate)
      assert.equal((await ask(engine, { maxTokens: 2, sampling: ENDLESS })).tokens.length, 2)
    }
  })

  void test('ends with its daemon, even when that is killed', async () => {
    const daemon = fork(fileURLToPath(new URL('../fixtures/engine-daemon.js', import.meta.url)), [SEEDLING], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    const output: Buffer[] = []
    daemon.stdout?.on('data', (data: Buffer) => output.push(data))
    daemon.stderr?.on('data', (data: Buffer) => output.push(data))
    const pid = await new Promise<number>((resolve) => daemon.once('message', (message) => resolve(Number(message))))
    assert.ok(alive(pid))
    daemon.kill('SIGKILL')
    while (alive(pid)) await new Promise((resolve) => setTimeout(resolve, 20))
    // Native code talks on stdout and stderr while it loads: none of it reaches the daemon's terminal.
    assert.equal(Buffer.concat(output).toString(), '')
  })

  void test('on purpose: close ends the host, refuses new requests and is idempotent', async () => {
    const other = new LlamaEngine({ path: SEEDLING, threads: 1, slots: 1, contextSize: 1024, gpu: 'off' })
    await other.ready()
    const { pid } = other
    const running = started(other.generate(job({ maxTokens: 900, sampling: ENDLESS }), new AbortController().signal))
    await running.begun
    await Promise.all([other.close(), other.close()])
    await assert.rejects(running.rest, (error) => error instanceof EngineError && error.code === 'ENGINE_CLOSED')
    assert.ok(pid !== null && !alive(pid))
    await assert.rejects(ask(other), (error) => error instanceof EngineError && error.code === 'ENGINE_CLOSED')
  })

  void test('a close while the model loads leaves no host behind', async () => {
    const other = new LlamaEngine({ path: SEEDLING, threads: 1, slots: 1, contextSize: 1024, gpu: 'off' })
    const ready = other.ready()
    const outcome = assert.rejects(ready)
    await new Promise(setImmediate)
    await other.close()
    await outcome
    assert.equal(other.pid, null)
  })
})

function started(stream: AsyncIterable<EngineEvent>): { begun: Promise<void>; rest: Promise<void> } {
  let begin: () => void = () => undefined
  const begun = new Promise<void>((resolve) => {
    begin = resolve
  })
  const rest = (async () => {
    for await (const event of stream) if (event.type === 'tokens') begin()
  })()
  rest.catch(() => undefined)
  return { begun, rest }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
