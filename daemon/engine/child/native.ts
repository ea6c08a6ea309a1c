/**
 * The part of node-llama-cpp that its types leave out: the native context and sampler beneath `LlamaContext`.
 *
 * Why not its public `controlledEvaluate`: that makes a new native sampler, with a table of the whole vocabulary, for every
 * token, and goes through locks, a scheduler and a turn of the event loop. Measured with 49,152 tokens: 0.85 ms from the
 * end of one batch to the start of the next, of 9 ms in all; 0.4 ms here. The release is pinned, and what is called is
 * looked for when a model is loaded.
 */
import type { Llama, LlamaContext, LlamaModel } from 'node-llama-cpp'
import { EngineError } from '../errors.js'

/** llama.cpp's context. One call at a time, and none while a batch is decoded; `sampleToken` may run side by side. */
export interface NativeContext {
  /** Starts a new batch with room for `tokens`. */
  initBatch(tokens: number): void
  /** `at`: position of the first token. `outputs`: indices into `tokens` whose logits are wanted; returns their rows. */
  addToBatch(sequence: number, at: number, tokens: Uint32Array, outputs: Uint32Array): Uint32Array
  /** Computes the batch on a thread of its own. */
  decodeBatch(): Promise<void>
  /** The candidates that the sampler's chain leaves, as token and logit in turn; absent when there is none. */
  sampleToken(
    row: number,
    sampler: NativeSampler,
    probabilities: false,
    confidence: false,
    logits: true,
    weight: false,
  ): Promise<
    readonly [token: number, probabilities: unknown, confidence: unknown, logits: readonly number[] | undefined]
  >
  /** Forgets positions `from` up to `to`; -1 = to the end. False when this kind of cache cannot be cut there. */
  removeTokenCellsFromSequence(sequence: number, from: number, to: number): boolean
}

/** Has room for the whole vocabulary: made once and used again. */
export interface NativeSampler {
  applyConfig(config: SamplerConfig): void
}

/** A chain in this order: bias, top-k, top-p, min-p, temperature. Its own draw, by `seed`, is not used. */
export interface SamplerConfig {
  readonly temperature: number
  readonly topK: number
  readonly topP: number
  readonly minP: number
  readonly seed: number
  /** Added to the logits of these tokens, float32. */
  readonly tokenBiasKeys?: Uint32Array
  readonly tokenBiasValues?: Float32Array
}

interface SamplerClass {
  new (model: object): NativeSampler
}

/** Throws `MODEL_UNSUPPORTED` with a release of the library that is built otherwise. */
export function nativeContext(context: LlamaContext): NativeContext {
  const native: unknown = Reflect.get(context, '_ctx')
  if (!isContext(native)) throw unknownRelease()
  return native
}

export function nativeSampler(llama: Llama, model: LlamaModel): NativeSampler {
  const bindings: unknown = Reflect.get(llama, '_bindings')
  const native: unknown = Reflect.get(model, '_model')
  const Sampler: unknown = isObject(bindings) ? Reflect.get(bindings, 'AddonSampler') : undefined
  if (!isSamplerClass(Sampler) || !isObject(native)) throw unknownRelease()
  return new Sampler(native)
}

const CALLED = ['initBatch', 'addToBatch', 'decodeBatch', 'sampleToken', 'removeTokenCellsFromSequence']

function isContext(native: unknown): native is NativeContext {
  return isObject(native) && CALLED.every((name) => typeof Reflect.get(native, name) === 'function')
}

function isSamplerClass(value: unknown): value is SamplerClass {
  return typeof value === 'function' && isObject(value.prototype) && 'applyConfig' in value.prototype
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function unknownRelease(): EngineError {
  return EngineError.MODEL_UNSUPPORTED(
    'this release of node-llama-cpp is not the one that swarmd was built for: run npm ci',
  )
}
