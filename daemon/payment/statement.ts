/**
 * The statement of one attempt, made of what the wire carried: the provider signs it, the consumer makes its own from what
 * it saw and compares.
 */
import type { MicroLamports } from '../../ledger/amount.js'
import { sealContent } from '../../ledger/content.js'
import { encodeRequest, encodeResponse } from '../../ledger/exchange.js'
import type { ExchangeResponse } from '../../ledger/exchange.js'
import type { Prices, Usage } from '../../ledger/price.js'
import { NO_CHANNEL } from '../../ledger/transaction.js'
import type { Kind, Runtime, Sampling, Statement, Times } from '../../ledger/transaction.js'
import type { AskBody, AskKeys } from '../../swarm/port.js'
import type { Stated } from './answer-evidence.js'

export type Draft = Omit<Statement, 'counter' | 'previous'>

/** The ask as both sides know it. */
export interface Ordered {
  readonly id: Uint8Array
  readonly body: AskBody
  readonly maxTokens: number | null
  readonly keys: AskKeys
  readonly network: Uint8Array
  readonly modelRoot: Uint8Array
  readonly consumer: Uint8Array
  readonly provider: Uint8Array
  readonly prices: Prices
  /** null = free of charge. */
  readonly channel: Uint8Array | null
}

/** What came of it. */
export interface Outcome {
  readonly response: ExchangeResponse
  readonly usage: Usage
  readonly cost: MicroLamports
  readonly cumulative: MicroLamports
  readonly times: Times
  readonly runtime: Runtime
  readonly stated: Stated
}

/** A consumer does not know what computed its answer. */
export const UNKNOWN_RUNTIME: Runtime = {
  library: '',
  release: '',
  backend: '',
  cpuVariant: '',
  flashAttention: false,
  kvTypes: '',
  batchSize: 0,
}

const NO_SAMPLING: Sampling = {
  sampler: 'none',
  temperatureMilli: 0,
  topPMilli: 0,
  minPMilli: 0,
  topK: 0,
  presencePenaltyMilli: 0,
  frequencyPenaltyMilli: 0,
  repeatPenaltyMilli: 0,
  logitBias: [],
  seed: 0n,
}

/** Throws `BAD_ENCODING` for what no record can hold. */
export function draftOf(
  ordered: Ordered,
  outcome: Outcome,
): { readonly draft: Draft; readonly ciphertext: Uint8Array } {
  const { id, body, keys } = ordered
  const { response, usage, cost, cumulative, times, runtime, stated } = outcome
  const sealed = sealContent(keys.content, id, {
    request: encodeRequest(body, ordered.maxTokens),
    response: encodeResponse(response),
  })
  const draft: Draft = {
    id,
    kind: kindOf(body),
    network: ordered.network,
    modelRoot: ordered.modelRoot,
    consumer: ordered.consumer,
    provider: ordered.provider,
    request: sealed.request,
    response: { ...sealed.response, tokenRoot: stated.tokenRoot },
    usage,
    sampling: samplingOf(body),
    finish: response.finish,
    runtime,
    promptTokensHash: stated.promptTokensHash,
    templateHash: stated.templateHash,
    prices: ordered.prices,
    cost,
    channel: ordered.channel ?? NO_CHANNEL,
    cumulative,
    times,
    sealedForConsumer: { kind: 'sealed', sealed: keys.forConsumer },
    sealedForProvider: { kind: 'sealed', sealed: keys.forProvider },
    body: sealed.body,
  }
  return { draft, ciphertext: sealed.ciphertext }
}

/** In order, whatever the clock did meanwhile. */
export function timesOf(asked: number, first: number | null, done: number): Times {
  const firstToken = first === null ? null : Math.max(asked, first)
  return { asked, firstToken, done: Math.max(firstToken ?? asked, done) }
}

function kindOf(body: AskBody): Kind {
  if (body.kind === 'embed') return 'embedding'
  return body.prompt.kind === 'chat' ? 'chat' : 'completion'
}

function samplingOf(body: AskBody): Sampling {
  if (body.kind === 'embed') return NO_SAMPLING
  const { temperatureMilli, topPMilli, minPMilli, topK, logitBias, seed } = body.sampling
  const { presencePenaltyMilli, frequencyPenaltyMilli, repeatPenaltyMilli } = body.sampling
  return {
    sampler: 'icdf-1',
    temperatureMilli,
    topPMilli,
    minPMilli,
    topK,
    presencePenaltyMilli,
    frequencyPenaltyMilli,
    repeatPenaltyMilli,
    logitBias,
    seed,
  }
}
