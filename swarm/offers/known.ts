/** The offers of others: heard, checked, passed on, doubted, and listed while they are of use. */
import b4a from 'b4a'
import type { Admission } from '../admission.js'
import { SwarmError } from '../errors.js'
import type { Offer } from '../port.js'
import type { Session } from '../session/session.js'
import type { Envelope } from '../wire/offer.js'
import { OfferBook } from './book.js'
import type { OfferBookOptions } from './book.js'
import { Doubts } from './doubts.js'
import type { Gossip } from './gossip.js'
import type { SignedOffer } from './signed.js'

export class KnownOffers {
  #book: OfferBook
  #doubts: Doubts
  #gossip: Gossip
  #admission: Admission
  #onChange: () => void
  /** One for the end of each doubt. */
  #timers = new Set<NodeJS.Timeout>()

  /** `onChange`: the list is another. */
  constructor(options: OfferBookOptions, gossip: Gossip, admission: Admission, onChange: () => void) {
    this.#book = new OfferBook(options)
    this.#doubts = new Doubts(options.now)
    this.#gossip = gossip
    this.#admission = admission
    this.#onChange = onChange
  }

  /** Different nodes with an offer. */
  get providers(): number {
    return this.#book.providers
  }

  /** Valid, of nodes that may be connected to, and that did not vanish. */
  list(): readonly Offer[] {
    return this.#book.offers().filter(({ nodeKey }) => !this.#doubts.has(nodeKey) && !this.#admission.refuses(nodeKey))
  }

  /** It has a valid offer, doubted or not. */
  serves(nodeKey: Uint8Array): boolean {
    return this.#book.offers().some((offer) => b4a.equals(offer.nodeKey, nodeKey))
  }

  /** What a new peer may be told. */
  tellable(): readonly SignedOffer[] {
    return this.#book.envelopes().filter(({ offer }) => !this.#doubts.has(offer.nodeKey))
  }

  /** Throws `BAD_PROTOCOL` for a forgery: the peer may be deceived about a date, but it had to check the signature. */
  hear(session: Session, envelopes: readonly Envelope[]): void {
    let changed = false
    for (const envelope of envelopes) {
      const { verdict, signed } = this.#book.add(envelope)
      if (verdict === 'forged') throw SwarmError.BAD_PROTOCOL('an offer with a wrong signature')
      if (!signed) continue
      changed = true
      this.#doubts.trust(signed.offer.nodeKey)
      this.#gossip.heard(session, signed)
      this.#gossip.pass(signed)
    }
    if (changed) this.#onChange()
  }

  /** The node went without a word; says nothing about one that offers nothing. */
  doubt(nodeKey: Uint8Array): void {
    if (!this.#book.knows(nodeKey)) return
    const ms = this.#doubts.doubt(nodeKey)
    if (ms === null) return
    this.#onChange()
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      this.#onChange()
    }, ms + 1)
    this.#timers.add(timer.unref())
  }

  /** The node is there. */
  trust(nodeKey: Uint8Array): void {
    if (this.#doubts.trust(nodeKey)) this.#onChange()
  }

  prune(): void {
    if (this.#book.prune()) this.#onChange()
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }
}
