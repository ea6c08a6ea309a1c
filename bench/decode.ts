/**
 * Tokens a second: one stream through the whole path against the library in a bare loop, and eight streams against one.
 * Both sides run on one thread, take turns, and decode the same number of tokens after the same prompt, with the same
 * attention: the engine host has flash attention off. A second bare loop has the library's own defaults (it is on).
 */
import type { Bench, BenchContext, Figure } from './figure.js'
import { median } from './figure.js'
import { firstModel, loopback } from './daemons.js'
import { loadDirect } from './direct.js'
import type { Direct } from './direct.js'
import { seedling, smollm2 } from './real-models.js'
import { createClient } from './stream.js'
import type { Client, Streamed } from './stream.js'

const THREADS = 1
const CONTEXT = 1_024
const BATCH = 32
const TOKENS = 256
const ROUNDS = 7
const STREAMS = 8

interface Measured {
  readonly toDirect: number
  readonly toDefaults: number
  readonly eightToOne: number
  readonly pace: number
}

export const bench: Bench = {
  name: 'decode',
  about: 'decoding through the whole path against the bare library; eight streams against one',
  async run(context): Promise<readonly Figure[]> {
    const figures: Figure[] = []
    const real = smollm2()
    if (real === null) context.note('SmolLM2 is not there: npm run models')
    else {
      const { toDirect, toDefaults, eightToOne, pace } = await measure(real, context)
      figures.push(
        { figure: 'decode.one', value: toDirect, unit: 'ratio', goal: 0.97, better: 'higher' },
        { figure: 'decode.defaults', value: toDefaults, unit: 'ratio', goal: null, better: 'higher' },
        { figure: 'decode.eight', value: eightToOne, unit: 'ratio', goal: 1.6, better: 'higher' },
        { figure: 'decode.pace', value: pace, unit: 'ratio', goal: 1.1, better: 'lower' },
      )
    }
    const toy = seedling()
    if (toy === null) context.note('the seedling is not there')
    else {
      const { toDirect, eightToOne } = await measure(toy, context)
      figures.push(
        { figure: 'decode.seedling.one', value: toDirect, unit: 'ratio', goal: null, better: 'higher' },
        { figure: 'decode.seedling.eight', value: eightToOne, unit: 'ratio', goal: null, better: 'higher' },
      )
    }
    return figures
  },
}

async function measure(path: string, { note }: BenchContext): Promise<Measured> {
  const network = await loopback()
  const settings = { path, threads: THREADS, contextLength: CONTEXT, batchSize: BATCH }
  const direct = await loadDirect({ ...settings, flashAttention: false })
  const defaults = await loadDirect({ ...settings, flashAttention: null })
  try {
    const shape = ['--threads', `${THREADS}`, '--context', `${CONTEXT}`, '--slots', `${STREAMS}`]
    const provider = await network.start('serve', path, ...shape)
    await firstModel(provider.url)
    const consumer = await network.start('up')
    const model = await firstModel(consumer.url)
    const client = createClient(consumer.url)
    try {
      return await rounds({ direct, defaults, client, model }, note)
    } finally {
      client.close()
    }
  } finally {
    await direct.close()
    await defaults.close()
    await network.close()
  }
}

interface Sides {
  readonly direct: Direct
  readonly defaults: Direct
  readonly client: Client
  readonly model: string
}

async function rounds({ direct, defaults, client, model }: Sides, note: (text: string) => void): Promise<Measured> {
  const banned = Object.fromEntries(direct.ends.map((token) => [token, -100]))
  const ask = (text: string): Promise<Streamed> =>
    client.stream('/v1/completions', { model, prompt: text, max_tokens: TOKENS, logit_bias: banned, seed: 7 })
  const bare: number[] = []
  const bareDefaults: number[] = []
  const one: number[] = []
  const eight: number[] = []
  const paces: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const text = `Chapter ${round + 1}. In a small village by the sea,`
    bare.push((await direct.decode(text, TOKENS)).value)
    one.push(rate(await ask(text)))
    bareDefaults.push((await defaults.decode(text, TOKENS)).value)
    const answers = await Promise.all(Array.from({ length: STREAMS }, (_, stream) => ask(`Story ${stream}. ${text}`)))
    const begun = Math.min(...answers.map(({ firstMs }) => firstMs))
    const ended = Math.max(...answers.map(({ firstMs, restMs }) => firstMs + restMs))
    eight.push((answers.reduce((sum, { tokens }) => sum + tokens, 0) / (ended - begun)) * 1000)
    const rates = answers.map(rate)
    paces.push(Math.max(...rates) / Math.min(...rates))
  }
  const shown = (rates: readonly number[]): string => median(rates).toFixed(1)
  const loops = `bare loop ${shown(bare)} tokens/s (by the library's defaults ${shown(bareDefaults)})`
  note(`${model}: ${loops}, one stream ${shown(one)}, eight together ${shown(eight)}`)
  return {
    toDirect: median(one) / median(bare),
    toDefaults: median(one) / median(bareDefaults),
    eightToOne: median(eight) / median(one),
    pace: median(paces),
  }
}

function rate({ tokens, restMs }: Streamed): number {
  return ((tokens - 1) / restMs) * 1000
}
