/** Vectors in OpenAI's form: numbers, or base64 of little-endian float32, which the SDKs ask for by default. */
import { endianness } from 'node:os'
import { ProxyError } from '../errors.js'
import type { EmbedResult } from '../port.js'
import type { SwarmdFields } from './receipts.js'

export interface EmbeddingOptions {
  readonly base64: boolean
  /** Fewer dimensions than the model gives: cut and scaled to unit length again. Null = the model's own. */
  readonly dimensions: number | null
}

/** Throws `INVALID_VALUE` for more dimensions than the model has. */
export function embeddingBody(result: EmbedResult, options: EmbeddingOptions, swarmd: SwarmdFields): object {
  return {
    object: 'list',
    data: result.vectors.map((vector, index) => {
      const cut = options.dimensions === null ? vector : shorten(vector, options.dimensions)
      return { object: 'embedding', index, embedding: options.base64 ? base64(cut) : [...cut] }
    }),
    model: result.model,
    usage: { prompt_tokens: result.promptTokens, total_tokens: result.promptTokens },
    swarmd,
  }
}

/** A vector of zero length stays what it is. */
export function shorten(vector: Float32Array, dimensions: number): Float32Array {
  if (dimensions > vector.length) {
    throw ProxyError.INVALID_VALUE('dimensions', `must be at most ${vector.length}, what the model gives`)
  }
  const cut = vector.slice(0, dimensions)
  const length = Math.hypot(...cut)
  return length === 0 ? cut : cut.map((value) => value / length)
}

export function base64(vector: Float32Array): string {
  const bytes = Buffer.from(vector.slice().buffer)
  return (endianness() === 'LE' ? bytes : bytes.swap32()).toString('base64')
}
