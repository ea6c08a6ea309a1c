/** What the engine reports for audits beside the answer: prompt, candidates of each position, and that it ends. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { getLlama } from 'node-llama-cpp'
import { decodeWindow, quantiseLogprob, TokenLog, tokensOf } from '../../ledger/token-root.js'
import { LlamaEngine } from '../../daemon/engine/host.js'
import type { EvidenceSink, GenerateJob } from '../../daemon/engine/port.js'
import { Evidence, EVIDENCE_WINDOW, KEPT_TOP, POSITION_BYTES } from '../../daemon/engine/sampler/evidence.js'
import { IcdfSampler } from '../../daemon/engine/sampler/icdf.js'
import { ask, chat, job, PLAIN_SAMPLING, SEEDLING, seedlingMissing, WILD_SAMPLING } from '../helpers/engine.js'
import { missing, modelPath, SMOLLM2 } from '../helpers/models.js'

/** Everything that one request reported. */
class Reported implements EvidenceSink {
  readonly prompts: (readonly number[])[] = []
  readonly sizes: number[] = []
  readonly over: Promise<void>
  first = -1
  #next = -1
  #bytes = Buffer.alloc(0)
  #end: () => void = () => undefined

  constructor() {
    this.over = new Promise((resolve) => (this.#end = resolve))
  }

  prompt(tokens: Uint32Array): void {
    this.prompts.push([...tokens])
  }

  block(index: number, positions: Uint8Array): void {
    if (this.sizes.length === 0) this.first = index
    else assert.equal(index, this.#next, 'no hole and nothing twice')
    this.sizes.push(positions.byteLength / POSITION_BYTES)
    this.#next = index + positions.byteLength / POSITION_BYTES
    this.#bytes = Buffer.concat([this.#bytes, positions])
  }

  end(): void {
    this.#end()
  }

  get bytes(): Uint8Array {
    return this.#bytes
  }

  get tokens(): readonly number[] {
    return tokensOf(this.#bytes, 8)
  }
}

/** Keeps from ending: both of the seedling's tokens that would are out of reach. */
const ENDLESS: GenerateJob['sampling'] = {
  ...WILD_SAMPLING,
  logitBias: [
    [0, -100_000],
    [2, -100_000],
  ],
}

for (const [name, path, skip] of [
  ['SmolLM2', modelPath(SMOLLM2), missing(SMOLLM2)],
  ['seedling', SEEDLING, seedlingMissing()],
] as const) {
  void describe(name, { skip }, () => {
    const engine = new LlamaEngine({ path, threads: 1, contextSize: 1024, gpu: 'off', slots: 2 })
    before(() => engine.ready())
    after(() => engine.close())

    void test('every position of an answer is shown with its best eight, as the logprobs of the same answer have them', async () => {
      for (const sampling of [PLAIN_SAMPLING, WILD_SAMPLING]) {
        const evidence = new Reported()
        const more = { prompt: chat('Tell me about the sea.'), sampling, maxTokens: 70, logprobs: 8 }
        const answer = await ask(engine, { ...more, evidence })
        await evidence.over
        assert.deepEqual(evidence.tokens, answer.tokens)
        assert.equal(evidence.first, 0)
        assert.deepEqual(
          evidence.sizes.slice(0, -1),
          evidence.sizes.slice(0, -1).map(() => EVIDENCE_WINDOW),
        )
        const shown = decodeWindow(evidence.bytes, 8)
        for (const [i, { token, top }] of shown.entries()) {
          assert.ok(top.every(({ logprob }, j) => logprob <= 0 && logprob <= (top[j - 1]?.logprob ?? 0)))
          const wanted = answer.positions[i]?.top.slice(0, KEPT_TOP) ?? []
          assert.deepEqual(
            top,
            wanted.map((one) => ({ token: one.token, logprob: quantiseLogprob(one.logprob) / 1024 + 0 })),
          )
          if (sampling === PLAIN_SAMPLING) assert.equal(token, top[0]?.token)
        }
      }
    })

    void test('the prompt is reported as the tokeniser gives it', async () => {
      const llama = await getLlama({ build: 'never', gpu: false, progressLogs: false })
      const model = await llama.loadModel({ modelPath: path, vocabOnly: true })
      try {
        const text = 'Once upon a time there was a lighthouse.'
        const { bos, shouldPrependBosToken } = model.tokens
        const wanted = [...(bos !== null && shouldPrependBosToken ? [bos] : []), ...model.tokenize(text, true)]
        const plain = new Reported()
        const answer = await ask(engine, { prompt: { kind: 'text', text }, maxTokens: 2, evidence: plain })
        assert.deepEqual(plain.prompts, [wanted])
        assert.equal(answer.done.usage.prompt, wanted.length)
        const given = new Reported()
        await ask(engine, { prompt: { kind: 'tokens', tokens: [5, 6, 7] }, maxTokens: 2, evidence: given })
        assert.deepEqual(given.prompts, [[5, 6, 7]])
        const template = model.fileInfo.metadata.tokenizer.chat_template
        assert.ok(template !== undefined)
        assert.equal(engine.info.template, template)
      } finally {
        await model.dispose()
        await llama.dispose()
      }
    })

    void test('the positions of a resumed answer begin where it goes on', async () => {
      const prompt = chat('Tell me about mountains.')
      const whole = await ask(engine, { prompt, sampling: WILD_SAMPLING, maxTokens: 20 })
      const evidence = new Reported()
      const resume = whole.tokens.slice(0, 7)
      const rest = await ask(engine, { prompt, sampling: WILD_SAMPLING, maxTokens: 20, resume, evidence })
      assert.equal(evidence.first, 7)
      assert.deepEqual(evidence.tokens, rest.tokens)
      assert.deepEqual([...resume, ...rest.tokens], whole.tokens)
    })
  })
}

void describe('an answer that is cut', { skip: seedlingMissing() }, () => {
  const engine = new LlamaEngine({
    path: SEEDLING,
    threads: 1,
    contextSize: 4096,
    gpu: 'off',
    slots: 1,
    backoff: { first: 5, most: 50 },
  })
  before(() => engine.ready())
  after(() => engine.close())

  void test('shows every position that was told, although nobody reads its events any more', async () => {
    for (const length of [1, 31, 32, 45]) {
      const evidence = new Reported()
      const told: number[] = []
      for await (const event of engine.generate(
        job({ maxTokens: 4000, sampling: ENDLESS, evidence }),
        new AbortController().signal,
      )) {
        if (event.type !== 'tokens') continue
        told.push(...event.tokens)
        if (told.length >= length) break
      }
      await evidence.over
      assert.ok(evidence.tokens.length >= told.length)
      assert.deepEqual(evidence.tokens.slice(0, told.length), told)
    }
  })

  void test('in the queue, or by the death of its host, has an end as well', async () => {
    const hangUp = new AbortController()
    const running = engine.generate(job({ maxTokens: 4000, sampling: ENDLESS }), new AbortController().signal)
    while ((await running.next()).value?.type !== 'tokens');
    const queued = new Reported()
    const waiting = ask(engine, { evidence: queued }, hangUp.signal)
    hangUp.abort()
    await assert.rejects(waiting, { code: 'CANCELLED' })
    await queued.over
    await running.return()
    const killed = new Reported()
    const dying = engine.generate(
      job({ maxTokens: 4000, sampling: ENDLESS, evidence: killed }),
      new AbortController().signal,
    )
    while ((await dying.next()).value?.type !== 'tokens');
    process.kill(engine.pid ?? assert.fail(), 'SIGKILL')
    await killed.over
    await assert.rejects(
      async () => {
        while (!(await dying.next()).done);
      },
      { code: 'ENGINE_CRASHED' },
    )
  })
})

void test('the bytes of a position are those of the token root', () => {
  const logits = fc.uniqueArray(
    fc.record({ token: fc.nat(200_000), logit: fc.double({ min: -60, max: 60, noNaN: true }) }),
    {
      selector: ({ token }) => token,
      minLength: KEPT_TOP,
      maxLength: 64,
    },
  )
  fc.assert(
    fc.property(fc.array(logits, { minLength: 1, maxLength: 40 }), (steps) => {
      const sampler = new IcdfSampler({ ...WILD_SAMPLING, seed: 7n })
      const log = new TokenLog(new Uint8Array(32), 8)
      const blocks: Uint8Array[] = []
      const evidence = new Evidence(3, (index, positions) => {
        assert.equal(index, 3 + tokensOf(Buffer.concat(blocks), 8).length)
        blocks.push(positions)
      })
      for (const [position, step] of steps.entries()) {
        const { token } = sampler.draw(
          step.flatMap(({ token: id, logit }) => [id, logit]),
          position,
        )
        evidence.add(token, sampler)
        log.push({ token, top: sampler.top(KEPT_TOP) })
      }
      evidence.flush()
      evidence.flush()
      assert.deepEqual(TokenLog.from(new Uint8Array(32), 8, Buffer.concat(blocks)).root(), log.root())
    }),
  )
})

void test('a model with fewer than eight tokens shows nothing, rather than something that is filled up', () => {
  const sampler = new IcdfSampler({ ...WILD_SAMPLING, seed: 7n })
  const evidence = new Evidence(0, () => assert.fail('nothing is whole'))
  for (let position = 0; position < 40; position++) {
    const { token } = sampler.draw([0, 1, 1, 0.5, 2, 0.25, 3, 0, 4, -1, 5, -2, 6, -3], position)
    evidence.add(token, sampler)
  }
  evidence.flush()
})
