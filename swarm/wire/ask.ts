/**
 * Message 2: one request. What the provider must know before it opens anything lies open; the rest is sealed.
 *
 * `body` is the ask body (body.ts) under XChaCha20-Poly1305 with the request subkey of the content key; its associated
 * data is the hash of all open fields, the asking peer's Noise key and the network (sealing.ts), so neither another
 * peer can replay it nor anybody change a field.
 */
import { SEALED_KEY_BYTES, SIGNATURE_BYTES, TAG_BYTES } from '../crypto.js'
import { message, record, union } from './codec.js'
import { bytes, fixed, optional, u64, uint } from './fields.js'
import { MAX_BODY_BYTES } from './body.js'
import { expires } from './voucher.js'
import type { Voucher } from './voucher.js'

export const REQUEST_ID_BYTES = 16
export const MAX_TOKENS = 2 ** 31
export const MAX_DEADLINE_MS = 3_600_000
/** Tokens that may be under way before the reader has taken any. */
export const MAX_CREDIT = 65_536

/** A voucher of the ask's own channel. */
export type AskVoucher = Omit<Voucher, 'channel'>

/** `proof`: ed25519 over the claim of proof.ts, by the channel's voucher signer or the order's payer. */
export type Payment =
  | {
      readonly kind: 'channel'
      readonly channel: Uint8Array
      /** The newest voucher on that channel; null = there is none yet. */
      readonly voucher: AskVoucher | null
      readonly proof: Uint8Array
    }
  | {
      readonly kind: 'order'
      /** The order's account. */
      readonly order: Uint8Array
      /** Opens the order's commitment to this request. */
      readonly salt: Uint8Array
      readonly proof: Uint8Array
    }

export interface AskHead {
  readonly id: Uint8Array
  readonly modelRoot: Uint8Array
  readonly offerId: Uint8Array
  /** Output positions, resumed ones included; null = the rest of the context. */
  readonly maxTokens: number | null
  /** Microlamports; null = no ceiling but the offer's prices. */
  readonly maxCost: bigint | null
  readonly deadlineMs: number
  /** The resume point: the first output position to compute. */
  readonly resume: number
  readonly credit: number
  /** null = free. */
  readonly payment: Payment | null
  /** The content key, sealed to the offer's box key. */
  readonly forProvider: Uint8Array
  /** The same, sealed to the asker's own box key: the record of the request names both. */
  readonly forConsumer: Uint8Array
}

export interface Ask extends AskHead {
  readonly body: Uint8Array
}

type ByChannel = Extract<Payment, { kind: 'channel' }>
type ByOrder = Extract<Payment, { kind: 'order' }>

const askVoucher = record<AskVoucher>({ cumulative: u64, expires, signature: fixed(SIGNATURE_BYTES) })

const headFields = {
  id: fixed(REQUEST_ID_BYTES),
  modelRoot: fixed(32),
  offerId: fixed(32),
  maxTokens: optional(uint(MAX_TOKENS)),
  maxCost: optional(u64),
  deadlineMs: uint(MAX_DEADLINE_MS),
  resume: uint(MAX_TOKENS),
  credit: uint(MAX_CREDIT),
  payment: optional(
    union<Payment>('a payment', {
      channel: record<Omit<ByChannel, 'kind'>>({
        channel: fixed(32),
        voucher: optional(askVoucher),
        proof: fixed(SIGNATURE_BYTES),
      }),
      order: record<Omit<ByOrder, 'kind'>>({ order: fixed(32), salt: fixed(32), proof: fixed(SIGNATURE_BYTES) }),
    }),
  ),
  forProvider: fixed(SEALED_KEY_BYTES),
  forConsumer: fixed(SEALED_KEY_BYTES),
}

export const askHeadCodec = record<AskHead>(headFields)

export const askMessage = message<Ask>(
  'ask',
  1,
  MAX_BODY_BYTES + 1024,
  record<Ask>({ ...headFields, body: bytes(MAX_BODY_BYTES + TAG_BYTES) }),
)
