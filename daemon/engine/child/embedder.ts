/** Embeddings, in an own context that is opened when the first request comes. */
import type { LlamaEmbeddingContext, Token } from 'node-llama-cpp'
import { EngineError } from '../errors.js'
import type { LoadOptions } from '../protocol.js'
import type { LoadedModel } from './model.js'
import { checkLength, knownTokens } from './prompt.js'

export interface Embedded {
  readonly vectors: Float32Array[]
  readonly promptTokens: number
}

export class Embedder {
  readonly #loaded: LoadedModel
  readonly #options: LoadOptions
  #context: Promise<LlamaEmbeddingContext> | null = null

  constructor(loaded: LoadedModel, options: LoadOptions) {
    this.#loaded = loaded
    this.#options = options
  }

  /** Unit length each, in the order of `inputs`. */
  async embed(inputs: readonly (string | readonly number[])[], signal: AbortSignal): Promise<Embedded> {
    const tokenised = inputs.map((input) => this.#tokens(input))
    const context = await this.#open()
    const vectors: Float32Array[] = []
    for (const tokens of tokenised) {
      signal.throwIfAborted()
      const { vector } = await context.getEmbeddingFor(tokens)
      vectors.push(unit(vector))
    }
    return { vectors, promptTokens: tokenised.reduce((sum, tokens) => sum + tokens.length, 0) }
  }

  #tokens(input: string | readonly number[]): Token[] {
    const raw = typeof input === 'string' ? this.#loaded.model.tokenize(input, false) : knownTokens(input, this.#loaded)
    if (raw.length === 0) throw EngineError.BAD_REQUEST('an input of an embeddings request is empty')
    checkLength(raw.length, this.#loaded.facts.contextLength)
    return raw as Token[]
  }

  #open(): Promise<LlamaEmbeddingContext> {
    const { model, threads } = this.#loaded
    // A pooled embedding needs its whole input in one batch.
    this.#context ??= model
      .createEmbeddingContext({
        contextSize: this.#loaded.facts.contextLength,
        batchSize: this.#loaded.facts.contextLength,
        threads,
      })
      .catch((error: unknown) => {
        this.#context = null
        throw EngineError.EMBEDDINGS_UNSUPPORTED(
          `${this.#options.name} gives no embeddings here: ${error instanceof Error ? error.message : String(error)}`,
        )
      })
    return this.#context
  }
}

function unit(vector: readonly number[]): Float32Array {
  const length = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0))
  return Float32Array.from(vector, (x) => (length === 0 ? 0 : x / length))
}
