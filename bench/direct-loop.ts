/**
 * The yardstick: node-llama-cpp in a bare script, looping over one sequence of the same file. A process of its own, as
 * the engine host is one. Speaks over the IPC channel of its parent, `direct.ts`.
 */
import { getLlama } from 'node-llama-cpp'
import type { LlamaContextSequence, LlamaModel } from 'node-llama-cpp'

export interface DirectSettings {
  readonly path: string
  readonly threads: number
  readonly contextLength: number
  readonly batchSize: number
  /** As the engine host is set, so that both sides compute the same; null = the library's own choice. */
  readonly flashAttention: boolean | null
}

export type DirectCall =
  | { readonly kind: 'load'; readonly settings: DirectSettings }
  /** Milliseconds to the first token of `text`, nothing of the last call kept. */
  | { readonly kind: 'first'; readonly text: string }
  /** Tokens a second between the first and the last of `count`. */
  | { readonly kind: 'decode'; readonly text: string; readonly count: number }

export interface DirectAnswer {
  readonly value: number
  readonly promptTokens: number
  /** Tokens that end a generation; told by `load` only. */
  readonly ends: readonly number[]
}

/** What the protocol's sampler asks of the library: the candidates of temperature 1, 64 at most. */
const SAMPLING = { temperature: 1, topK: 64, topP: 1, minP: 0, yieldEogToken: true } as const

let loaded: { readonly model: LlamaModel; readonly sequence: LlamaContextSequence } | null = null

process.on('message', (call: DirectCall) => {
  answer(call).then(
    (value) => process.send?.(value),
    (error: unknown) => {
      console.error(error)
      process.disconnect()
    },
  )
})

async function answer(call: DirectCall): Promise<DirectAnswer> {
  if (call.kind === 'load') return load(call.settings)
  if (loaded === null) throw new Error('load first')
  const { model, sequence } = loaded
  const begun = performance.now()
  const tokens = model.tokenize(call.text, true)
  const bos = model.tokens.bos
  if (model.tokens.shouldPrependBosToken && bos !== null && tokens[0] !== bos) tokens.unshift(bos)
  await sequence.clearHistory()
  const wanted = call.kind === 'first' ? 1 : call.count
  let first = 0
  let count = 0
  for await (const token of sequence.evaluate(tokens, SAMPLING)) {
    model.detokenize([token])
    if (++count === 1) first = performance.now()
    if (count === wanted) break
  }
  const value = call.kind === 'first' ? first - begun : ((count - 1) / (performance.now() - first)) * 1000
  return { value, promptTokens: tokens.length, ends: [] }
}

async function load(settings: DirectSettings): Promise<DirectAnswer> {
  const llama = await getLlama({ build: 'never', gpu: false, maxThreads: settings.threads })
  const model = await llama.loadModel({ modelPath: settings.path })
  const { contextLength: contextSize, batchSize, threads, flashAttention } = settings
  const attention = flashAttention === null ? {} : { flashAttention }
  const context = await model.createContext({ contextSize, batchSize, threads, sequences: 1, ...attention })
  loaded = { model, sequence: context.getSequence() }
  const ends = [...model.iterateAllTokens()].filter((token) => model.isEogToken(token))
  return { value: 0, promptTokens: 0, ends }
}
