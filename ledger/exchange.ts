/**
 * What was asked and answered, as the bytes that both sides hash, encrypt and keep (content.ts). They are made from what
 * travelled on the wire and from nothing else, so consumer and provider come to the same ones.
 *
 *   request  = version uint8 (1) | maxTokens optional uint | body
 *   body     = 0 | prompt | sampling | stop texts | logprobs optional uint | resume tokens           generate
 *            | 1 | inputs, each 0 text or 1 tokens                                                   embed
 *   prompt   = 0 messages { role, content, name optional } | 1 text | 2 tokens
 *   response = version uint8 (1) | 0 | finish | stop text optional | thought | text | tokens         generate
 *            | version uint8 (1) | 1 | finish | dimensions | count | digest 32 | optional vectors    embed
 *
 * Integers are in their shortest form, texts UTF-8 (a lone surrogate becomes U+FFFD, as on the wire), vectors float32 LE.
 * A value has exactly one encoding. Whatever the wire carries fits into `MAX_CONTENT_BYTES`; vectors above
 * `MAX_VECTOR_BYTES` are named by their digest alone.
 */
import b4a from 'b4a'
import { bytes, decode, encode, fixed, list, mapped, oneOf, optional, struct, text, uint, version } from './codec.js'
import type { Codec } from './codec.js'
import { MAX_CONTENT_BYTES } from './content.js'
import { HASH_BYTES, hash } from './crypto.js'
import { LedgerError } from './errors.js'
import { FINISH, SAMPLING_FIELDS } from './transaction.js'
import type { Finish, Sampling } from './transaction.js'

const MAX_COUNT = 2 ** 32 - 1
const MAX_MESSAGES = 4096
const MAX_NAME_BYTES = 128
const MAX_STOPS = 32
const MAX_STOP_BYTES = 512
const MAX_LOGPROBS = 20
const MAX_INPUTS = 2048
/** A prompt or an output; the wire allows 2^21. */
const MAX_TOKENS = 2 ** 22
const MAX_DIMENSIONS = 65_536
/** All vectors of one answer together. */
export const MAX_VECTOR_BYTES = 8 * 1024 * 1024

export interface ExchangeMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly content: string
  readonly name?: string
}

export type ExchangePrompt =
  | { readonly kind: 'chat'; readonly messages: readonly ExchangeMessage[] }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'tokens'; readonly tokens: readonly number[] }

/** The sealed part of an ask, as the wire has it. */
export type ExchangeBody =
  | {
      readonly kind: 'generate'
      readonly prompt: ExchangePrompt
      readonly sampling: Omit<Sampling, 'sampler'>
      readonly stop: readonly string[]
      readonly logprobs: number | null
      /** Output tokens of earlier attempts: this answer goes on behind them. */
      readonly resume: readonly number[]
    }
  | { readonly kind: 'embed'; readonly inputs: readonly (string | readonly number[])[] }

export interface ExchangeRequest {
  readonly body: ExchangeBody
  /** Output positions, resumed ones included; null = the rest of the context. */
  readonly maxTokens: number | null
}

/** What one provider delivered in one attempt; `text`, `thought` and `tokens` are its frames put together. */
export type ExchangeResponse =
  | {
      readonly kind: 'generate'
      readonly finish: Finish
      /** The stop text that ended it; null when none did, or the end never came. */
      readonly stopText: string | null
      readonly thought: string
      readonly text: string
      readonly tokens: readonly number[]
    }
  | { readonly kind: 'embed'; readonly finish: Finish; readonly vectors: readonly Float32Array[] }

/** An answer as it is read back: the vectors of a large one are only named. */
export type KeptResponse =
  | Extract<ExchangeResponse, { kind: 'generate' }>
  | {
      readonly kind: 'embed'
      readonly finish: Finish
      readonly dimensions: number
      readonly count: number
      readonly digest: Uint8Array
      /** null: there was more than `MAX_VECTOR_BYTES` of them. */
      readonly vectors: readonly Float32Array[] | null
    }

