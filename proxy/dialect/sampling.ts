/**
 * From the numbers a client writes to the integers of sampler `icdf-1`.
 *
 * One rounding rule: a fraction becomes the nearest thousandth, halves upwards (`Math.round(x * 1000)`); so every number
 * with at most three decimals arrives exactly. Where the protocol's range excludes 0 the smallest unit stands for it.
 */
import { ProxyError } from '../errors.js'
import type { Sampling } from '../port.js'

/** The shared sampling fields of the OpenAI bodies, ranges checked by their schema (`schema/fields.ts`). */
export interface SamplingFields {
  readonly temperature?: number | null
  readonly top_p?: number | null
  readonly presence_penalty?: number | null
  readonly frequency_penalty?: number | null
  readonly seed?: number | null
  readonly logit_bias?: Readonly<Record<string, number>> | null
  readonly top_k?: number | null
  readonly min_p?: number | null
  readonly repetition_penalty?: number | null
  readonly repeat_penalty?: number | null
}

/** How many candidates the sampler looks at; a larger top_k means all of them. */
const CANDIDATES = 64
const MAX_TOKEN = 2 ** 32 - 1
const U64 = 64

/** Throws `INVALID_VALUE` naming the entry for a logit bias that cannot be read. */
export function samplingFrom(fields: SamplingFields): Sampling {
  return {
    temperatureMilli: milli(fields.temperature ?? 1),
    topPMilli: Math.max(1, milli(fields.top_p ?? 1)),
    minPMilli: milli(fields.min_p ?? 0),
    topK: Math.min(CANDIDATES, Math.max(0, fields.top_k ?? 0)),
    presencePenaltyMilli: milli(fields.presence_penalty ?? 0),
    frequencyPenaltyMilli: milli(fields.frequency_penalty ?? 0),
    repeatPenaltyMilli: Math.max(1, milli(fields.repetition_penalty ?? fields.repeat_penalty ?? 1)),
    logitBias: logitBias(fields.logit_bias ?? null),
    seed: typeof fields.seed === 'number' ? BigInt.asUintN(U64, BigInt(fields.seed)) : null,
  }
}

/** `+ 0` turns -0 into 0. */
export function milli(value: number): number {
  return Math.round(value * 1000) + 0
}

/** The seed of choice `index` of an `n > 1`: the first uses the given one, each further one the next number. */
export function seedOf(seed: bigint | null, index: number): bigint | null {
  return seed === null ? null : BigInt.asUintN(U64, seed + BigInt(index))
}

function logitBias(bias: Readonly<Record<string, number>> | null): Sampling['logitBias'] {
  if (bias === null) return []
  return Object.entries(bias)
    .map(([id, value]) => [tokenId(id), biasOf(id, value)] as const)
    .sort(([a], [b]) => a - b)
}

function tokenId(id: string): number {
  // Canonical decimal only: `01` and `1` would be one token twice.
  if (!/^(0|[1-9]\d{0,9})$/.test(id) || Number(id) > MAX_TOKEN) {
    throw ProxyError.INVALID_VALUE('logit_bias', `${JSON.stringify(id.slice(0, 32))} is not a token id`)
  }
  return Number(id)
}

function biasOf(id: string, value: number): number {
  if (value < -100 || value > 100) {
    throw ProxyError.INVALID_VALUE(`logit_bias[${id}]`, 'must be between -100 and 100')
  }
  return milli(value)
}
