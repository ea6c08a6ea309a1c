/**
 * The one file of this folder that touches sodium-native: hashes, signatures and seals, each under its own domain, so
 * that nothing made for one purpose is ever valid for another.
 */
import b4a from 'b4a'
import sodium from 'sodium-native'
import { SwarmError } from './errors.js'

export const HASH_BYTES = 32
export const KEY_BYTES = 32
export const SIGNATURE_BYTES = 64
/** Poly1305 tag. */
export const TAG_BYTES = 16
/** `crypto_box_seal` adds an ephemeral x25519 key and a tag. */
export const SEALED_KEY_BYTES = KEY_BYTES + 48
const NONCE_BYTES = 24

/** No domain is a prefix of another; all parts after a domain have fixed lengths or come last. */
export type Domain =
  | 'swarmd/1/model'
  | 'swarmd/1/lobby'
  | 'swarmd/1/offer'
  | 'swarmd/1/offer-id'
  | 'swarmd/1/ask-open'
  | 'swarmd/1/channel-proof'
  | 'swarmd/1/order-proof'
  | 'swarmd/1/request'
  | 'swarmd/1/response'
  | 'swarmd/1/prefix'

/** BLAKE2b-256(domain, ...parts). */
export function hash(domain: Domain, ...parts: readonly Uint8Array[]): Uint8Array {
  const out = b4a.allocUnsafeSlow(HASH_BYTES)
  sodium.crypto_generichash_batch(out, [b4a.from(domain), ...parts])
  return out
}

/** BLAKE2b-256(domain, ...parts), keyed: a key for one use out of a key for several. */
export function subkey(key: Uint8Array, domain: Domain, ...parts: readonly Uint8Array[]): Uint8Array {
  const out = b4a.allocUnsafeSlow(KEY_BYTES)
  sodium.crypto_generichash_batch(out, [b4a.from(domain), ...parts], key)
  return out
}

export function randomBytes(length: number): Uint8Array {
  const out = b4a.allocUnsafe(length)
  sodium.randombytes_buf(out)
  return out
}

/** ed25519 over BLAKE2b-256(domain, ...parts). */
export function sign(secretKey: Uint8Array, domain: Domain, ...parts: readonly Uint8Array[]): Uint8Array {
  const signature = b4a.allocUnsafeSlow(SIGNATURE_BYTES)
  sodium.crypto_sign_detached(signature, hash(domain, ...parts), secretKey)
  return signature
}

export function verify(
  signature: Uint8Array,
  publicKey: Uint8Array,
  domain: Domain,
  ...parts: readonly Uint8Array[]
): boolean {
  return sodium.crypto_sign_verify_detached(signature, hash(domain, ...parts), publicKey)
}

export interface KeyPair {
  readonly publicKey: Uint8Array
  readonly secretKey: Uint8Array
}

/** ed25519, 32 and 64 bytes; random without a seed. */
export function signingKeyPair(seed?: Uint8Array): KeyPair {
  const pair = { publicKey: b4a.allocUnsafeSlow(32), secretKey: b4a.allocUnsafeSlow(64) }
  if (seed) sodium.crypto_sign_seed_keypair(pair.publicKey, pair.secretKey, seed)
  else sodium.crypto_sign_keypair(pair.publicKey, pair.secretKey)
  return pair
}

/** x25519, 32 bytes each; random without a seed. */
export function boxKeyPair(seed?: Uint8Array): KeyPair {
  const pair = { publicKey: b4a.allocUnsafeSlow(32), secretKey: b4a.allocUnsafeSlow(32) }
  if (seed) sodium.crypto_box_seed_keypair(pair.publicKey, pair.secretKey, seed)
  else sodium.crypto_box_keypair(pair.publicKey, pair.secretKey)
  return pair
}

/** Seals a content key to an x25519 key; only that key's owner can open it, and nobody can tell who sealed it. */
export function sealKey(contentKey: Uint8Array, boxKey: Uint8Array): Uint8Array {
  const sealed = b4a.allocUnsafe(SEALED_KEY_BYTES)
  sodium.crypto_box_seal(sealed, contentKey, boxKey)
  return sealed
}

/** Throws `BAD_SEAL`. */
export function openKey(sealed: Uint8Array, pair: KeyPair): Uint8Array {
  const contentKey = b4a.allocUnsafeSlow(KEY_BYTES)
  if (!sodium.crypto_box_seal_open(contentKey, sealed, pair.publicKey, pair.secretKey)) {
    throw SwarmError.BAD_SEAL('the content key')
  }
  return contentKey
}

/**
 * One direction of one request: XChaCha20-Poly1305 under a key used nowhere else, with the frame's sequence number as
 * the nonce. The caller never repeats a number, so a nonce is never reused.
 */
export class FrameCipher {
  #key: Uint8Array
  #nonce = b4a.alloc(NONCE_BYTES)

  constructor(key: Uint8Array) {
    this.#key = key
  }

  /** `out` has room for `plain` and a tag. */
  seal(out: Uint8Array, plain: Uint8Array, ad: Uint8Array, sequence: number): void {
    sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(out, plain, ad, null, this.#at(sequence), this.#key)
  }

  /** Throws `BAD_SEAL`. */
  open(sealed: Uint8Array, ad: Uint8Array, sequence: number): Uint8Array {
    if (sealed.byteLength < TAG_BYTES) throw SwarmError.BAD_SEAL('a frame shorter than its tag')
    const plain = b4a.allocUnsafe(sealed.byteLength - TAG_BYTES)
    try {
      sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(plain, null, sealed, ad, this.#at(sequence), this.#key)
    } catch {
      throw SwarmError.BAD_SEAL('a frame')
    }
    return plain
  }

  #at(sequence: number): Uint8Array {
    this.#nonce[0] = sequence
    this.#nonce[1] = sequence >>> 8
    this.#nonce[2] = sequence >>> 16
    this.#nonce[3] = sequence >>> 24
    return this.#nonce
  }
}
