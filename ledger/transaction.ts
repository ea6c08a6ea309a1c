/**
 * One input/output pair, as both sides sign it: a *statement* and up to two signatures.
 *
 *   transaction = version uint8 (1) | statement | optional provider signature 64 | optional consumer signature 64
 *
 * The statement's fields are encoded in the order of `Statement`. What is signed is the statement with each sealed
 * content key replaced by its hash, so that a key can be destroyed later and both signatures still verify.
 */
import b4a from 'b4a'
import { MAX_MICRO, MAX_U64, microLamports } from './amount.js'
import type { MicroLamports } from './amount.js'
import {
  bigUint,
  decode,
  encode,
  fixed,
  flag,
  int,
  list,
  mapped,
  oneOf,
  optional,
  struct,
  text,
  uint,
  version,
} from './codec.js'
import type { Codec } from './codec.js'
import { HASH_BYTES, hash, KEY_BYTES, SEALED_KEY_BYTES, SIGNATURE_BYTES } from './crypto.js'
import { price } from './price.js'
import type { Price, Prices, Usage } from './price.js'

/** No transaction is longer: 1,024 logit biases take at most 10 KiB of it. */
export const MAX_TRANSACTION_BYTES = 16 * 1024
export const MAX_LOGIT_BIASES = 1024
const MAX_U32 = 2 ** 32 - 1
const MAX_MILLI = 10_000_000
const MAX_TEXT = 64

/** Append, never reorder. */
const KINDS = ['chat', 'completion', 'embedding'] as const
export type Kind = (typeof KINDS)[number]

/**
 * `stop`, `length`: the model ended or the limit was reached; `cancelled`: the consumer hung up; `lost`: the other side
 * was gone; `failed`: the engine broke. Append, never reorder.
 */
const FINISHES = ['stop', 'length', 'cancelled', 'lost', 'failed'] as const
export type Finish = (typeof FINISHES)[number]

