/**
 * A provider's signed statement. Not a message by itself: `offers` carries it, and an offer's id is its hash.
 *
 * signed := version | statement                         at most MAX_SIGNED_OFFER_BYTES
 * envelope := node key 32 | signature 64 | length | signed
 * signature := ed25519(node key, "swarmd/1/offer", network, signed)
 */
import { price } from '../../ledger/price.js'
import type { Prices } from '../../ledger/price.js'
import type { OfferFeature } from '../port.js'
import { message, record } from './codec.js'
import type { Codec } from './codec.js'
import { bytes, fixed, flag, optional, setOf, string, u64, uint } from './fields.js'

export const MAX_MODEL_NAME_BYTES = 96
export const MAX_QUANTISATION_BYTES = 32
export const MAX_NOTICE_BYTES = 160
export const MAX_CONTEXT_LENGTH = 2 ** 31
export const MAX_SLOTS = 65_535
export const MAX_SIGNED_OFFER_BYTES = 640

/** Append, never reorder. */
export const FEATURES: readonly OfferFeature[] = ['chat', 'completion', 'embeddings', 'thoughts', 'mock']

export interface Statement {
  readonly modelRoot: Uint8Array
  readonly modelName: string
  readonly quantisation: string
  /** Number of weights, 0 = unknown. */
  readonly parameters: number
  readonly contextLength: number
  readonly features: readonly OfferFeature[]
  readonly notice: string | null
  readonly prices: Prices
  readonly slots: number
  readonly boxKey: Uint8Array
  /** Unix milliseconds. */
  readonly issued: number
  readonly expires: number
  /** Ends all earlier offers of this node for this model. */
  readonly withdrawn: boolean
}

const prices: Codec<Prices> = {
  preencode(state, value) {
    for (const one of [value.input, value.cached, value.output]) u64.preencode(state, one)
  },
  encode(state, value) {
    for (const one of [value.input, value.cached, value.output]) u64.encode(state, one)
  },
  decode(state) {
    return { input: price(u64.decode(state)), cached: price(u64.decode(state)), output: price(u64.decode(state)) }
  },
}

export const statementCodec = message<Statement>(
  'offer',
  1,
  MAX_SIGNED_OFFER_BYTES,
  record<Statement>({
    modelRoot: fixed(32),
    modelName: string(MAX_MODEL_NAME_BYTES),
    quantisation: string(MAX_QUANTISATION_BYTES),
    parameters: uint(Number.MAX_SAFE_INTEGER),
    contextLength: uint(MAX_CONTEXT_LENGTH),
    features: setOf('features', FEATURES),
    notice: optional(string(MAX_NOTICE_BYTES)),
    prices,
    slots: uint(MAX_SLOTS),
    boxKey: fixed(32),
    issued: uint(Number.MAX_SAFE_INTEGER),
    expires: uint(Number.MAX_SAFE_INTEGER),
    withdrawn: flag,
  }),
)

export interface Envelope {
  readonly nodeKey: Uint8Array
  readonly signature: Uint8Array
  readonly signed: Uint8Array
}

export const envelopeCodec: Codec<Envelope> = record<Envelope>({
  nodeKey: fixed(32),
  signature: fixed(64),
  signed: bytes(MAX_SIGNED_OFFER_BYTES),
})
