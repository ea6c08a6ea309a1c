import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { LlamaEngine } from '../../daemon/engine/host.js'
import { MockEngine } from '../../daemon/engine/mock.js'
import type { Engine, EngineEvent } from '../../daemon/engine/port.js'
import { job, SEEDLING } from '../helpers/engine.js'

const types = (events: readonly EngineEvent[]): string[] => events.map(({ type }) => type)

/** Reads until `admitted`, then leaves the engine time to do what it must not. */
async function whileHeld(engine: Engine): Promise<{ before: string[]; after: string[] }> {
  let go: () => void = () => undefined
  const paid = new Promise<void>((resolve) => (go = resolve))
  const events: EngineEvent[] = []
  const all = (async (): Promise<void> => {
    for await (const event of engine.generate(job({ hold: () => paid }), new AbortController().signal)) {
      events.push(event)
    }
  })()
  while (events.length === 0) await sleep(5)
  await sleep(300)
  const seen = types(events)
  go()
  await all
  return { before: seen, after: types(events) }
}

describe('a job on hold', () => {
  const engine = new LlamaEngine({ path: SEEDLING, slots: 1, threads: 1 })
  before(() => engine.ready())
  after(() => engine.close())

  void test('is admitted, computes nothing before it may, and then all of it', async () => {
    const held = await whileHeld(engine)
    assert.deepEqual(held.before, ['admitted'])
    assert.equal(held.after.at(-1), 'done')
    assert.ok(held.after.includes('tokens'))
  })

  void test('gives its slot back when it is cancelled', async () => {
    const abort = new AbortController()
    const never = new Promise<void>(() => undefined)
    await assert.rejects(
      async () => {
        for await (const event of engine.generate(job({ hold: () => never }), abort.signal)) {
          assert.equal(event.type, 'admitted')
          abort.abort()
        }
      },
      { code: 'CANCELLED' },
    )
    const next = whileHeld(engine)
    assert.equal((await next).after.at(-1), 'done')
  })

  void test('is over when what it waits for fails', async () => {
    const hold = (): Promise<void> => Promise.reject(new Error('not paid'))
    await assert.rejects(
      async () => {
        for await (const event of engine.generate(job({ hold }), new AbortController().signal)) {
          assert.equal(event.type, 'admitted')
        }
      },
      { code: 'CANCELLED' },
    )
  })

  void test('waits on a mock, too', async () => {
    const mock = new MockEngine({ tokensPerSecond: 0 })
    await mock.ready()
    assert.deepEqual((await whileHeld(mock)).before, ['admitted'])
    await mock.close()
  })
})
