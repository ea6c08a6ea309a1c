/**
 * What the swarm is to the daemon: offers in, asks out, asks in. Bytes, peers and topics stay below this line.
 *
 * Failures are `SwarmError`s with a `code`; a refusal by a provider keeps the provider's code, detail and retry-after.
 */
import type { Prices } from '../ledger/price.js'

/** A provider's signed statement (wire.md). Everything a consumer needs to choose and to seal a request. */
export interface Offer {
  /** BLAKE2b-256 of the signed bytes. */
  readonly id: Uint8Array
  readonly modelRoot: Uint8Array
  /** At most 96 bytes of UTF-8. */
  readonly modelName: string
  readonly quantisation: string
  /** Number of weights, 0 = unknown. */
  readonly parameters: number
  readonly contextLength: number
  readonly features: readonly OfferFeature[]
  readonly notice: string | null
  readonly prices: Prices
  readonly slots: number
  /** ed25519: Noise identity and signer of the offer. */
  readonly nodeKey: Uint8Array
  /** x25519: content keys are sealed to it. */
  readonly boxKey: Uint8Array
  /** Unix milliseconds. */
  readonly issued: number
  readonly expires: number
}

export type OfferFeature = 'chat' | 'completion' | 'embeddings' | 'thoughts' | 'mock'

/** What the provider states about itself; the swarm signs, dates and renews it. */
export type OfferTerms = Pick<
  Offer,
  | 'modelRoot'
  | 'modelName'
  | 'quantisation'
  | 'parameters'
  | 'contextLength'
  | 'features'
  | 'notice'
  | 'prices'
  | 'slots'
>

export interface AskMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly content: string
  readonly name?: string
}

/** The sealed part of an ask: only the provider can read it. */
export type AskBody =
  | {
      readonly kind: 'generate'
      readonly prompt:
        | { readonly kind: 'chat'; readonly messages: readonly AskMessage[] }
        | { readonly kind: 'text'; readonly text: string }
        | { readonly kind: 'tokens'; readonly tokens: readonly number[] }
      readonly sampling: AskSampling
      readonly stop: readonly string[]
      readonly logprobs: number | null
      /** Output tokens delivered before (failover): computation goes on at position `resume.length`. */
      readonly resume: readonly number[]
    }
  | { readonly kind: 'embed'; readonly inputs: readonly (string | readonly number[])[] }

/** `icdf-1` parameters, milli-units (docs/sampling.md). */
export interface AskSampling {
  readonly temperatureMilli: number
  readonly topPMilli: number
  readonly minPMilli: number
  readonly topK: number
  readonly presencePenaltyMilli: number
  readonly frequencyPenaltyMilli: number
  readonly repeatPenaltyMilli: number
  readonly logitBias: readonly (readonly [token: number, milli: number])[]
  readonly seed: bigint
}

/** The open part of an ask. */
export interface AskLimits {
  /** Output positions, resumed ones included; null = the rest of the context. */
  readonly maxTokens: number | null
  /** Microlamports; null = no ceiling but the offer's prices. */
  readonly maxCost: bigint | null
  /** Milliseconds the provider may take in all. */
  readonly deadlineMs: number
}

export interface AskPosition {
  readonly token: number
  readonly logprob: number
  readonly bytes: Uint8Array
  readonly top: readonly { readonly token: number; readonly logprob: number; readonly bytes: Uint8Array }[]
}

export interface AskUsage {
  readonly prompt: number
  readonly cached: number
  readonly output: number
  readonly thought: number
}

/** What a consumer sees of one ask, already decrypted and checked for order, count and bounds. */
export type AnswerEvent =
  | { readonly type: 'accepted'; readonly queuePosition: number }
  | { readonly type: 'queued'; readonly position: number }
  /** Only for asks with a payment. */
  | { readonly type: 'terms'; readonly terms: AskTerms }
  | { readonly type: 'prefill'; readonly done: number; readonly total: number; readonly cached: number }
  | {
      readonly type: 'tokens'
      readonly index: number
      readonly tokens: readonly number[]
      readonly channel: 'text' | 'thought'
      readonly text: string
      readonly positions: readonly AskPosition[] | null
    }
  | { readonly type: 'vectors'; readonly index: number; readonly vectors: readonly Float32Array[] }
  | {
      readonly type: 'done'
      readonly finish: 'stop' | 'length'
      readonly stopText: string | null
      readonly usage: AskUsage
      readonly providerMs: number
      /** The transaction with the provider's signature, as bytes that only the ledger reads; null = it keeps none. */
      readonly receipt: Uint8Array | null
    }

/**
 * One content key protects a request, its answer and their record. The consumer draws it and makes both seals, because the
 * record names the very bytes of both.
 */
export interface AskKeys {
  /** 32 random bytes, for this ask alone. */
  readonly content: Uint8Array
  /** The content key sealed to the offer's box key, 80 bytes. */
  readonly forProvider: Uint8Array
  /** The same sealed to the consumer's own box key, 80 bytes. */
  readonly forConsumer: Uint8Array
}

