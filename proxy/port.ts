/**
 * The one interface that the HTTP dialects know: what can be asked, and how answers come back.
 *
 * The daemon implements it (consumer side); tests and benches implement it with a mock. Nothing in here names HTTP,
 * OpenAI or a peer. Failures are thrown as errors with a `code` (see `proxy/errors.ts` for the codes and their status).
 */

/** A model that can be reached now, locally or through the swarm. */
export interface ModelCard {
  /** Human name, e.g. `smollm2-135m-instruct:q4_1`, with `@` and eight hex digits when two roots share it. */
  readonly id: string
  /** Hex of the 32-byte model root. */
  readonly root: string
  /** Other names that resolve to this model (configured aliases). */
  readonly aliases: readonly string[]
  /** Unix milliseconds when this node first saw the model. */
  readonly created: number
  readonly contextLength: number
  readonly quantisation: string
  /** Number of weights; 0 when unknown. */
  readonly parameters: number
  readonly features: readonly ModelFeature[]
  /** Lowest price among the providers, lamports per million tokens; null when local. */
  readonly price: { readonly input: bigint; readonly cached: bigint; readonly output: bigint } | null
  /** How many reachable providers, this node included. */
  readonly providers: number
  readonly local: boolean
  /** As this node measured it; null before the first request. */
  readonly tokensPerSecond: number | null
  readonly ttftMs: number | null
  /** Shown wherever a person meets the model, e.g. "toy model for demonstrations". */
  readonly notice: string | null
  /** Who offers it, in the swarm and on the chain; absent where no chain is used. At most 32. */
  readonly offered?: readonly ModelProvider[]
}

/** A provider of a model as its own offer states it, as the chain does, or both. */
export interface ModelProvider {
  /** Hex node key. */
  readonly node: string
  readonly connected: boolean
  /** null = unknown: only the chain speaks of it. */
  readonly online: true | null
  readonly swarm: ModelTerms | null
  readonly chain: (ModelTerms & ChainStanding & { readonly updatedAt: number }) | null
}

export interface ModelTerms {
  /** Lamports per million tokens. */
  readonly price: { readonly input: bigint; readonly cached: bigint; readonly output: bigint }
  readonly contextLength: number
}

/** What a chain can know of a provider. Times are Unix seconds. */
export interface ChainStanding {
  readonly registeredAt: number
  /** Lamports that callers paid, fees included. */
  readonly settled: bigint
  readonly settlements: bigint
  readonly channelsOpened: bigint
  readonly channelsClosed: bigint
  readonly ordersClaimed: bigint
  readonly ordersRefunded: bigint
}

export type ModelFeature = 'chat' | 'completion' | 'embeddings' | 'thoughts' | 'mock'

export interface Message {
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly content: string
  readonly name?: string
}

export type Prompt =
  | { readonly kind: 'chat'; readonly messages: readonly Message[] }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'tokens'; readonly tokens: readonly number[] }

/**
 * Sampling of protocol `icdf-1`, integers only, so that every machine decides alike.
 * Milli-units: 1000 = 1.0.
 */
export interface Sampling {
  /** 0 = argmax. 0..100_000. */
  readonly temperatureMilli: number
  /** 1..1000; 1000 = off. */
  readonly topPMilli: number
  /** 0..1000; 0 = off. */
  readonly minPMilli: number
  /** 0 = off (the sampler's own 64 candidates), else 1..64. */
  readonly topK: number
  /** -2000..2000 each. */
  readonly presencePenaltyMilli: number
  readonly frequencyPenaltyMilli: number
  /** 1000 = off; 1..10_000. */
  readonly repeatPenaltyMilli: number
  /** [token id, milli-logit] pairs, ascending ids, at most 1,024; ±100_000 milli. */
  readonly logitBias: readonly (readonly [token: number, milli: number])[]
  /** u64; null = the backend draws one. */
  readonly seed: bigint | null
}

export interface GenerateRequest {
  /** As the client wrote it; the backend resolves names, prefixes and aliases. */
  readonly model: string
  readonly prompt: Prompt
  readonly sampling: Sampling
  /** null = until the model ends or its context is full. */
  readonly maxTokens: number | null
  readonly stop: readonly string[]
  /** How many alternatives per position, 0..20; null = no logprobs. */
  readonly logprobs: number | null
  readonly routing: Routing
  /** Name of the API key that asks, whose budget it is; null or absent = the owner. */
  readonly caller?: string | null
}

