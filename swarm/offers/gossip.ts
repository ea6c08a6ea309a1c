/**
 * Who has been told what. A new session gets one bounded sample; after that, only what is new to it, in bounded
 * messages at a bounded pace, so that news spreads and floods do not.
 */
import b4a from 'b4a'
import type { Session } from '../session/session.js'
import { MAX_OFFERS } from '../wire/offers.js'
import type { SignedOffer } from './signed.js'

/** News of others waits so long for company. */
const PACE_MS = 250
/** Ids remembered per session; forgetting costs a repetition, nothing else. */
const MAX_TOLD = 4096
/** News not told yet; what does not fit is left to other peers and later samples. */
const MAX_NEWS = 1024

export class Gossip {
  #random: () => number
  #told = new Map<Session, Set<string>>()
  #news = new Map<string, SignedOffer>()
  #timer: NodeJS.Timeout | null = null

  /** `random`: uniform in [0, 1). */
  constructor(random: () => number) {
    this.#random = random
  }

  /** Own offers first, then a random sample of what else is known. Sent even when empty: it says "that is all". */
  greet(session: Session, own: readonly SignedOffer[], known: readonly SignedOffer[]): void {
    this.#told.set(session, new Set())
    const sample = this.#sample(known, Math.max(0, MAX_OFFERS - own.length))
    this.#tell(session, [...own.slice(0, MAX_OFFERS), ...sample], true)
  }

  forget(session: Session): void {
    this.#told.delete(session)
    if (this.#told.size === 0) this.close()
  }

  /** The session knows it: it told us. */
  heard(session: Session, offer: SignedOffer): void {
    this.#remember(this.#told.get(session), offer)
  }

  /** Own news: at once, to everybody. */
  announce(offers: readonly SignedOffer[]): void {
    for (const session of this.#told.keys()) this.#tell(session, offers, false)
  }

  /** News of others: soon, to everybody who has not heard it. */
  pass(offer: SignedOffer): void {
    if (this.#news.size < MAX_NEWS) this.#news.set(idOf(offer), offer)
    this.#timer ??= setTimeout(() => this.#passOn(), PACE_MS).unref()
  }

  close(): void {
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
    this.#news.clear()
  }

  #passOn(): void {
    this.#timer = null
    const news = this.#sample([...this.#news.values()], MAX_OFFERS)
    for (const offer of news) this.#news.delete(idOf(offer))
    for (const session of this.#told.keys()) this.#tell(session, news, false)
    if (this.#news.size > 0) this.#timer = setTimeout(() => this.#passOn(), PACE_MS).unref()
  }

  #tell(session: Session, offers: readonly SignedOffer[], evenNothing: boolean): void {
    const told = this.#told.get(session)
    const fresh = offers.filter((offer) => !told?.has(idOf(offer)))
    if (fresh.length === 0 && !evenNothing) return
    for (const offer of fresh) this.#remember(told, offer)
    session.sendOffers(fresh.map(({ envelope }) => envelope))
  }

  #remember(told: Set<string> | undefined, offer: SignedOffer): void {
    if (!told) return
    if (told.size >= MAX_TOLD) told.clear()
    told.add(idOf(offer))
  }

  /** `count` of them, each as likely as any other (Fisher-Yates, cut short). */
  #sample(offers: readonly SignedOffer[], count: number): readonly SignedOffer[] {
    if (offers.length <= count) return offers
    const pool = [...offers]
    const out: SignedOffer[] = []
    for (let i = 0; i < count; i++) {
      const at = i + Math.floor(this.#random() * (pool.length - i))
      const chosen = pool[at]
      const swapped = pool[i]
      if (chosen === undefined || swapped === undefined) break
      pool[at] = swapped
      out.push(chosen)
    }
    return out
  }
}

function idOf(offer: SignedOffer): string {
  return b4a.toString(offer.offer.id, 'hex')
}
