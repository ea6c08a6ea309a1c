/**
 * What the way adds to the time to first token: through HTTP, swarm, Noise and engine host, minus the engine called
 * directly. The two take turns. Prompts are short and start with different words, so that neither side finds anything in
 * its cache and both compute the same tokens.
 */
import type { Bench, BenchContext, Figure } from './figure.js'
import { median, percentile } from './figure.js'
import { firstModel, loopback } from './daemons.js'
import { loadDirect } from './direct.js'
import { MockEngine } from '../daemon/engine/mock.js'
import { smollm2 } from './real-models.js'
import { createClient } from './stream.js'

const WARM_UP = 10
const MOCK_SAMPLES = 500
const REAL_SAMPLES = 150
const CONTEXT = 1_024
const BATCH = 32

const WORDS =
  'Apples Bridges Castles Deserts Engines Forests Gardens Harbours Islands Jackets Kitchens Ladders Mountains'.split(
    ' ',
  )

interface Sides {
  /** Milliseconds to the first token of `text`. */
  readonly through: (text: string) => Promise<number>
  readonly direct: (text: string) => Promise<number>
}

export const bench: Bench = {
  name: 'ttft',
  about: 'what HTTP, swarm, Noise and engine host add to the time to first token',
  async run(context): Promise<readonly Figure[]> {
    return [...(await mock(context)), ...(await real(context))]
  },
}

async function mock(context: BenchContext): Promise<readonly Figure[]> {
  const engine = new MockEngine({ tokensPerSecond: 0 })
  await engine.ready()
  const direct = async (text: string): Promise<number> => {
    const begun = performance.now()
    const job = {
      prompt: { kind: 'text', text },
      sampling: SAMPLING,
      maxTokens: 2,
      stop: [],
      logprobs: null,
      resume: [],
      party: 'local',
    } as const
    for await (const event of engine.generate(job, new AbortController().signal)) {
      if (event.type === 'tokens') return performance.now() - begun
    }
    throw new Error('no token')
  }
  try {
    return await path(['serve', 'mock', '--tokens-per-second', '0'], direct, 'ttft.mock', MOCK_SAMPLES, context)
  } finally {
    await engine.close()
  }
}

const SAMPLING = {
  temperatureMilli: 1000,
  topPMilli: 1000,
  minPMilli: 0,
  topK: 0,
  presencePenaltyMilli: 0,
  frequencyPenaltyMilli: 0,
  repeatPenaltyMilli: 1000,
  logitBias: [],
  seed: 7n,
} as const

async function real(context: BenchContext): Promise<readonly Figure[]> {
  const file = smollm2()
  if (file === null) {
    context.note('SmolLM2 is not there: npm run models')
    return []
  }
  const direct = await loadDirect({
    path: file,
    threads: 1,
    contextLength: CONTEXT,
    batchSize: BATCH,
    flashAttention: false,
  })
  const serve = ['serve', file, '--threads', '1', '--context', `${CONTEXT}`, '--slots', '1']
  try {
    return await path(serve, async (text) => (await direct.first(text)).value, 'ttft.smollm2', REAL_SAMPLES, context)
  } finally {
    await direct.close()
  }
}

async function path(
  serve: readonly string[],
  direct: Sides['direct'],
  name: string,
  samples: number,
  context: BenchContext,
): Promise<readonly Figure[]> {
  const network = await loopback()
  try {
    const provider = await network.start(...serve)
    await firstModel(provider.url)
    const consumer = await network.start('up')
    const model = await firstModel(consumer.url)
    const client = createClient(consumer.url)
    const through = async (text: string): Promise<number> =>
      (await client.stream('/v1/completions', { model, prompt: text, max_tokens: 2, seed: 7 })).firstMs
    try {
      return await compare({ through, direct }, name, samples, context)
    } finally {
      client.close()
    }
  } finally {
    await network.close()
  }
}

async function compare(
  sides: Sides,
  name: string,
  samples: number,
  { note }: BenchContext,
): Promise<readonly Figure[]> {
  const through: number[] = []
  const direct: number[] = []
  for (let sample = -WARM_UP; sample < samples; sample++) {
    const [first, second] = [WORDS[(sample + WARM_UP) % WORDS.length], WORDS[(sample * 7 + 80) % WORDS.length]]
    const text = `${first}, ${second} and`
    const [a, b] = [await sides.through(text), await sides.direct(text)]
    if (sample < 0) continue
    through.push(a)
    direct.push(b)
  }
  const at = (rank: number): string =>
    `${percentile(through, rank).toFixed(2)} against ${percentile(direct, rank).toFixed(2)} ms`
  note(`${name}: p50 ${at(0.5)}, p99 ${at(0.99)}`)
  return [
    { figure: `${name}.p50`, value: median(through) - median(direct), unit: 'ms', goal: 5, better: 'lower' },
    {
      figure: `${name}.p99`,
      value: percentile(through, 0.99) - percentile(direct, 0.99),
      unit: 'ms',
      goal: 15,
      better: 'lower',
    },
  ]
}
