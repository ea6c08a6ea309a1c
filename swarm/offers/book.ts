/**
 * The offers this node knows: one per (node, model), bounded, each signed, in date, and the newest of its kind.
 *
 * A withdrawn offer stays as a tombstone until it would have expired, so that older gossip cannot bring it back.
 */
import b4a from 'b4a'
import type { Offer } from '../port.js'
import type { Envelope } from '../wire/offer.js'
import { isSigned, readOffer } from './signed.js'
import type { SignedOffer } from './signed.js'

export const MAX_BOOK = 2000
/** Models of one node: a key is free to make, so one of them shall not fill the book. */
export const MAX_BOOK_PER_NODE = 64
/** A signer's clock may be so far ahead of ours. */
export const MAX_SKEW_MS = 120_000
/** No offer is believed for longer, whatever it says. */
export const MAX_LIFETIME_MS = 3_600_000

export type Verdict = 'added' | 'known' | 'older' | 'expired' | 'not-yet' | 'too-long' | 'forged' | 'crowded'

export interface OfferBookOptions {
  readonly network: Uint8Array
  /** Its own offers are nothing to learn. */
  readonly self: Uint8Array
  readonly now: () => number
  /** How much this node cares; the least useful is evicted first. */
  readonly usefulness: (offer: Offer) => number
  readonly max?: number
}

export class OfferBook {
  #network: Uint8Array
  #self: Uint8Array
  #now: () => number
  #usefulness: (offer: Offer) => number
  #max: number
  #byKey = new Map<string, SignedOffer>()
  #perNode = new Map<string, number>()

  constructor(options: OfferBookOptions) {
    this.#network = options.network
    this.#self = options.self
    this.#now = options.now
    this.#usefulness = options.usefulness
    this.#max = options.max ?? MAX_BOOK
  }

  get size(): number {
    return this.#byKey.size
  }

  /** Different providers with an offer that stands. */
  get providers(): number {
    return this.#perNode.size
  }

  /** Whether the node has an offer in the book. */
  knows(nodeKey: Uint8Array): boolean {
    return this.#perNode.has(hex(nodeKey))
  }

  /** Checks what is cheap first; the signature last. Throws the codes of `decode` for bytes that are no offer. */
  add(envelope: Envelope): { readonly verdict: Verdict; readonly signed: SignedOffer | null } {
    const node = hex(envelope.nodeKey)
    if (b4a.equals(envelope.nodeKey, this.#self)) return { verdict: 'known', signed: null }
    const signed = readOffer(envelope)
    const { offer } = signed
    const verdict = this.#check(signed, node)
    if (verdict !== 'added') return { verdict, signed: null }
    this.#set(keyOf(offer), node, signed)
    if (this.#byKey.size > this.#max) this.#evict()
    return { verdict, signed }
  }

  offers(): readonly Offer[] {
    const now = this.#now()
    const out: Offer[] = []
    for (const { offer, withdrawn } of this.#byKey.values()) if (!withdrawn && offer.expires > now) out.push(offer)
    return out
  }

  /** Everything worth telling others, tombstones included. */
  envelopes(): readonly SignedOffer[] {
    const now = this.#now()
    return [...this.#byKey.values()].filter(({ offer }) => offer.expires > now)
  }

  /** Drops what has expired; true when something did. */
  prune(): boolean {
    const now = this.#now()
    let changed = false
    for (const [key, { offer }] of this.#byKey) {
      if (offer.expires > now) continue
      this.#delete(key, hex(offer.nodeKey))
      changed = true
    }
    return changed
  }

  #check(signed: SignedOffer, node: string): Verdict {
    const { offer } = signed
    const now = this.#now()
    const before = this.#byKey.get(keyOf(offer))
    if (before) {
      const order = newer(offer, before.offer)
      if (order === 0) return 'known'
      if (order < 0) return 'older'
    }
    if (offer.expires <= now) return 'expired'
    if (offer.issued > now + MAX_SKEW_MS) return 'not-yet'
    if (offer.expires - offer.issued > MAX_LIFETIME_MS) return 'too-long'
    if (!before && (this.#perNode.get(node) ?? 0) >= MAX_BOOK_PER_NODE) return 'crowded'
    return isSigned(signed, this.#network) ? 'added' : 'forged'
  }

  /** Tombstones go first, then the least useful, then what expires soonest. */
  #evict(): void {
    let worst: SignedOffer | null = null
    let worstUse = Infinity
    for (const one of this.#byKey.values()) {
      const use = one.withdrawn ? -1 : this.#usefulness(one.offer)
      if (use < worstUse || (use === worstUse && worst && one.offer.expires < worst.offer.expires)) {
        worst = one
        worstUse = use
      }
    }
    if (worst) this.#delete(keyOf(worst.offer), hex(worst.offer.nodeKey))
  }

  #set(key: string, node: string, signed: SignedOffer): void {
    if (!this.#byKey.has(key)) this.#perNode.set(node, (this.#perNode.get(node) ?? 0) + 1)
    this.#byKey.set(key, signed)
  }

  #delete(key: string, node: string): void {
    if (!this.#byKey.delete(key)) return
    const left = (this.#perNode.get(node) ?? 1) - 1
    if (left > 0) this.#perNode.set(node, left)
    else this.#perNode.delete(node)
  }
}

/** Later wins; of two issued in the same millisecond the one with the higher id, so that all nodes agree. */
function newer(a: Offer, b: Offer): number {
  return a.issued - b.issued || b4a.compare(a.id, b.id)
}

function keyOf(offer: Offer): string {
  return hex(offer.nodeKey) + hex(offer.modelRoot)
}

function hex(bytes: Uint8Array): string {
  return b4a.toString(bytes, 'hex')
}