/** A voucher as it travels (message 7); its rules are the ledger's. */
export interface SignedPayment {
  readonly channel: Uint8Array
  /** Lamports owed on the channel in all. */
  readonly cumulative: bigint
  /** Unix seconds, 0 = never. */
  readonly expires: bigint
  readonly signature: Uint8Array
}

/** With what an ask is paid. */
export type AskMeans =
  /** The voucher is the newest one on the channel, if there is one. */
  | { readonly kind: 'channel'; readonly channel: Uint8Array; readonly voucher: SignedPayment | null }
  /** An order on chain (32 bytes), and the 32 bytes that open its commitment to the request (ledger/order.ts). */
  | { readonly kind: 'order'; readonly order: Uint8Array; readonly salt: Uint8Array }

/** How an ask is paid. */
export type AskPayment = AskMeans & {
  /** ed25519 over 32 bytes that no other use has, by the channel's voucher signer or the order's payer. */
  readonly prove: (claim: Uint8Array) => Uint8Array
}

/** A payment as the provider gets it: the asker's right to it is proven when the signature fits. */
export type ShownPayment = AskMeans & {
  /** 32 bytes: network, means, both node keys and the connection (proof.ts). The same with each ask of a connection. */
  readonly claim: Uint8Array
  /** 64 bytes. */
  readonly proof: Uint8Array
}

/** What the provider reserves for an admitted ask, and the consumer after it has checked it; microlamports. */
export interface AskTerms {
  readonly promptTokens: number
  /** Reused from the provider's cache, as far as is known before the prefill. */
  readonly cachedTokens: number
  /** The most that the ask may cost. */
  readonly limit: bigint
  /** Credit that the provider extends while it serves. */
  readonly window: bigint
  /** To be paid before anything is computed. */
  readonly ahead: bigint
}

/** What left for the consumer, in whole frames. */
export interface Delivered {
  /** Output positions, resumed ones excluded; vectors of an embedding. */
  readonly count: number
  /** What the consumer says it took before it cancelled, at most `count`; null = it said nothing. */
  readonly taken: number | null
}

/** One ask as the provider's daemon sees it. Exactly one of `refuse`, `done`, `fail` ends it; later calls are no-ops. */
export interface IncomingAsk {
  /** 16 bytes, unique for this peer. */
  readonly id: Uint8Array
  /** The asking peer's Noise key. */
  readonly peer: Uint8Array
  readonly offer: Offer
  readonly body: AskBody
  readonly limits: AskLimits
  readonly keys: AskKeys
  /** null = the asker means to pay nothing. */
  readonly payment: ShownPayment | null
  /** Aborted by cancel, disconnect or deadline; its reason is a `SwarmError`. */
  readonly signal: AbortSignal
  /** What left so far; final once `flushed` resolved or `signal` aborted. */
  readonly delivered: Delivered
  /** The consumer's signature under the receipt, whichever way that went out; null = the connection closed or 10 s passed. */
  readonly countersigned: Promise<Uint8Array | null>
  accept(queuePosition: number): void
  refuse(code: RefusalCode, detail: string, retryAfterMs?: number): void
  queued(position: number): void
  prefill(done: number, total: number, cached: number): void
  /** Resolves when the consumer's credit and the socket allow more: await it before producing more. */
  tokens(frame: Omit<Extract<AnswerEvent, { type: 'tokens' }>, 'type'>): Promise<void>
  vectors(index: number, vectors: readonly Float32Array[]): Promise<void>
  /** At most once, before the first `prefill`: what the consumer must agree to. It cancels when it does not. */
  terms(terms: AskTerms): void
  /** Resolves when all output has left, so that a receipt can say what was delivered; rejects when the ask ends first. */
  flushed(): Promise<void>
  done(finish: 'stop' | 'length', stopText: string | null, usage: AskUsage, receipt?: Uint8Array | null): void
  /** For an ask that ended otherwise after output was delivered (cancelled, failed); a no-op once the peer is gone. */
  receipt(receipt: Uint8Array): void
  fail(code: RefusalCode, detail: string): void
}

/**
 * Why a provider says no. Final ones (the caller must change something) are never retried elsewhere; busy ones go to the
 * next provider before any token.
 */
export type RefusalCode =
  | 'BUSY' // queue full; retryAfterMs says when
  | 'RATE_LIMITED'
  | 'OFFER_UNKNOWN' // expired, withdrawn or price changed
  | 'MODEL_UNLOADING'
  | 'PAYMENT_REQUIRED'
  | 'COST_LIMIT'
  | 'BANNED'
  | 'CONTEXT_LENGTH_EXCEEDED' // final; detail carries both numbers
  | 'BAD_REQUEST' // final
  | 'UNSUPPORTED' // final: a feature this model or engine has not
  | 'DEADLINE_EXCEEDED'
  | 'ENGINE_FAILED' // crashed while computing

export interface AskOptions {
  readonly offer: Offer
  readonly body: AskBody
  readonly limits: AskLimits
  readonly signal: AbortSignal
  /** 16 random bytes, the id of the transaction too: each attempt is a request of its own. */
  readonly id: Uint8Array
  readonly keys: AskKeys
  /** null = free. */
  readonly payment: AskPayment | null
  /** The provider's receipt for an ask that ended without `done`; once at most, within 10 s of the end. */
  readonly onLateReceipt?: (receipt: Uint8Array) => void
}

