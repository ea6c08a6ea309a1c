/**
 * Who can read a request: the provider it is sealed to, nobody on the way.
 *
 * One content key per request, drawn by the asker and sealed to the provider's box key. Of it, by keyed BLAKE2b, one
 * subkey per direction and connection. The request is the one sealed part of its direction (sequence 0); the response's
 * parts count from 0. An ask that is sent again on another connection is under other keys, so no nonce is used twice.
 */
import b4a from 'b4a'
import { FrameCipher, TAG_BYTES, hash, openKey, subkey } from './crypto.js'
import type { KeyPair } from './crypto.js'
import { SwarmError } from './errors.js'
import type { AskBody, AskKeys } from './port.js'
import { askHeadCodec } from './wire/ask.js'
import type { Ask, AskHead } from './wire/ask.js'
import { bodyMessage } from './wire/body.js'
import { decode, encode } from './wire/codec.js'
import type { WireMessage } from './wire/codec.js'

export interface Party {
  readonly network: Uint8Array
  /** The asking peer's Noise key: the same bytes from another peer do not open. */
  readonly consumer: Uint8Array
  /** The connection's Noise handshake hash, 64 bytes. */
  readonly session: Uint8Array
}

/** The consumer's end: the ask to send, and the response stream to open. */
export function sealAsk(
  head: Omit<AskHead, 'forProvider' | 'forConsumer'>,
  body: AskBody,
  keys: AskKeys,
  party: Party,
): { readonly ask: Ask; readonly response: ResponseSeal } {
  const plain = encode(bodyMessage, body)
  if (plain.byteLength > bodyMessage.maxBytes) {
    throw SwarmError.OUT_OF_BOUNDS(
      `the request has ${plain.byteLength} bytes, at most ${bodyMessage.maxBytes} travel to a peer`,
    )
  }
  const { content, forProvider, forConsumer } = keys
  const sealed: AskHead = { ...head, forProvider, forConsumer }
  const cipher = b4a.allocUnsafe(plain.byteLength + TAG_BYTES)
  requestCipher(content, party).seal(cipher, plain, openHash(sealed, party), 0)
  return { ask: { ...sealed, body: cipher }, response: new ResponseSeal(content, head.id, party) }
}

/** The provider's end. Throws `BAD_SEAL`, and the codes of `decode`. */
export function openAsk(
  ask: Ask,
  box: KeyPair,
  party: Party,
): { readonly body: AskBody; readonly keys: AskKeys; readonly response: ResponseSeal } {
  const content = openKey(ask.forProvider, box)
  const plain = requestCipher(content, party).open(ask.body, openHash(ask, party), 0)
  const keys = { content, forProvider: b4a.from(ask.forProvider), forConsumer: b4a.from(ask.forConsumer) }
  return { body: decode(bodyMessage, plain), keys, response: new ResponseSeal(content, ask.id, party) }
}

function requestCipher(content: Uint8Array, { session }: Party): FrameCipher {
  return new FrameCipher(subkey(content, 'swarmd/1/request', session))
}

function openHash(head: AskHead, party: Party): Uint8Array {
  return hash('swarmd/1/ask-open', party.network, party.consumer, encode(askHeadCodec, head))
}

/** Tells a frame from an ending with the same number, which no honest peer sends. */
export type SealedKind = 'tokens' | 'done'

/** The response direction of one request. Associated data: kind uint8 | request id 16 | index u32 LE. */
export class ResponseSeal {
  #cipher: FrameCipher
  #ad: Uint8Array

  constructor(content: Uint8Array, id: Uint8Array, { session }: Party) {
    this.#cipher = new FrameCipher(subkey(content, 'swarmd/1/response', session))
    this.#ad = b4a.alloc(1 + id.byteLength + 4)
    this.#ad.set(id, 1)
  }

  seal<T>(message: WireMessage<T>, value: T, kind: SealedKind, index: number, sequence: number): Uint8Array {
    const plain = encode(message, value)
    if (plain.byteLength > message.maxBytes) {
      throw SwarmError.MESSAGE_TOO_LARGE(message.name, plain.byteLength, message.maxBytes)
    }
    const out = b4a.allocUnsafe(plain.byteLength + TAG_BYTES)
    this.#cipher.seal(out, plain, this.#data(kind, index), sequence)
    return out
  }

  /** Throws `BAD_SEAL`, and the codes of `decode`. */
  open<T>(message: WireMessage<T>, sealed: Uint8Array, kind: SealedKind, index: number, sequence: number): T {
    return decode(message, this.#cipher.open(sealed, this.#data(kind, index), sequence))
  }

  #data(kind: SealedKind, index: number): Uint8Array {
    const ad = this.#ad
    const at = ad.byteLength - 4
    ad[0] = kind === 'tokens' ? 0 : 1
    ad[at] = index
    ad[at + 1] = index >>> 8
    ad[at + 2] = index >>> 16
    ad[at + 3] = index >>> 24
    return ad
  }
}
