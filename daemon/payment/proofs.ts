/**
 * Proofs of ownership that were checked. An asker shows the same bytes with each ask of a connection, so only the first one
 * costs a verification; another connection makes another claim, and nothing of this fits it.
 */
import b4a from 'b4a'
import { verifyRaw } from '../../ledger/crypto.js'
import type { ShownPayment } from '../../swarm/port.js'

/** Nobody can add one without a key that fits; what falls out is verified again. */
const MAX_KNOWN = 4096

export class Proofs {
  readonly #known = new Set<string>()

  /** Is the proof of the key `owner` (ed25519)? */
  holds({ claim, proof }: Pick<ShownPayment, 'claim' | 'proof'>, owner: Uint8Array): boolean {
    const name = b4a.toString(b4a.concat([claim, owner, proof]), 'latin1')
    if (this.#known.has(name)) return true
    if (!verifyRaw(proof, owner, claim)) return false
    const [oldest] = this.#known
    if (oldest !== undefined && this.#known.size >= MAX_KNOWN) this.#known.delete(oldest)
    this.#known.add(name)
    return true
  }
}
