/**
 * Who may pay with it. Vouchers become public when they are settled and orders are public from the start, so an ask proves
 * that it comes from whoever holds the key: the channel's voucher signer, or the order's payer.
 *
 *   claim = BLAKE2b-256("swarmd/1/channel-proof" or "swarmd/1/order-proof",
 *             network 32 | channel or order 32 | consumer's Noise key 32 | provider's Noise key 32 | handshake hash 64)
 *   proof = ed25519(key, claim)
 *
 * It holds on one connection between these two alone, so nobody can show it again anywhere else.
 */
import b4a from 'b4a'
import { hash } from './crypto.js'
import { SwarmError } from './errors.js'
import type { AskMeans, AskPayment } from './port.js'
import type { Party } from './sealing.js'
import type { Payment } from './wire/ask.js'

export interface Parties extends Party {
  /** The provider's Noise key. */
  readonly provider: Uint8Array
}

type Named =
  | Pick<Extract<AskMeans, { kind: 'channel' }>, 'kind' | 'channel'>
  | Pick<Extract<AskMeans, { kind: 'order' }>, 'kind' | 'order'>

/** 32 bytes: what the proof is a signature of. */
export function claimOf(means: Named, { network, consumer, provider, session }: Parties): Uint8Array {
  const rest = [consumer, provider, session]
  return means.kind === 'channel'
    ? hash('swarmd/1/channel-proof', network, means.channel, ...rest)
    : hash('swarmd/1/order-proof', network, means.order, ...rest)
}

/** The payment as it travels. Throws `OUT_OF_BOUNDS` for a voucher of another channel. */
export function paymentOf(payment: AskPayment, parties: Parties): Payment {
  const proof = payment.prove(claimOf(payment, parties))
  if (payment.kind === 'order') return { kind: 'order', order: payment.order, salt: payment.salt, proof }
  const { channel, voucher } = payment
  if (voucher && !b4a.equals(voucher.channel, channel))
    throw SwarmError.OUT_OF_BOUNDS('the voucher is for another channel than the payment')
  return { kind: 'channel', channel, voucher, proof }
}