const TEXT = text(MAX_CONTENT_BYTES)
const TOKENS = list(uint(MAX_COUNT), MAX_TOKENS)
const STOP = text(MAX_STOP_BYTES)

const MESSAGE: Codec<ExchangeMessage> = mapped(
  struct<{ role: ExchangeMessage['role']; content: string; name: string | null }>({
    role: oneOf('a role', ['system', 'user', 'assistant', 'tool']),
    content: TEXT,
    name: optional(text(MAX_NAME_BYTES)),
  }),
  ({ role, content, name }: ExchangeMessage) => ({ role, content, name: name ?? null }),
  ({ role, content, name }) => (name === null ? { role, content } : { role, content, name }),
)

const PROMPT = union<ExchangePrompt>('a prompt', {
  chat: struct<{ messages: readonly ExchangeMessage[] }>({ messages: list(MESSAGE, MAX_MESSAGES) }),
  text: struct<{ text: string }>({ text: TEXT }),
  tokens: struct<{ tokens: readonly number[] }>({ tokens: TOKENS }),
})

type Input =
  { readonly kind: 'text'; readonly text: string } | { readonly kind: 'tokens'; readonly tokens: readonly number[] }

const INPUT: Codec<string | readonly number[]> = mapped(
  union<Input>('an input', {
    text: struct<{ text: string }>({ text: TEXT }),
    tokens: struct<{ tokens: readonly number[] }>({ tokens: TOKENS }),
  }),
  (input: string | readonly number[]): Input =>
    typeof input === 'string' ? { kind: 'text', text: input } : { kind: 'tokens', tokens: input },
  (input) => (input.kind === 'text' ? input.text : input.tokens),
)

const REQUEST = struct<ExchangeRequest & { version: number }>({
  version: version('the request', 1),
  maxTokens: optional(uint(MAX_COUNT)),
  body: union<ExchangeBody>('a request', {
    generate: struct<Omit<Extract<ExchangeBody, { kind: 'generate' }>, 'kind'>>({
      prompt: PROMPT,
      sampling: struct<Omit<Sampling, 'sampler'>>(SAMPLING_FIELDS),
      stop: list(STOP, MAX_STOPS),
      logprobs: optional(uint(MAX_LOGPROBS)),
      resume: TOKENS,
    }),
    embed: struct<{ inputs: readonly (string | readonly number[])[] }>({ inputs: list(INPUT, MAX_INPUTS) }),
  }),
})

interface Embedded {
  readonly kind: 'embed'
  readonly finish: Finish
  readonly dimensions: number
  readonly count: number
  readonly digest: Uint8Array
  readonly data: Uint8Array | null
}

const RESPONSE = struct<{ version: number; answer: Extract<ExchangeResponse, { kind: 'generate' }> | Embedded }>({
  version: version('the response', 1),
  answer: union<Extract<ExchangeResponse, { kind: 'generate' }> | Embedded>('a response', {
    generate: struct<Omit<Extract<ExchangeResponse, { kind: 'generate' }>, 'kind'>>({
      finish: FINISH,
      stopText: optional(STOP),
      thought: TEXT,
      text: TEXT,
      tokens: TOKENS,
    }),
    embed: struct<Omit<Embedded, 'kind'>>({
      finish: FINISH,
      dimensions: uint(MAX_DIMENSIONS),
      count: uint(MAX_INPUTS),
      digest: fixed(HASH_BYTES),
      data: optional(bytes(MAX_VECTOR_BYTES)),
    }),
  }),
})

/** Throws `BAD_ENCODING` when a field is out of bounds. */
export function encodeRequest(body: ExchangeBody, maxTokens: number | null): Uint8Array {
  return encode(REQUEST, { version: 1, maxTokens, body })
}

/** Throws `BAD_ENCODING` or `UNKNOWN_VERSION`. */
export function decodeRequest(encoded: Uint8Array): ExchangeRequest {
  const { body, maxTokens } = decode(REQUEST, within(encoded))
  return { body, maxTokens }
}

