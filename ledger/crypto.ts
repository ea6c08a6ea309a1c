/**
 * The one file of this folder that touches sodium-native: hashes, signatures and seals, each under its own domain, so
 * that nothing made for one purpose is ever valid for another.
 */
import b4a from 'b4a'
import sodium from 'sodium-native'
import { LedgerError } from './errors.js'

export const HASH_BYTES = 32
export const KEY_BYTES = 32
export const SIGNATURE_BYTES = 64
/** `crypto_box_seal` adds an ephemeral x25519 key and a tag. */
export const SEALED_KEY_BYTES = KEY_BYTES + 48
const TAG_BYTES = 16
const NONCE_BYTES = 24

/** Each is followed by a zero byte in what is hashed, so none is a prefix of another. */
export type Domain =
  | 'swarmd/1/receipt'
  | 'swarmd/1/countersign'
  | 'swarmd/1/claim'
  | 'swarmd/1/sealed-key'
  | 'swarmd/1/content/request'
  | 'swarmd/1/content/response'
  | 'swarmd/1/content/prompt-tokens'
  | 'swarmd/1/content/body'
  | 'swarmd/1/content/body-key'
  | 'swarmd/1/content/window-salt'
  | 'swarmd/1/content/evidence-key'
  | 'swarmd/1/template'
  | 'swarmd/1/template/none'
  | 'swarmd/1/exchange/vectors'
  | 'swarmd/1/order/request'
  | 'swarmd/1/token-leaf'
  | 'swarmd/1/token-node'
  | 'swarmd/1/token-root'
  | 'swarmd/1/checkpoint'
  | 'swarmd/1/earlier-key'
  | 'swarmd/1/index-entry'
  | 'swarmd/1/journal'
  | 'swarmd/1/chain/blockhash'
  | 'swarmd/1/chain/treasury'
  | 'swarmd/1/chain/program-key'
  | 'swarmd/1/chain/buffer-key'

const PREFIXES = new Map<Domain, Uint8Array>()

/** BLAKE2b-256(domain ‖ 00 ‖ parts). Parts have fixed lengths, or the last one alone has not. */
export function hash(domain: Domain, ...parts: readonly Uint8Array[]): Uint8Array {
  const out = b4a.allocUnsafeSlow(HASH_BYTES)
  sodium.crypto_generichash_batch(out, [prefix(domain), ...parts])
  return out
}

/** The same under a 32-byte key: without the key, a guess of the parts cannot be confirmed. */
export function keyedHash(key: Uint8Array, domain: Domain, ...parts: readonly Uint8Array[]): Uint8Array {
  const out = b4a.allocUnsafeSlow(HASH_BYTES)
  sodium.crypto_generichash_batch(out, [prefix(domain), ...parts], key)
  return out
}

export function randomBytes(length: number): Uint8Array {
  const out = b4a.allocUnsafeSlow(length)
  sodium.randombytes_buf(out)
  return out
}

/** ed25519 over the 32 bytes of `hash(domain, ...parts)`. */
export function sign(secretKey: Uint8Array, domain: Domain, ...parts: readonly Uint8Array[]): Uint8Array {
  return signRaw(secretKey, hash(domain, ...parts))
}

export function verify(
  signature: Uint8Array,
  publicKey: Uint8Array,
  domain: Domain,
  ...parts: readonly Uint8Array[]
): boolean {
  return verifyRaw(signature, publicKey, hash(domain, ...parts))
}

/** For formats that the chain fixes: they carry their own magic instead of a domain. */
export function signRaw(secretKey: Uint8Array, message: Uint8Array): Uint8Array {
  const signature = b4a.allocUnsafeSlow(SIGNATURE_BYTES)
  sodium.crypto_sign_detached(signature, message, secretKey)
  return signature
}

export function verifyRaw(signature: Uint8Array, publicKey: Uint8Array, message: Uint8Array): boolean {
  if (signature.byteLength !== SIGNATURE_BYTES || publicKey.byteLength !== KEY_BYTES) return false
  return sodium.crypto_sign_verify_detached(signature, message, publicKey)
}

export interface KeyPair {
  readonly publicKey: Uint8Array
  readonly secretKey: Uint8Array
}

/** ed25519 from a 32-byte seed: 32 and 64 bytes. */
export function signingKeyPair(seed: Uint8Array): KeyPair {
  const pair = { publicKey: b4a.allocUnsafeSlow(32), secretKey: b4a.allocUnsafeSlow(64) }
  sodium.crypto_sign_seed_keypair(pair.publicKey, pair.secretKey, seed)
  return pair
}

/** x25519 from a 32-byte seed: 32 bytes each. */
export function boxKeyPair(seed: Uint8Array): KeyPair {
  const pair = { publicKey: b4a.allocUnsafeSlow(32), secretKey: b4a.allocUnsafeSlow(32) }
  sodium.crypto_box_seed_keypair(pair.publicKey, pair.secretKey, seed)
  return pair
}

/** Seals 32 bytes to an x25519 key; only that key's owner can open them, and nobody can tell who sealed them. */
export function sealKey(contentKey: Uint8Array, boxKey: Uint8Array): Uint8Array {
  const sealed = b4a.allocUnsafeSlow(SEALED_KEY_BYTES)
  sodium.crypto_box_seal(sealed, contentKey, boxKey)
  return sealed
}

/** Throws `BAD_SEAL`. */
export function openKey(sealed: Uint8Array, pair: KeyPair): Uint8Array {
  const contentKey = b4a.allocUnsafeSlow(KEY_BYTES)
  const fits = sealed.byteLength === SEALED_KEY_BYTES
  if (!fits || !sodium.crypto_box_seal_open(contentKey, sealed, pair.publicKey, pair.secretKey)) {
    throw LedgerError.BAD_SEAL('the content key')
  }
  return contentKey
}

/**
 * XChaCha20-Poly1305 under a key that encrypts exactly one message ever, so the nonce is zero and the ciphertext is a
 * function of key and text: both sides of a transaction come to the same bytes.
 */
export function encryptOnce(key: Uint8Array, plain: Uint8Array, ad: Uint8Array): Uint8Array {
  const out = b4a.allocUnsafeSlow(plain.byteLength + TAG_BYTES)
  sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(out, plain, ad, null, b4a.alloc(NONCE_BYTES), key)
  return out
}

/** Throws `BAD_SEAL`. */
export function decryptOnce(key: Uint8Array, sealed: Uint8Array, ad: Uint8Array): Uint8Array {
  if (sealed.byteLength < TAG_BYTES) throw LedgerError.BAD_SEAL('a body shorter than its tag')
  const plain = b4a.allocUnsafeSlow(sealed.byteLength - TAG_BYTES)
  try {
    sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(plain, null, sealed, ad, b4a.alloc(NONCE_BYTES), key)
  } catch {
    throw LedgerError.BAD_SEAL('the body')
  }
  return plain
}

function prefix(domain: Domain): Uint8Array {
  let bytes = PREFIXES.get(domain)
  if (!bytes) PREFIXES.set(domain, (bytes = b4a.from(`${domain}\0`)))
  return bytes
}
