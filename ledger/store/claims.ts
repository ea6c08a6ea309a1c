/**
 * Proof that a key of an earlier run belongs to who asks on this connection. The signature binds the key to the
 * connection's handshake and both its ends, so nobody can pass it on.
 */
import { sign, verify } from '../crypto.js'
import type { KeyPair } from '../crypto.js'
import type { Claimed } from './shared.js'

/** Two proven keys and the 64 bytes that name their connection. */
export interface Ends {
  readonly asker: Uint8Array
  readonly answerer: Uint8Array
  readonly handshake: Uint8Array
}

export function claimTo({ publicKey, secretKey }: KeyPair, { handshake, asker, answerer }: Ends): Claimed {
  return { key: publicKey, signature: sign(secretKey, 'swarmd/1/earlier-key', handshake, asker, answerer) }
}

export function isClaimed({ key, signature }: Claimed, { handshake, asker, answerer }: Ends): boolean {
  return verify(signature, key, 'swarmd/1/earlier-key', handshake, asker, answerer)
}
