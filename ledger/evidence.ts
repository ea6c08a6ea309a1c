/**
 * What a provider keeps of an answer for the audit window: the positions under the receipt's token root, encrypted.
 *
 *   sealed = XChaCha20-Poly1305(key of content key and receipt hash, ad = receipt hash, plain)
 *   plain  = version uint8 (1) | positions of token-root.ts at width 8
 *
 * The key dies with the content key, so forgetting a transaction makes this unreadable as well.
 */
import b4a from 'b4a'
import { decryptOnce, encryptOnce, keyedHash } from './crypto.js'
import { LedgerError } from './errors.js'

const VERSION = 1

/** `receipt`: its 32-byte hash, which names the positions through the root; so one key never encrypts two texts. */
export function sealEvidence(contentKey: Uint8Array, receipt: Uint8Array, positions: Uint8Array): Uint8Array {
  return encryptOnce(keyOf(contentKey, receipt), b4a.concat([Uint8Array.of(VERSION), positions]), receipt)
}

/** Throws `BAD_SEAL` for another key, another receipt or changed bytes, `UNKNOWN_VERSION`. */
export function openEvidence(contentKey: Uint8Array, receipt: Uint8Array, sealed: Uint8Array): Uint8Array {
  const plain = decryptOnce(keyOf(contentKey, receipt), sealed, receipt)
  const [version] = plain
  if (version !== VERSION) throw LedgerError.UNKNOWN_VERSION('the evidence', version ?? 0)
  return plain.subarray(1)
}

function keyOf(contentKey: Uint8Array, receipt: Uint8Array): Uint8Array {
  return keyedHash(contentKey, 'swarmd/1/content/evidence-key', receipt)
}
