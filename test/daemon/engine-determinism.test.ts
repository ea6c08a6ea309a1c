/**
 * Same seed, same answer. Everything here is exact on one build of the library and one kind of CPU; docs/sampling.md says what
 * is not, and how often.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { LlamaEngineOptions } from '../../daemon/engine/host-options.js'
import { LlamaEngine } from '../../daemon/engine/host.js'
import type { GenerateJob } from '../../daemon/engine/port.js'
import { ask, chat, PLAIN_SAMPLING, SEEDLING, seedlingMissing, WILD_SAMPLING } from '../helpers/engine.js'
import { missing, modelPath, SMOLLM2 } from '../helpers/models.js'

const BASE = { threads: 1, contextSize: 1024, gpu: 'off' } as const

/** Hot enough that even a model that is sure of itself draws from many candidates. */
const seeded = (seed: bigint): GenerateJob['sampling'] => ({ ...WILD_SAMPLING, temperatureMilli: 3000, seed })
const story = (number: number): GenerateJob['prompt'] => chat(`Tell me story number ${number} about a lighthouse.`)

async function tokensOf(engine: LlamaEngine, number: number, length: number): Promise<readonly number[]> {
  return (await ask(engine, { prompt: story(number), sampling: seeded(BigInt(number)), maxTokens: length })).tokens
}

async function withEngine<T>(options: LlamaEngineOptions, use: (engine: LlamaEngine) => Promise<T>): Promise<T> {
  const engine = new LlamaEngine(options)
  try {
    await engine.ready()
    return await use(engine)
  } finally {
    await engine.close()
  }
}

/** F16 weights, as the seedling has, are multiplied by another kernel when a stream decodes alone: see docs/sampling.md. */
const OTHER_KERNEL_ALONE = 'its F16 weights have a kernel of their own for one stream'

for (const [name, path, skip, length, skipShared] of [
  ['SmolLM2', modelPath(SMOLLM2), missing(SMOLLM2), 24, false],
  ['seedling', SEEDLING, seedlingMissing(), 24, OTHER_KERNEL_ALONE],
] as const) {
  void describe(name, { skip }, () => {
    const engine = new LlamaEngine({ ...BASE, path, slots: 4 })
    let alone: readonly (readonly number[])[] = []
    before(async () => {
      await engine.ready()
      alone = [await tokensOf(engine, 1, length), await tokensOf(engine, 2, length), await tokensOf(engine, 3, length)]
    })
    after(() => engine.close())

    void test('another seed gives another answer', async () => {
      const answers = await Promise.all(
        [5n, 6n, 7n].map((seed) => ask(engine, { prompt: story(1), sampling: seeded(seed), maxTokens: length })),
      )
      assert.ok(new Set([...answers.map(({ tokens }) => tokens.join()), alone[0]?.join()]).size > 1)
    })

    void test('the answer is the same in every run, with a cached prompt and without', async () => {
      for (const number of [3, 1, 2, 1]) assert.deepEqual(await tokensOf(engine, number, length), alone[number - 1])
    })

    void test('the answer is the same while other streams share its batches', { skip: skipShared }, async () => {
      const others = [11, 12].map((number) => tokensOf(engine, number, length * 2))
      const shared = await Promise.all([1, 2].map((number) => tokensOf(engine, number, length)))
      await Promise.all(others)
      assert.deepEqual(shared, alone.slice(0, 2))
    })

    void test('a stream that is resumed anywhere goes on token for token, and its text too', async () => {
      const whole = await ask(engine, { prompt: story(1), sampling: seeded(1n), maxTokens: length })
      for (const cut of [1, 7, whole.tokens.length - 1]) {
        const resume = whole.tokens.slice(0, cut)
        const rest = await ask(engine, { prompt: story(1), sampling: seeded(1n), maxTokens: length, resume })
        assert.deepEqual(rest.tokens, whole.tokens.slice(cut))
        assert.ok(whole.text.endsWith(rest.text))
        assert.deepEqual(rest.done.usage.output, whole.done.usage.output)
        assert.equal(rest.events.find((event) => event.type === 'tokens')?.index, cut)
      }
    })

    void test('resumed tokens that end the answer already end it without computing more', async () => {
      const prompt = story(1)
      const full = await ask(engine, { prompt, resume: [...(alone[0] ?? [])], maxTokens: length, sampling: seeded(1n) })
      assert.deepEqual([full.tokens.length, full.done.usage.output], [0, alone[0]?.length])
    })

    void test('the answer is the same with one slot, with eight, in one lane and with more threads', async () => {
      const shapes = [{ slots: 1 }, { slots: 8 }, { slots: 4, lanes: 1 }, { slots: 2, threads: 2 }]
      for (const shape of shapes) {
        // Two threads that spin at every barrier are slow where the machine is busy: a few tokens have to do.
        const count = shape.threads === undefined ? length : 6
        const tokens = await withEngine({ ...BASE, path, ...shape }, (other) => tokensOf(other, 2, count))
        assert.deepEqual(tokens, alone[1]?.slice(0, count), JSON.stringify(shape))
      }
    })

    void test('penalties count every output token so far, resumed ones included', async () => {
      const sampling = {
        ...PLAIN_SAMPLING,
        frequencyPenaltyMilli: 800,
        presencePenaltyMilli: 300,
        repeatPenaltyMilli: 1100,
      }
      const whole = await ask(engine, { prompt: story(2), sampling, maxTokens: length })
      const resume = whole.tokens.slice(0, Math.floor(whole.tokens.length / 2))
      const rest = await ask(engine, { prompt: story(2), sampling, maxTokens: length, resume })
      assert.deepEqual([...resume, ...rest.tokens], whole.tokens)
    })
  })
}
