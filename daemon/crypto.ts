/**
 * The daemon's only door to sodium. Every hash is domain-separated by a namespace that starts with `swarmd/1/`.
 */
import sodium from 'sodium-native'

export interface KeyPair {
  readonly publicKey: Uint8Array
  readonly secretKey: Uint8Array
}

export function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  sodium.randombytes_buf(bytes)
  return bytes
}

/** BLAKE2b-256(`namespace` ‖ 0x00 ‖ `data`), keyed with `key` when given (RFC 7693). */
export function hash32(namespace: string, data: Uint8Array, key?: Uint8Array): Uint8Array {
  const prefix = Buffer.from(`${namespace}\0`, 'utf8')
  const out = new Uint8Array(32)
  sodium.crypto_generichash(out, Buffer.concat([prefix, data]), key)
  return out
}

/** Ed25519: 32-byte public key, 64-byte secret key (seed ‖ public key). */
export function signKeyPair(seed: Uint8Array): KeyPair {
  const pair = { publicKey: new Uint8Array(32), secretKey: new Uint8Array(64) }
  sodium.crypto_sign_seed_keypair(pair.publicKey, pair.secretKey, seed)
  return pair
}

/** X25519: 32 bytes each. */
export function boxKeyPair(seed: Uint8Array): KeyPair {
  const pair = { publicKey: new Uint8Array(32), secretKey: new Uint8Array(32) }
  sodium.crypto_box_seed_keypair(pair.publicKey, pair.secretKey, seed)
  return pair
}
