/** This node's own offers: signed, dated, renewed at half their life, and honoured until the last one expires. */
import b4a from 'b4a'
import type { KeyPair } from '../crypto.js'
import type { Offer, OfferTerms } from '../port.js'
import { signOffer } from './signed.js'
import type { SignedOffer } from './signed.js'

export const LIFETIME_MS = 600_000
export const RENEW_MS = LIFETIME_MS / 2

export interface OwnOffersOptions {
  readonly keyPair: KeyPair
  readonly boxKey: Uint8Array
  readonly network: Uint8Array
  readonly now: () => number
}

export class OwnOffers {
  #options: OwnOffersOptions
  #current = new Map<string, { readonly terms: OfferTerms; readonly signed: SignedOffer }>()
  /** By offer id; asks may name an offer that was renewed since. */
  #standing = new Map<string, Offer>()
  /** The latest date put under a statement, by model: the clock may stand still or go back, dates may not. */
  #issued = new Map<string, number>()

  constructor(options: OwnOffersOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#current.size
  }

  state(terms: OfferTerms): SignedOffer {
    const key = hex(terms.modelRoot)
    const before = this.#current.get(key)
    // Other terms end the old ones at once: nobody may be charged what is no longer offered.
    if (before && before.terms !== terms) this.#forget(key)
    const signed = this.#sign(terms, false)
    this.#current.set(key, { terms, signed })
    this.#standing.set(hex(signed.offer.id), signed.offer)
    return signed
  }

  /** The statement that ends it, for the peers to hear; null when there is nothing to end. */
  withdraw(modelRoot: Uint8Array): SignedOffer | null {
    const key = hex(modelRoot)
    const current = this.#current.get(key)
    if (!current) return null
    this.#current.delete(key)
    this.#forget(key)
    return this.#sign(current.terms, true)
  }

  /** Renews what is past half its life. */
  renew(): readonly SignedOffer[] {
    const now = this.#options.now()
    for (const [id, offer] of this.#standing) if (offer.expires <= now) this.#standing.delete(id)
    const due = [...this.#current.values()].filter(({ signed }) => now - signed.offer.issued >= RENEW_MS)
    return due.map(({ terms }) => this.state(terms))
  }

  all(): readonly SignedOffer[] {
    return [...this.#current.values()].map(({ signed }) => signed)
  }

  standing(id: Uint8Array): Offer | null {
    const offer = this.#standing.get(hex(id))
    return offer && offer.expires > this.#options.now() ? offer : null
  }

  #sign(terms: OfferTerms, withdrawn: boolean): SignedOffer {
    const { keyPair, boxKey, network, now } = this.#options
    const key = hex(terms.modelRoot)
    const issued = Math.max(Math.round(now()), (this.#issued.get(key) ?? 0) + 1)
    this.#issued.set(key, issued)
    const { modelRoot, modelName, quantisation, parameters, contextLength, features, notice, prices, slots } = terms
    const stated = { modelRoot, modelName, quantisation, parameters, contextLength, features, notice, prices, slots }
    return signOffer({ ...stated, boxKey, issued, expires: issued + LIFETIME_MS, withdrawn }, keyPair, network)
  }

  #forget(key: string): void {
    for (const [id, offer] of this.#standing) if (hex(offer.modelRoot) === key) this.#standing.delete(id)
  }
}

function hex(bytes: Uint8Array): string {
  return b4a.toString(bytes, 'hex')
}