/** `icdf-1` parameters in milli-units (docs/sampling.md). */
export interface Sampling {
  readonly sampler: string
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

/** What computed the answer: selects the null table of an audit. */
export interface Runtime {
  readonly library: string
  readonly release: string
  readonly backend: string
  readonly cpuVariant: string
  readonly flashAttention: boolean
  readonly kvTypes: string
  readonly batchSize: number
}

/** A content key sealed to one side (80 bytes), or what is left of it after its owner destroyed it: the hash. */
export type SealedKey =
  { readonly kind: 'sealed'; readonly sealed: Uint8Array } | { readonly kind: 'destroyed'; readonly hash: Uint8Array }

/** Keys, roots and hashes have 32 bytes; the hashes of contents are keyed by the content key (ledger/content). */
export interface Statement {
  /** 16 random bytes, chosen by the consumer. */
  readonly id: Uint8Array
  readonly kind: Kind
  readonly network: Uint8Array
  readonly modelRoot: Uint8Array
  readonly consumer: Uint8Array
  readonly provider: Uint8Array
  readonly request: { readonly hash: Uint8Array; readonly bytes: number }
  readonly response: { readonly hash: Uint8Array; readonly tokenRoot: Uint8Array; readonly bytes: number }
  readonly usage: Usage
  readonly sampling: Sampling
  readonly finish: Finish
  readonly runtime: Runtime
  readonly promptTokensHash: Uint8Array
  readonly templateHash: Uint8Array
  /** How many receipts this provider has signed before: 0, 1, 2 … without holes. */
  readonly counter: number
  /** `receiptHash` of the one before, zeros at counter 0. */
  readonly previous: Uint8Array
  readonly prices: Prices
  readonly cost: MicroLamports
  /** The channel's account, zeros for a free swarm. */
  readonly channel: Uint8Array
  /** Everything accrued on the channel, this request included. */
  readonly cumulative: MicroLamports
  /** Unix milliseconds on the signer's clock; each side keeps its own beside the transaction. */
  readonly times: Times
  readonly sealedForConsumer: SealedKey
  readonly sealedForProvider: SealedKey
  /** Hash and length of the ciphertext of request and response: what a bodies core must return. */
  readonly body: { readonly hash: Uint8Array; readonly bytes: number }
}

export interface Times {
  readonly asked: number
  /** null: there was no token. */
  readonly firstToken: number | null
  readonly done: number
}

/**
 * Both signatures: agreed. Only the provider's: the consumer vanished. Only the consumer's: the provider vanished, and
 * the statement is what the consumer saw.
 */
export interface Transaction {
  readonly statement: Statement
  readonly providerSignature: Uint8Array | null
  readonly consumerSignature: Uint8Array | null
}

const HASH = fixed(HASH_BYTES)
const KEY = fixed(KEY_BYTES)
const COUNT = uint(MAX_U32)
const BYTES = uint(2 ** 40)
const MILLIS = uint(Number.MAX_SAFE_INTEGER)
const MICRO: Codec<MicroLamports> = mapped(bigUint(MAX_MICRO), (value) => value, microLamports)
const PRICE: Codec<Price> = mapped(bigUint(MAX_U64), (value) => value, price)
const MILLI = int(MAX_MILLI)

/** Times of one side: also kept beside the transaction by the store. */
export const TIMES: Codec<Times> = struct<Times>({ asked: MILLIS, firstToken: optional(MILLIS), done: MILLIS })

const SEALED_KEY: Codec<SealedKey> = {
  preencode(state, key) {
    state.end++
    if (key.kind === 'sealed') fixed(SEALED_KEY_BYTES).preencode(state, key.sealed)
    else HASH.preencode(state, key.hash)
  },
  encode(state, key) {
    flag.encode(state, key.kind === 'sealed')
    if (key.kind === 'sealed') fixed(SEALED_KEY_BYTES).encode(state, key.sealed)
    else HASH.encode(state, key.hash)
  },
  decode(state) {
    if (flag.decode(state)) return { kind: 'sealed', sealed: fixed(SEALED_KEY_BYTES).decode(state) }
    return { kind: 'destroyed', hash: HASH.decode(state) }
  },
}

/** All but the sampler's name, in the order of their bytes. */
export const SAMPLING_FIELDS: { readonly [K in keyof Omit<Sampling, 'sampler'>]: Codec<Sampling[K]> } = {
  temperatureMilli: MILLI,
  topPMilli: MILLI,
  minPMilli: MILLI,
  topK: COUNT,
  presencePenaltyMilli: MILLI,
  frequencyPenaltyMilli: MILLI,
  repeatPenaltyMilli: MILLI,
  logitBias: list(
    mapped(
      struct<{ token: number; milli: number }>({ token: COUNT, milli: MILLI }),
      ([token, milli]: readonly [number, number]) => ({ token, milli }),
      ({ token, milli }) => [token, milli] as const,
    ),
    MAX_LOGIT_BIASES,
  ),
  seed: bigUint(MAX_U64),
}

const SAMPLING = struct<Sampling>({ sampler: text(MAX_TEXT), ...SAMPLING_FIELDS })

export const FINISH: Codec<Finish> = oneOf('a finish reason', FINISHES)

const RUNTIME = struct<Runtime>({
  library: text(MAX_TEXT),
  release: text(MAX_TEXT),
  backend: text(MAX_TEXT),
  cpuVariant: text(MAX_TEXT),
  flashAttention: flag,
  kvTypes: text(MAX_TEXT),
  batchSize: COUNT,
})

function statementWith(sealedKey: Codec<SealedKey>): Codec<Statement> {
  return struct<Statement>({
    id: fixed(16),
    kind: oneOf('a kind', KINDS),
    network: HASH,
    modelRoot: HASH,
    consumer: KEY,
    provider: KEY,
    request: struct<Statement['request']>({ hash: HASH, bytes: BYTES }),
    response: struct<Statement['response']>({ hash: HASH, tokenRoot: HASH, bytes: BYTES }),
    usage: struct<Usage>({ input: COUNT, cached: COUNT, output: COUNT }),
    sampling: SAMPLING,
    finish: FINISH,
    runtime: RUNTIME,
    promptTokensHash: HASH,
    templateHash: HASH,
    counter: MILLIS,
    previous: HASH,
    prices: struct<Prices>({ input: PRICE, cached: PRICE, output: PRICE }),
    cost: MICRO,
    channel: KEY,
    cumulative: MICRO,
    times: TIMES,
    sealedForConsumer: sealedKey,
    sealedForProvider: sealedKey,
    body: struct<Statement['body']>({ hash: HASH, bytes: BYTES }),
  })
}

interface Versioned extends Transaction {
  readonly version: number
}

const TRANSACTION = struct<Versioned>({
  version: version('the transaction', 1),
  statement: statementWith(SEALED_KEY),
  providerSignature: optional(fixed(SIGNATURE_BYTES)),
  consumerSignature: optional(fixed(SIGNATURE_BYTES)),
})

const SIGNABLE = struct<{ version: number; statement: Statement }>({
  version: version('the statement', 1),
  statement: statementWith(mapped(HASH, sealedKeyHash, (digest): SealedKey => ({ kind: 'destroyed', hash: digest }))),
})

/** Throws `BAD_ENCODING` when a field is out of bounds. */
export function encodeTransaction(transaction: Transaction): Uint8Array {
  return encode(TRANSACTION, { version: 1, ...transaction })
}

/** Throws `BAD_ENCODING` or `UNKNOWN_VERSION`. Fields are views into `bytes`. */
export function decodeTransaction(bytes: Uint8Array): Transaction {
  const { statement, providerSignature, consumerSignature } = decode(TRANSACTION, bytes)
  return { statement, providerSignature, consumerSignature }
}

/** The bytes that both sides stand for: they do not change when a content key is destroyed. */
export function signableBytes(statement: Statement): Uint8Array {
  return encode(SIGNABLE, { version: 1, statement })
}

/** 32 bytes that name a receipt: what the next receipt of the provider points at. */
export function receiptHash(statement: Statement): Uint8Array {
  return hash('swarmd/1/receipt', signableBytes(statement))
}

/** Both sealed keys replaced by their hashes: what is left once a content has been forgotten. */
export function withoutKeys(transaction: Transaction): Transaction {
  const { statement } = transaction
  const destroyed = (key: SealedKey): SealedKey => ({ kind: 'destroyed', hash: sealedKeyHash(key) })
  return {
    ...transaction,
    statement: {
      ...statement,
      sealedForConsumer: destroyed(statement.sealedForConsumer),
      sealedForProvider: destroyed(statement.sealedForProvider),
    },
  }
}

/** The opposite: null when these are not the keys whose hashes were signed. */
export function withKeys(transaction: Transaction, consumer: Uint8Array, provider: Uint8Array): Transaction | null {
  const { statement } = transaction
  const sealedForConsumer: SealedKey = { kind: 'sealed', sealed: consumer }
  const sealedForProvider: SealedKey = { kind: 'sealed', sealed: provider }
  const theirs =
    b4a.equals(sealedKeyHash(sealedForConsumer), sealedKeyHash(statement.sealedForConsumer)) &&
    b4a.equals(sealedKeyHash(sealedForProvider), sealedKeyHash(statement.sealedForProvider))
  return theirs ? { ...transaction, statement: { ...statement, sealedForConsumer, sealedForProvider } } : null
}

export function isFreeOfCharge(statement: Statement): boolean {
  return b4a.equals(statement.channel, NO_CHANNEL)
}

/** The channel of a free swarm. */
export const NO_CHANNEL: Uint8Array = b4a.alloc(KEY_BYTES)

function sealedKeyHash(key: SealedKey): Uint8Array {
  return key.kind === 'destroyed' ? key.hash : hash('swarmd/1/sealed-key', key.sealed)
}