export interface EmbedRequest {
  readonly model: string
  readonly inputs: readonly (string | readonly number[])[]
  readonly routing: Routing
  /** As in `GenerateRequest`. */
  readonly caller?: string | null
}

/** The caller's wishes about providers (OpenRouter's field names in the dialect, neutral here). */
export interface Routing {
  /** Hex node keys. */
  readonly only: readonly string[] | null
  readonly ignore: readonly string[]
  readonly order: readonly string[]
  readonly sort: 'price' | 'latency' | 'throughput' | null
  /** Ceilings, lamports per million tokens. */
  readonly maxPrice: { readonly input: bigint | null; readonly output: bigint | null }
  readonly allowFallbacks: boolean
  /** Milliseconds from now after which the request fails with `DEADLINE_EXCEEDED`; null = the default (1 h). */
  readonly deadlineMs: number | null
  /** Absent = as the node is set. */
  readonly pay?: Paying
}

/** The caller's wishes about money; null = as the node is set. */
export interface Paying {
  /** `order`: by an order of its own; `channel`: from a deposit; `auto`: an order where no deposit can be made. */
  readonly by: 'auto' | 'channel' | 'order' | null
  /** Lamports that the request may cost in all. */
  readonly maxCost: bigint | null
  /** Seconds until an order that nobody answers is taken back. */
  readonly deadlineSeconds: number | null
  /** Lamports that a provider must have earned to take an order. */
  readonly minReputation: bigint | null
}

export interface TokenLogprob {
  readonly token: number
  /** The token's own bytes as text may be half a character: bytes are exact, text is lossy. */
  readonly bytes: Uint8Array
  /** Natural log of the probability over the sampler's 64 candidates, before temperature. */
  readonly logprob: number
  readonly top: readonly { readonly token: number; readonly bytes: Uint8Array; readonly logprob: number }[]
}

export type FinishReason = 'stop' | 'length' | 'cancelled'

export type GenerateEvent =
  /** Position in the provider's queue, 0 = next. */
  | { readonly type: 'queued'; readonly position: number }
  | { readonly type: 'prefill'; readonly done: number; readonly total: number }
  /** Once, before the first text: who computes, and under which request id. */
  | {
      readonly type: 'started'
      readonly id: string
      readonly model: string
      readonly provider: string
      readonly promptTokens: number
      readonly seed: bigint
    }
  | {
      readonly type: 'text'
      readonly channel: 'text' | 'thought'
      readonly text: string
      readonly tokens: readonly number[]
      readonly logprobs: readonly TokenLogprob[] | null
    }
  | {
      readonly type: 'done'
      readonly finish: FinishReason
      readonly stopText: string | null
      readonly usage: GenerateUsage
      readonly receipt: CallReceipt
    }

/** `prompt` includes `cached`; `output` includes `thought`. */
export interface GenerateUsage {
  readonly prompt: number
  readonly cached: number
  readonly output: number
  readonly thought: number
}

/** What the owner of the request is told about it (headers, extra fields). */
export interface CallReceipt {
  /** Hex request id; later the transaction id. */
  readonly id: string
  /** Hex node key of the provider; `local` when this node computed it. */
  readonly provider: string
  readonly costMicroLamports: bigint
  readonly ttftMs: number
  /** Milliseconds this node added to the provider's own time. */
  readonly overheadMs: number
}

export interface EmbedResult {
  readonly model: string
  /** Unit length each. */
  readonly vectors: readonly Float32Array[]
  readonly promptTokens: number
  readonly receipt: CallReceipt
}

export interface Health {
  /** `starting` until the swarm is joined; local models answer before that. */
  readonly status: 'ok' | 'starting'
  readonly peers: number
  readonly models: number
  readonly uptimeMs: number
  readonly version: string
}

export interface Backend {
  models(): readonly ModelCard[]
  /**
   * Streams one answer. Ends after exactly one `done`, or throws an error with a `code`. Aborting `signal` cancels all the
   * way to the provider's batch; the iterator then throws `CANCELLED`. The caller's pace is the back-pressure.
   */
  generate(request: GenerateRequest, signal: AbortSignal): AsyncIterable<GenerateEvent>
  embed(request: EmbedRequest, signal: AbortSignal): Promise<EmbedResult>
  health(): Health
}
