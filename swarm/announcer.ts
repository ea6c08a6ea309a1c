/**
 * The provider's side of being found: signs and renews this node's offers, announces their topics, and the lobby with
 * a probability that keeps it from becoming a hot spot.
 */
import b4a from 'b4a'
import type Hyperswarm from 'hyperswarm'
import type { Discovery } from 'hyperswarm'
import safetyCatch from 'safety-catch'
import type { Gossip } from './offers/gossip.js'
import type { OwnOffers } from './offers/own.js'
import type { Offer, OfferTerms } from './port.js'
import { lobbyProbability, modelTopic } from './topics.js'
import type { Watch } from './watch.js'

/** How often the lobby is reconsidered: the network may have grown or shrunk. */
const LOBBY_MS = 600_000

export interface AnnouncerOptions {
  readonly swarm: Hyperswarm
  readonly own: OwnOffers
  readonly gossip: Gossip
  readonly network: Uint8Array
  readonly invite: Uint8Array | null
  readonly now: () => number
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Providers known, this one included. */
  readonly providers: () => number
}

export class Announcer {
  #options: AnnouncerOptions
  #topics = new Map<string, Discovery>()
  #lobby: Watch | null = null
  #drawnAt: number | null = null

  constructor(options: AnnouncerOptions) {
    this.#options = options
  }

  serve(terms: OfferTerms): Offer {
    const { swarm, own, gossip, network, invite } = this.#options
    const signed = own.state(terms)
    gossip.announce([signed])
    const key = b4a.toString(terms.modelRoot, 'hex')
    if (!this.#topics.has(key)) {
      const topic = modelTopic(network, terms.modelRoot, invite)
      this.#topics.set(key, swarm.join(topic, { client: false, server: true }))
    }
    if (this.#drawnAt === null) this.#draw()
    return signed.offer
  }

  /** From now on in the lobby too, if the draw says so: the lobby was looked at, so its size is known. */
  enterLobby(lobby: Watch): void {
    this.#lobby = lobby
    this.#draw()
  }

  /** Tells the peers, and leaves the topic; `closing`: the Hyperswarm leaves all topics by itself. */
  async withdraw(modelRoot: Uint8Array, closing: boolean): Promise<void> {
    const { own, gossip } = this.#options
    const tombstone = own.withdraw(modelRoot)
    if (tombstone) gossip.announce([tombstone])
    const key = b4a.toString(modelRoot, 'hex')
    const discovery = this.#topics.get(key)
    this.#topics.delete(key)
    if (closing) return
    await discovery?.destroy()
    if (own.size === 0 && this.#lobby?.announces) {
      this.#drawnAt = null
      await this.#lobby.announce(false)
    }
  }

  /** This node goes: the peers hear it now, instead of finding out at their next ask. */
  farewell(): void {
    const { own, gossip } = this.#options
    const tombstones = own.all().flatMap(({ offer }) => own.withdraw(offer.modelRoot) ?? [])
    if (tombstones.length > 0) gossip.announce(tombstones)
  }

  /** From time to time. */
  keep(): void {
    const { own, gossip, now } = this.#options
    const renewed = own.renew()
    if (renewed.length > 0) gossip.announce(renewed)
    if (this.#drawnAt !== null && now() - this.#drawnAt > LOBBY_MS) this.#draw()
  }

  #draw(): void {
    const { own, now, random, providers } = this.#options
    if (!this.#lobby || own.size === 0) return
    this.#drawnAt = now()
    const announce = random() < lobbyProbability(providers())
    if (announce !== this.#lobby.announces) this.#lobby.announce(announce).catch(safetyCatch)
  }
}
