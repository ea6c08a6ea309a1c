import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { GenerateEvent } from '../../proxy/port.js'
import { collect, consumer, emits, FakeRouter, offer, PRICES, request, textOf } from '../helpers/consumer.js'

const never = new AbortController().signal

function last(events: readonly GenerateEvent[]): Extract<GenerateEvent, { type: 'done' }> {
  const event = events.at(-1)
  assert.ok(event?.type === 'done')
  return event
}

test('an answer is announced once, streamed in order, and ends with usage and cost', async () => {
  const router = new FakeRouter([['a', emits([1, 2, 3], 'stop'), PRICES]])
  const events = await collect(consumer(router).generate(request(), never))
  assert.deepEqual(
    events.map((event) => event.type),
    ['started', 'prefill', 'text', 'text', 'text', 'done'],
  )
  assert.equal(textOf(events), '<1><2><3>')
  const done = last(events)
  assert.deepEqual(done.usage, { prompt: 3, cached: 1, output: 3, thought: 0 })
  // 2 computed prompt tokens, 1 cached, 3 of output.
  assert.equal(done.receipt.costMicroLamports, 2n * 10n + 1n + 300n)
  assert.equal(done.receipt.provider, 'a')
  assert.deepEqual(router.log, ['answered a'])
})

test('a busy provider is passed over before the first token, at no cost', async () => {
  const router = new FakeRouter([
    ['busy', emits([], { code: 'BUSY', after: 0 }), PRICES],
    ['free', emits([1], 'stop'), PRICES],
  ])
  const events = await collect(consumer(router).generate(request(), never))
  assert.equal(textOf(events), '<1>')
  assert.equal(last(events).receipt.costMicroLamports, 20n + 1n + 100n)
  assert.deepEqual(router.log, ['refused busy', 'answered free'])
})

test('wherever providers break off, the caller sees each token once, in order, and pays each provider for its part', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 6 }),
      fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }),
      async (length, cuts) => {
        const tokens = Array.from({ length }, (_, k) => 100 + k)
        const router = new FakeRouter([
          ...cuts.map((after, k) => [`cut${k}`, emits(tokens, { code: 'PEER_LOST', after }), PRICES] as const),
          ['whole', emits(tokens, 'stop'), PRICES],
        ])
        const events = await collect(consumer(router).generate(request(), never))
        assert.equal(textOf(events), tokens.map((token) => `<${token}>`).join(''))
        assert.equal(events.filter((event) => event.type === 'started').length, 1)
        const done = last(events)
        assert.deepEqual(done.usage, { prompt: 3, cached: 1, output: length, thought: 0 })
        let at = 0
        let owed = 0n
        for (const after of [...cuts, Infinity]) {
          const sent = Math.min(after, length - at)
          if (sent > 0 || after === Infinity) owed += BigInt(3 + at - 1) * 10n + 1n + BigInt(sent) * 100n
          at += sent
        }
        assert.equal(done.receipt.costMicroLamports, owed)
        assert.equal(Number(done.receipt.id), cuts.length, 'the transaction named is that of the attempt that ended it')
      },
    ),
  )
})

test('a refusal that the caller must act upon is not asked again elsewhere', async () => {
  const router = new FakeRouter([
    ['a', emits([], { code: 'CONTEXT_LENGTH_EXCEEDED', after: 0 })],
    ['b', emits([1], 'stop')],
  ])
  await assert.rejects(collect(consumer(router).generate(request(), never)), { code: 'CONTEXT_LENGTH_EXCEEDED' })
  assert.deepEqual(router.log, ['cancelled a'])
})

test("a request too large for any ask is the request's fault, and no provider is blamed or asked in vain", async () => {
  const router = new FakeRouter([
    ['a', emits([], { code: 'OUT_OF_BOUNDS', after: 0 })],
    ['b', emits([1], 'stop')],
  ])
  await assert.rejects(collect(consumer(router).generate(request(), never)), { code: 'OUT_OF_BOUNDS' })
  assert.deepEqual(router.log, ['cancelled a'])
})

