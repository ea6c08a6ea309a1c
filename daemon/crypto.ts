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

/** What one guess at a passphrase costs: passes and bytes of Argon2id. */
export interface SealCost {
  readonly ops: number
  readonly memory: number
}

export interface SealedSeed extends SealCost {
  /** 16 bytes. */
  readonly salt: Uint8Array
  /** nonce 24 | XChaCha20-Poly1305 of the 32-byte seed, 48; the cost and the salt are authenticated with it. */
  readonly box: Uint8Array
}

/** libsodium's `MODERATE`: 256 MiB and most of a second for a guess. */
export const SEAL_COST: SealCost = { ops: 3, memory: 268_435_456 }

const NONCE_BYTES = 24
const TAG_BYTES = 16

export function sealSeed(seed: Uint8Array, passphrase: Uint8Array, cost: SealCost = SEAL_COST): SealedSeed {
  const salt = randomBytes(sodium.crypto_pwhash_SALTBYTES)
  const nonce = randomBytes(NONCE_BYTES)
  const out = new Uint8Array(seed.byteLength + TAG_BYTES)
  const key = stretch(passphrase, salt, cost)
  sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(out, seed, sealedUnder(salt, cost), null, nonce, key)
  return { ops: cost.ops, memory: cost.memory, salt, box: Buffer.concat([nonce, out]) }
}

/** null: another passphrase, or changed bytes. */
export function openSeed({ ops, memory, salt, box }: SealedSeed, passphrase: Uint8Array): Uint8Array | null {
  const seed = new Uint8Array(box.byteLength - NONCE_BYTES - TAG_BYTES)
  const key = stretch(passphrase, salt, { ops, memory })
  const [nonce, sealed] = [box.subarray(0, NONCE_BYTES), box.subarray(NONCE_BYTES)]
  try {
    sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
      seed,
      null,
      sealed,
      sealedUnder(salt, { ops, memory }),
      nonce,
      key,
    )
    return seed
  } catch {
    return null
  }
}

function stretch(passphrase: Uint8Array, salt: Uint8Array, { ops, memory }: SealCost): Uint8Array {
  const key = new Uint8Array(32)
  sodium.crypto_pwhash(key, passphrase, salt, ops, memory, sodium.crypto_pwhash_ALG_ARGON2ID13)
  return key
}

function sealedUnder(salt: Uint8Array, { ops, memory }: SealCost): Uint8Array {
  return Buffer.concat([Buffer.from(`swarmd/1/sealed-seed\0argon2id ${ops} ${memory} `), salt])
}
