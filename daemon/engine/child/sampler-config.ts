/** How the native side takes the candidates of a request: the bias and the best 64, nothing else. */
import type { Token } from 'node-llama-cpp'
import type { HostJob } from '../protocol.js'
import { CANDIDATES } from '../sampler/candidates.js'
import type { LoadedModel } from './model.js'
import type { SamplerConfig } from './native.js'

/** Leaves the best 64 logits untouched. */
const BEST = { temperature: 1, topK: CANDIDATES, topP: 1, minP: 0, seed: 1 }

/** The bias of tokens that end a generation is the sampler's own business: docs/sampling.md, step 1. */
export function samplerConfig(
  { model }: Pick<LoadedModel, 'model'>,
  { sampling }: Pick<HostJob, 'sampling'>,
): SamplerConfig {
  const native = new Map(sampling.logitBias.filter(([token]) => !model.isEogToken(token as Token)))
  if (native.size === 0) return BEST
  const tokenBiasValues = Float32Array.from(native.values(), (milli) => milli / 1000)
  return { ...BEST, tokenBiasKeys: Uint32Array.from(native.keys()), tokenBiasValues }
}