/** Throws `BAD_ENCODING` when a field is out of bounds, or when vectors differ in length or hold no finite numbers. */
export function encodeResponse(response: ExchangeResponse): Uint8Array {
  const answer = response.kind === 'generate' ? response : embedded(response)
  return encode(RESPONSE, { version: 1, answer })
}

/** Throws `BAD_ENCODING` or `UNKNOWN_VERSION`. */
export function decodeResponse(encoded: Uint8Array): KeptResponse {
  const { answer } = decode(RESPONSE, within(encoded))
  if (answer.kind === 'generate') return answer
  const { finish, dimensions, count, digest, data } = answer
  const size = dimensions * count * 4
  if ((data?.byteLength ?? size) !== size || (data === null) !== size > MAX_VECTOR_BYTES) {
    throw LedgerError.BAD_ENCODING('vectors of another size than stated')
  }
  if (count === 0 && dimensions > 0) throw LedgerError.BAD_ENCODING('dimensions of no vectors')
  if (data && !b4a.equals(digest, vectorDigest(data))) throw LedgerError.BAD_ENCODING('vectors of another digest')
  return { kind: 'embed', finish, dimensions, count, digest, vectors: data && finite(split(data, dimensions, count)) }
}

function embedded({ finish, vectors }: Extract<ExchangeResponse, { kind: 'embed' }>): Embedded {
  const dimensions = vectors[0]?.length ?? 0
  if (vectors.some(({ length }) => length !== dimensions)) {
    throw LedgerError.BAD_ENCODING('vectors of different lengths')
  }
  const all = b4a.allocUnsafeSlow(vectors.length * dimensions * 4)
  const view = new DataView(all.buffer, all.byteOffset, all.byteLength)
  finite(vectors).forEach((vector, i) =>
    vector.forEach((value, j) => view.setFloat32((i * dimensions + j) * 4, value, true)),
  )
  const data = all.byteLength > MAX_VECTOR_BYTES ? null : all
  return { kind: 'embed', finish, dimensions, count: vectors.length, digest: vectorDigest(all), data }
}

function split(data: Uint8Array, dimensions: number, count: number): Float32Array[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  return Array.from({ length: count }, (_, i) =>
    Float32Array.from({ length: dimensions }, (__, j) => view.getFloat32((i * dimensions + j) * 4, true)),
  )
}

/** NaN has many encodings, and no vector of use has one. */
function finite(vectors: readonly Float32Array[]): readonly Float32Array[] {
  if (vectors.every((vector) => vector.every(Number.isFinite))) return vectors
  throw LedgerError.BAD_ENCODING('a vector with a value that is no number')
}

function vectorDigest(data: Uint8Array): Uint8Array {
  return hash('swarmd/1/exchange/vectors', data)
}

function within(encoded: Uint8Array): Uint8Array {
  if (encoded.byteLength > MAX_CONTENT_BYTES) throw LedgerError.BAD_ENCODING('a content above its limit')
  return encoded
}

/** The place of its `kind` in the list, then its other fields: append kinds, never reorder. */
function union<T extends { readonly kind: string }>(
  what: string,
  cases: { readonly [K in T['kind']]: Codec<Omit<Extract<T, { kind: K }>, 'kind'>> },
): Codec<T> {
  const kinds = Object.keys(cases) as T['kind'][]
  const tag = oneOf(what, kinds)
  // A case's codec reads and writes exactly the fields of its kind.
  const codecs: { readonly [K in T['kind']]: unknown } = cases
  const codecOf = (kind: T['kind']): Codec<object> => codecs[kind] as Codec<object>
  return {
    preencode(state, value) {
      tag.preencode(state, value.kind)
      codecOf(value.kind).preencode(state, value)
    },
    encode(state, value) {
      tag.encode(state, value.kind)
      codecOf(value.kind).encode(state, value)
    },
    decode(state) {
      const kind = tag.decode(state)
      return { kind, ...codecOf(kind).decode(state) } as T
    },
  }
}
