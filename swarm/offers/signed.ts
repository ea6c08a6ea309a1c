/** Signing and checking one offer. The signature covers the network, so an offer never crosses to another one. */
import b4a from 'b4a'
import { hash, sign, verify } from '../crypto.js'
import type { KeyPair } from '../crypto.js'
import { SwarmError } from '../errors.js'
import type { Offer } from '../port.js'
import { decode, encode } from '../wire/codec.js'
import { statementCodec } from '../wire/offer.js'
import type { Envelope, Statement } from '../wire/offer.js'

export interface SignedOffer {
  readonly offer: Offer
  readonly withdrawn: boolean
  readonly envelope: Envelope
}

export function signOffer(statement: Statement, node: KeyPair, network: Uint8Array): SignedOffer {
  const signed = encode(statementCodec, statement)
  if (signed.byteLength > statementCodec.maxBytes) {
    throw SwarmError.MESSAGE_TOO_LARGE('the offer', signed.byteLength, statementCodec.maxBytes)
  }
  const signature = sign(node.secretKey, 'swarmd/1/offer', network, signed)
  return toSigned(statement, { nodeKey: node.publicKey, signature, signed })
}

/** Reads without checking the signature. Copies, so that nothing of the message it came in stays in memory. */
export function readOffer(envelope: Envelope): SignedOffer {
  const copy = {
    nodeKey: own(envelope.nodeKey),
    signature: own(envelope.signature),
    signed: own(envelope.signed),
  }
  return toSigned(decode(statementCodec, copy.signed), copy)
}

export function isSigned({ envelope }: SignedOffer, network: Uint8Array): boolean {
  return verify(envelope.signature, envelope.nodeKey, 'swarmd/1/offer', network, envelope.signed)
}

function toSigned(statement: Statement, envelope: Envelope): SignedOffer {
  const { withdrawn, ...stated } = statement
  const id = hash('swarmd/1/offer-id', envelope.nodeKey, envelope.signed)
  return { offer: { id, ...stated, nodeKey: envelope.nodeKey }, withdrawn, envelope }
}

function own(view: Uint8Array): Uint8Array {
  const copy = b4a.allocUnsafeSlow(view.byteLength)
  copy.set(view)
  return copy
}
