/**
 * Embeddings, in a context of their own that is opened with the first request. A pooled embedding needs its whole input
 * in one batch, and the attention scores of a batch grow with its square: the context is as large as the inputs so
 * far have asked for, up to a bound on that memory.
 */
import { setImmediate } from 'node:timers/promises'
import type { LlamaEmbeddingContext, Token } from 'node-llama-cpp'
import { EngineError } from '../errors.js'
import type { LoadOptions } from '../protocol.js'
import type { LoadedModel } from './model.js'
import { checkLength, knownTokens, PIECE, refuseOversized } from './prompt.js'

export interface Embedded {
  readonly vectors: Float32Array[]
  readonly promptTokens: number
}

const SMALLEST = 512
/** Bytes of attention scores: 2,048 tokens with up to 32 heads. */
const SCORES_LIMIT = 512 * 1024 * 1024
const DEFAULT_HEADS = 32

export class Embedder {
  readonly #loaded: LoadedModel
  readonly #options: LoadOptions
  /** Tokens of the longest input that is taken. */
  readonly #limit: number
  #size = 0
  #context: LlamaEmbeddingContext | null = null
  #running = false
  #batches = 0
  /** Requests take turns: one may have to open a larger context. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(loaded: LoadedModel, options: LoadOptions) {
    this.#loaded = loaded
    this.#options = options
    this.#limit = Math.min(loaded.facts.contextLength, longestInput(heads(loaded)))
  }

  /** Which input is being computed, counted from 1; null = none. */
  get computing(): number | null {
    return this.#running ? this.#batches : null
  }

  /** Unit length each, in the order of `inputs`. */
  embed(inputs: readonly (string | readonly number[])[], signal: AbortSignal): Promise<Embedded> {
    const result = this.#turn.then(() => this.#embed(inputs, signal))
    this.#turn = result.catch(() => undefined)
    return result
  }

  async #embed(inputs: readonly (string | readonly number[])[], signal: AbortSignal): Promise<Embedded> {
    const tokenised: Token[][] = []
    for (const input of inputs) tokenised.push(await this.#tokens(input, signal))
    // The library may add a token at the beginning and one at the end.
    const context = await this.#open(tokenised.reduce((longest, { length }) => Math.max(longest, length), 0) + 2)
    const vectors: Float32Array[] = []
    for (const tokens of tokenised) {
      signal.throwIfAborted()
      vectors.push(unit(await this.#compute(context, tokens)))
    }
    return { vectors, promptTokens: tokenised.reduce((sum, tokens) => sum + tokens.length, 0) }
  }

  async #compute(context: LlamaEmbeddingContext, tokens: Token[]): Promise<readonly number[]> {
    this.#batches++
    this.#running = true
    try {
      const { vector } = await this.#loaded.alone(() => context.getEmbeddingFor(tokens))
      return vector
    } finally {
      this.#running = false
    }
  }

  /** What is far too long is refused before it is tokenised as a whole; other streams move between two inputs. */
  async #tokens(input: string | readonly number[], signal: AbortSignal): Promise<Token[]> {
    const { model } = this.#loaded
    const tokenise = (text: string): readonly number[] => model.tokenize(text, false)
    const texts = typeof input === 'string' ? [input] : []
    await refuseOversized(texts, { tokenise, limit: this.#limit, small: PIECE, signal })
    await setImmediate()
    signal.throwIfAborted()
    const raw = typeof input === 'string' ? tokenise(input) : knownTokens(input, this.#loaded)
    if (raw.length === 0) throw EngineError.BAD_REQUEST('an input of an embeddings request is empty')
    checkLength(raw.length + 1, this.#limit)
    return raw as Token[]
  }

  async #open(needed: number): Promise<LlamaEmbeddingContext> {
    if (this.#context !== null && this.#size >= needed) return this.#context
    await this.#context?.dispose()
    this.#context = null
    let size = Math.min(SMALLEST, this.#limit)
    while (size < needed) size = Math.min(size * 2, this.#limit)
    try {
      const { model, threads } = this.#loaded
      this.#context = await model.createEmbeddingContext({ contextSize: size, batchSize: size, threads })
      this.#size = size
      return this.#context
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw EngineError.EMBEDDINGS_UNSUPPORTED(`${this.#options.name} gives no embeddings here: ${reason}`)
    }
  }
}

/** The largest power of two whose square of scores, four bytes for each head, stays below the limit. */
function longestInput(count: number): number {
  return 2 ** Math.floor(Math.log2(Math.sqrt(SCORES_LIMIT / (4 * count))))
}

function heads({ model }: LoadedModel): number {
  const count: unknown = model.fileInfo.architectureMetadata.attention?.head_count
  return typeof count === 'number' && count > 0 ? count : DEFAULT_HEADS
}

function unit(vector: readonly number[]): Float32Array {
  const length = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0))
  return Float32Array.from(vector, (x) => (length === 0 ? 0 : x / length))
}
