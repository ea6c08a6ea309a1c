/**
 * Sampler `icdf-1` (docs/sampling.md): a position's token is a function of (logits, parameters, seed, position, output
 * tokens so far) and nothing else. Order: logit bias, penalties (repeat, frequency, presence), temperature, top-k,
 * top-p, min-p, then the inverse CDF of one uniform number over the candidates by (probability descending, id ascending).
 */
import type { Sampling } from '../../../proxy/port.js'
import { EngineError } from '../errors.js'
import { exp, log } from './arithmetic.js'
import { CANDIDATES, Candidates } from './candidates.js'
import { KEPT_TOP, writeCandidate } from './evidence.js'
import { Uniform } from './uniform.js'

export type SamplerParameters = Omit<Sampling, 'seed'> & { readonly seed: bigint }

export interface Choice {
  readonly token: number
  /** Natural log of the probability over the candidates, from the model's own logits: before bias, penalties, temperature. */
  readonly logprob: number
}

export class IcdfSampler {
  readonly #parameters: SamplerParameters
  readonly #uniform: Uniform
  readonly #unbiased: (token: number) => boolean
  readonly #bias: ReadonlyMap<number, number>
  /** How often each token has been put out. The penalties' window is every output token so far; the prompt is not in it. */
  readonly #counts = new Map<number, number>()
  readonly #candidates = new Candidates()
  readonly #ranked = new Candidates()
  readonly #penalised: boolean
  /** log Σ exp over the candidates' own logits at the position drawn last. */
  #normaliser = 0

  /** `unbiased`: tokens whose bias the native side refuses to add (end of generation); it is added here. */
  constructor(parameters: SamplerParameters, unbiased: (token: number) => boolean = () => false) {
    this.#parameters = parameters
    this.#unbiased = unbiased
    this.#uniform = new Uniform(parameters.seed)
    this.#bias = new Map(parameters.logitBias.map(([token, milli]) => [token, milli / 1000]))
    this.#penalised =
      parameters.repeatPenaltyMilli !== 1000 ||
      parameters.frequencyPenaltyMilli !== 0 ||
      parameters.presencePenaltyMilli !== 0
  }

  /** Puts an output token into the penalties' window. The caller does so for every position, resumed ones included. */
  accept(token: number): void {
    if (this.#penalised) this.#counts.set(token, (this.#counts.get(token) ?? 0) + 1)
  }

  /**
   * Draws position `position`. `logits`: the best 64 of the vocabulary by biased logit, in any order, as token and biased
   * logit in turn: the native side adds the bias (float32) before it takes the best, so that a biased token cannot hide
   * behind rank 64.
   */
  draw(logits: ArrayLike<number>, position: number): Choice {
    const all = this.#candidates
    all.length = 0
    for (let i = 0; i + 1 < logits.length; i += 2) {
      const token = logits[i] ?? 0
      const logit = logits[i + 1] ?? 0
      const bias = this.#bias.get(token) ?? 0
      if (bias !== 0 && this.#unbiased(token)) all.push(token, logit, logit + bias)
      else all.push(token, logit - bias, logit)
    }
    if (all.length === 0 || Number.isNaN(all.logits[0])) {
      throw EngineError.MODEL_INVALID('the model computes no numbers: its weights are damaged')
    }
    this.#rank(all)
    if (this.#penalised) this.#penalise(all)
    all.sort()
    const index = this.#parameters.temperatureMilli === 0 ? 0 : this.#pick(all, position)
    const token = all.tokens[index] ?? 0
    return { token, logprob: (all.logits[index] ?? 0) - this.#normaliser }
  }

  /** The best `count` of the position drawn last, by the model's own logits. */
  top(count: number): { token: number; logprob: number }[] {
    const ranked = this.#ranked
    const normaliser = this.#normaliser
    return Array.from({ length: Math.min(count, ranked.length) }, (_, i) => ({
      token: ranked.tokens[i] ?? 0,
      logprob: (ranked.adjusted[i] ?? 0) - normaliser,
    }))
  }

  /**
   * Writes the best 8 of the position drawn last at `at` (evidence.ts). False, and nothing written, where the model gave
   * fewer.
   */
  writeTop(view: DataView, at: number): boolean {
    const ranked = this.#ranked
    if (ranked.length < KEPT_TOP) return false
    for (let i = 0; i < KEPT_TOP; i++) {
      writeCandidate(view, at, i, ranked.tokens[i] ?? 0, (ranked.adjusted[i] ?? 0) - this.#normaliser)
    }
    return true
  }

  /** Keeps the candidates by the model's own logits, for logprobs. */
  #rank(all: Candidates): void {
    const ranked = this.#ranked
    ranked.length = 0
    for (let i = 0; i < all.length; i++) {
      const own = all.logits[i] ?? 0
      ranked.push(all.tokens[i] ?? 0, own, own)
    }
    ranked.sort()
    this.#normaliser = normaliser(ranked)
  }

  #penalise(all: Candidates): void {
    const { repeatPenaltyMilli, frequencyPenaltyMilli, presencePenaltyMilli } = this.#parameters
    const repeat = repeatPenaltyMilli / 1000
    for (let i = 0; i < all.length; i++) {
      const count = this.#counts.get(all.tokens[i] ?? 0)
      if (count === undefined) continue
      let logit = all.adjusted[i] ?? 0
      logit = logit > 0 ? logit / repeat : logit * repeat
      all.adjusted[i] = logit - (count * frequencyPenaltyMilli) / 1000 - presencePenaltyMilli / 1000
    }
  }

  /** Temperature, top-k, top-p, min-p and the draw; `all` is sorted. Returns an index into it. */
  #pick(all: Candidates, position: number): number {
    const { temperatureMilli, topK, topPMilli, minPMilli } = this.#parameters
    const temperature = temperatureMilli / 1000
    const best = all.adjusted[0] ?? 0
    let kept = topK === 0 ? all.length : Math.min(topK, all.length, CANDIDATES)
    let sum = 0
    for (let i = 0; i < kept; i++) {
      const weight = exp(((all.adjusted[i] ?? 0) - best) / temperature)
      all.weights[i] = weight
      sum += weight
    }
    if (topPMilli < 1000) {
      const enough = (sum * topPMilli) / 1000
      let reached = 0
      let i = 0
      while (i < kept && reached < enough) reached += all.weights[i++] ?? 0
      kept = Math.max(1, i)
    }
    // The best weighs exactly 1, so min-p is a plain threshold; weights fall, so the kept stay a prefix.
    while (kept > 1 && (all.weights[kept - 1] ?? 0) * 1000 < minPMilli) kept--
    let total = 0
    for (let i = 0; i < kept; i++) total += all.weights[i] ?? 0
    const target = this.#uniform.at(position) * total
    let reached = 0
    for (let i = 0; i < kept - 1; i++) {
      reached += all.weights[i] ?? 0
      if (target < reached) return i
    }
    return kept - 1
  }
}

/** log Σ exp over the candidates' own logits. */
function normaliser(ranked: Candidates): number {
  const best = ranked.adjusted[0] ?? 0
  let sum = 0
  for (let i = 0; i < ranked.length; i++) sum += exp((ranked.adjusted[i] ?? 0) - best)
  return best + log(sum)
}