/** Counters of one connected peer, for `swarmd peers`. */
export interface PeerView {
  readonly key: Uint8Array
  readonly client: boolean
  readonly since: number
  readonly software: string
  readonly roles: readonly ('consumer' | 'provider')[]
  readonly offers: number
  readonly asksIn: number
  readonly asksOut: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly strikes: number
  /** How far its clock was ahead of ours at hello; null before hello. */
  readonly clockSkewMs: number | null
}

/** A connection for further protocols: `stream` is what `Protomux.from` takes. */
export interface PeerStream {
  readonly key: Uint8Array
  readonly roles: readonly ('consumer' | 'provider')[]
  readonly stream: unknown
}

/** How this node stands in the DHT. */
export interface NatView {
  /** The DHT answered. */
  readonly reachable: boolean
  /** DHT nodes known. */
  readonly nodes: number
  /** This node's address as others see it; null before they said so. */
  readonly host: string | null
  readonly port: number | null
  /** `open`: anybody can dial in; `consistent`: hole punching works; `random`: it is a lottery; `unknown`: too early. */
  readonly kind: 'open' | 'consistent' | 'random' | 'unknown'
}

export interface SwarmOptions {
  /** Noise key pair, ed25519 (32/64 bytes): the node key of a provider, a fresh one for a pure consumer. */
  readonly keyPair: { readonly publicKey: Uint8Array; readonly secretKey: Uint8Array }
  /** x25519 pair that content keys are sealed to; providers only. */
  readonly boxKeyPair: { readonly publicKey: Uint8Array; readonly secretKey: Uint8Array } | null
  /** DHT bootstrap nodes; null = Hyperswarm's public ones. */
  readonly bootstrap: readonly { readonly host: string; readonly port: number }[] | null
  /** Address to bind; '127.0.0.1' for loopback swarms, null = all. */
  readonly host: string | null
  /** 32 bytes: genesis hash of the chain, or the hash of a private network's name. */
  readonly network: Uint8Array
  /** Mixed into every topic; null = open. */
  readonly invite: Uint8Array | null
  /** Node keys that may connect; null = all. */
  readonly allow: readonly Uint8Array[] | null
  readonly software: string
  readonly onAsk: ((ask: IncomingAsk) => void) | null
  /**
   * A voucher came; resolves when it is durable. What it throws is told to the peer by its `code`; a `VOUCHER_*` code also
   * counts as a strike. null: vouchers are answered `UNSUPPORTED`.
   */
  readonly onVoucher?: ((peer: Uint8Array, voucher: SignedPayment) => Promise<void>) | null
  /**
   * A peer's session stands (after hello): further protomux channels may be opened on its stream, e.g. replication of logs.
   * Whatever is opened there closes with the stream.
   */
  readonly onPeer?: ((peer: PeerStream) => void) | null
  readonly now?: () => number
}

export interface Swarm {
  /** Resolves once the DHT is bootstrapped and the lobby lookup has run once. Idempotent. */
  ready(): Promise<void>
  close(): Promise<void>
  readonly publicKey: Uint8Array
  /** Announces the model's topic and keeps a signed offer fresh. Returns a handle that withdraws it. */
  serve(terms: OfferTerms): { readonly offer: Offer; withdraw(): Promise<void> }
  /** Every valid offer this node knows, its own excluded. */
  offers(): readonly Offer[]
  /** Joins a model's topic as a client (or keeps it joined); resolves after the first round of the lookup. */
  lookup(modelRoot: Uint8Array): Promise<void>
  /**
   * Connects to a node that is known by its key alone; resolves when it has said what it offers. Throws
   * `PEER_UNREACHABLE`, `CANCELLED`, `SWARM_CLOSED`.
   */
  meet(nodeKey: Uint8Array, signal: AbortSignal): Promise<void>
  /**
   * Asks one provider. The iterator throws a `SwarmError` on refusal, loss (`PEER_LOST`), bad protocol or abort
   * (`CANCELLED`, `DEADLINE_EXCEEDED`); returning early cancels. Credit follows the reader's pace.
   */
  ask(options: AskOptions): AsyncIterable<AnswerEvent>
  /** Sends a voucher to a provider that an ask is under way with; false when there is no session. */
  pay(provider: Uint8Array, voucher: SignedPayment): boolean
  /** Sends the signature under a receipt; false when there is no session any more. */
  countersign(provider: Uint8Array, id: Uint8Array, signature: Uint8Array): boolean
  /**
   * Counts a lie of a peer, connected or not, like a breach of protocol: three within an hour ban its key for an hour, and
   * end its session with `BANNED`. `what` is for that peer's owner.
   */
  strike(peer: Uint8Array, what: string): void
  peers(): readonly PeerView[]
  /** How this node stands in the DHT, for `swarmd doctor`. */
  nat(): NatView
  /** `offers`: the table changed. `peers`: a connection came or went. */
  on(event: 'offers' | 'peers', listener: () => void): this
  off(event: 'offers' | 'peers', listener: () => void): this
}