test('when everybody failed the caller gets the last failure, not a vague one', async () => {
  const router = new FakeRouter([
    ['a', emits([], { code: 'BUSY', after: 0 })],
    ['b', emits([1, 2], { code: 'ENGINE_FAILED', after: 1 })],
  ])
  await assert.rejects(collect(consumer(router).generate(request(), never)), { code: 'ENGINE_FAILED' })
})

test('without fallbacks the first failure is final', async () => {
  const routing = { ...request().routing, allowFallbacks: false }
  const router = new FakeRouter([
    ['a', emits([], { code: 'BUSY', after: 0 })],
    ['b', emits([1], 'stop')],
  ])
  await assert.rejects(collect(consumer(router).generate(request({ routing }), never)), { code: 'BUSY' })
})

test('an unknown model is refused with near names once the node has settled', async () => {
  const router = new FakeRouter([])
  await assert.rejects(collect(consumer(router).generate(request({ model: 'tiny:q8' }), never)), (error: Error) => {
    assert.equal('code' in error && error.code, 'MODEL_NOT_FOUND')
    assert.match(error.message, /Did you mean tiny:q8_0\?/)
    return true
  })
})

test('a model known by its root only is looked up under its own topic, once', async () => {
  const router = new FakeRouter([['a', emits([1], 'stop')]])
  router.known = []
  router.hidden = [offer()]
  const root = '07'.repeat(32)
  assert.equal(textOf(await collect(consumer(router).generate(request({ model: root }), never))), '<1>')
  assert.deepEqual(router.log, ['looked up 07070707', 'answered a'])
  await assert.rejects(collect(consumer(router).generate(request({ model: 'ab'.repeat(32) }), never)), {
    code: 'MODEL_NOT_FOUND',
  })
})

test('a request that comes before the first offer waits for it', async () => {
  const router = new FakeRouter([['a', emits([1], 'stop')]])
  router.known = []
  const backend = consumer(router, () => true)
  const answer = collect(backend.generate(request(), never))
  router.known = [offer()]
  backend.changed()
  assert.equal(textOf(await answer), '<1>')
})

test('cancelling ends the request with CANCELLED, whatever the provider threw, and nobody else is asked', async () => {
  const caller = new AbortController()
  const router = new FakeRouter([
    [
      'a',
      async function* (_body, _limits, signal) {
        yield { type: 'prefill', done: 0, total: 3, cached: 0 }
        caller.abort()
        assert.ok(signal.aborted)
        throw Object.assign(new Error('gone'), { code: 'PEER_LOST' })
      },
    ],
    ['b', emits([1], 'stop')],
  ])
  await assert.rejects(collect(consumer(router).generate(request(), caller.signal)), { code: 'CANCELLED' })
  assert.deepEqual(router.log, ['cancelled a'])
})

test('the deadline aborts the provider and names itself', async () => {
  const routing = { ...request().routing, deadlineMs: 5 }
  const router = new FakeRouter([
    [
      'a',
      async function* (_body, limits, signal) {
        yield { type: 'prefill', done: 0, total: limits.deadlineMs, cached: 0 }
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
        throw signal.reason
      },
    ],
  ])
  await assert.rejects(collect(consumer(router).generate(request({ routing }), never)), { code: 'DEADLINE_EXCEEDED' })
})

test('a caller who hangs up is counted as such, and not as a failure', async () => {
  const caller = new AbortController()
  const router = new FakeRouter([
    [
      'a',
      async function* (_body, _limits, signal) {
        yield { type: 'prefill', done: 0, total: 1, cached: 0 }
        caller.abort()
        throw signal.reason
      },
    ],
  ])
  const node = consumer(router)
  await assert.rejects(collect(node.generate(request(), caller.signal)), { code: 'CANCELLED' })
  const { active, answered, failed, cancelled } = node.counters
  assert.deepEqual({ active, answered, failed, cancelled }, { active: 0, answered: 0, failed: 0, cancelled: 1 })
})

test('a model without a chat template refuses a chat and says what to use', async () => {
  const router = new FakeRouter([['a', emits([1], 'stop')]])
  router.known = [offer({ features: ['completion'] })]
  await assert.rejects(collect(consumer(router).generate(request(), never)), {
    code: 'UNSUPPORTED',
    message: /\/v1\/completions/,
  })
})
