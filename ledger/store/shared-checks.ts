/** What arrives from a counterparty needs no trust: here it is decided what counts. */
import b4a from 'b4a'
import { bodyHash, openContent, openContentKey } from '../content.js'
import type { KeyPair } from '../crypto.js'
import { LedgerError } from '../errors.js'
import { contradictions, isConsumerSigned, isProviderSigned } from '../receipt.js'
import type { SharedEntry } from './shared.js'

/**
 * Refuses what `peer` has no business to tell `own`: throws `BAD_ENCODING` for a transaction between others or one that
 * contradicts itself, `RECEIPT_BAD_SIGNATURE` where the peer did not sign, or where a signature of ours is not ours,
 * `STORE_CORRUPT` for another body.
 */
export function assertShared({ role, transaction, ciphertext }: SharedEntry, own: Uint8Array, peer: Uint8Array): void {
  const { statement, providerSignature, consumerSignature } = transaction
  const [theirs, ours] =
    role === 'provider' ? [statement.provider, statement.consumer] : [statement.consumer, statement.provider]
  if (!b4a.equals(theirs, peer) || !b4a.equals(ours, own)) {
    throw LedgerError.BAD_ENCODING('a transaction between others')
  }
  if (contradictions(statement).length > 0) throw LedgerError.BAD_ENCODING('a transaction that contradicts itself')
  const signed = role === 'provider' ? isProviderSigned(transaction) : isConsumerSigned(transaction)
  if (!signed) throw LedgerError.RECEIPT_BAD_SIGNATURE(role)
  if (consumerSignature && !isConsumerSigned(transaction)) throw LedgerError.RECEIPT_BAD_SIGNATURE('consumer')
  if (providerSignature && !isProviderSigned(transaction)) throw LedgerError.RECEIPT_BAD_SIGNATURE('provider')
  if (ciphertext && !b4a.equals(bodyHash(ciphertext), statement.body.hash)) {
    throw LedgerError.STORE_CORRUPT('a body that is not the one that was signed')
  }
}

/**
 * Is it proven that this node took part? Its own signature proves it; without one, a content that its box key opens does.
 * A record that the other side alone has signed, with nothing to open, proves nothing, and is no lie either. Throws
 * `BAD_SEAL` for a content key that was never sealed to `box`, or a body that it does not open.
 */
export function isProven({ role, transaction, ciphertext }: SharedEntry, box: KeyPair): boolean {
  const { statement, providerSignature, consumerSignature } = transaction
  const ours = role === 'provider' ? consumerSignature : providerSignature
  const sealed = role === 'provider' ? statement.sealedForConsumer : statement.sealedForProvider
  if (sealed.kind === 'destroyed') return ours !== null
  const key = openContentKey(sealed, box)
  if (ciphertext) openContent(key, statement.id, ciphertext)
  return ours !== null || ciphertext !== null
}
