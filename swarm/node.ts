/**
 * One node of the swarm: a Hyperswarm with one `connection` listener, a session per peer, the book of offers, and this
 * node's own ones. What is decided here is who talks to whom; what they say is in session/, what is offered in offers/.
 */
import { EventEmitter } from 'node:events'
import b4a from 'b4a'
import HyperDHT from 'hyperdht'
import Hyperswarm from 'hyperswarm'
import type { NoiseStream, PeerInfo } from 'hyperswarm'
import safetyCatch from 'safety-catch'
import { Admission, MAX_CONNECTIONS } from './admission.js'
import { Announcer } from './announcer.js'
import { Asking } from './asking.js'
import { Dialer } from './dialer.js'
import { SwarmError } from './errors.js'
import { Lookups } from './lookups.js'
import { natView } from './nat.js'
import { Gossip } from './offers/gossip.js'
import { KnownOffers } from './offers/known.js'
import { OwnOffers } from './offers/own.js'
import type {
  AnswerEvent,
  AskOptions,
  NatView,
  Offer,
  OfferTerms,
  PeerView,
  SignedPayment,
  Swarm,
  SwarmOptions,
} from './port.js'
import type { OutgoingAsk } from './session/outgoing-ask.js'
import { PROTOCOL_VERSION, Session } from './session/session.js'
import type { SessionHost } from './session/session.js'
import { Redials } from './redials.js'
import { Sessions } from './sessions.js'
import { lobbyTopic } from './topics.js'
import { within } from './waiting.js'
import { Watch } from './watch.js'

const READY_MS = 3000
const HOUSEKEEPING_MS = 30_000

export class SwarmNode extends EventEmitter implements Swarm {
  readonly publicKey: Uint8Array
  #options: SwarmOptions
  #now: () => number
  #dht: HyperDHT
  #swarm: Hyperswarm
  #known: KnownOffers
  #own: OwnOffers | null
  #announcer: Announcer | null
  #gossip = new Gossip(Math.random)
  #sessions = new Sessions()
  #admission: Admission
  #dialer: Dialer
  #redials: Redials
  #lookups: Lookups
  #lobby: Watch | null = null
  #timer: NodeJS.Timeout | null = null
  #opening: Promise<void> | null = null
  #closing: Promise<void> | null = null

  constructor(options: SwarmOptions) {
    super()
    this.setMaxListeners(0)
    this.#options = options
    this.publicKey = options.keyPair.publicKey
    this.#now = options.now ?? Date.now
    this.#admission = new Admission(options.allow, this.#now)
    const { bootstrap, host, keyPair } = options
    this.#dht = new HyperDHT({
      ...(bootstrap ? { bootstrap } : {}),
      ...(host === null ? {} : { host }),
      // Nothing stands between two programs on one machine. Punching a hole where there is no wall now and then ends in a
      // connection that carries nothing for ten seconds.
      ...(isLoopback(host) ? { firewalled: false } : {}),
    })
    this.#swarm = new Hyperswarm({
      keyPair,
      dht: this.#dht,
      maxPeers: MAX_CONNECTIONS,
      maxParallel: 16,
      firewall: (key) => this.#admission.refuses(key),
    })
    this.#dialer = new Dialer(this.#swarm, this.#sessions, this.#admission, (key) => this.#known.doubt(key))
    this.#redials = new Redials((key, signal) => this.#dialer.session(key, signal))
    const { network } = options
    const usefulness = (offer: Offer): number => this.#usefulness(offer)
    const book = { network, self: this.publicKey, now: this.#now, usefulness }
    this.#known = new KnownOffers(book, this.#gossip, this.#admission, () => this.emit('offers'))
    const offered = (root: Uint8Array): boolean => this.offers().some(({ modelRoot }) => b4a.equals(modelRoot, root))
    this.#lookups = new Lookups(this.#swarm, options.network, options.invite, offered)
    this.#own = options.boxKeyPair
      ? new OwnOffers({ keyPair, boxKey: options.boxKeyPair.publicKey, network: options.network, now: this.#now })
      : null
    this.#announcer = this.#own ? this.#announcerOf(this.#own) : null
    this.#swarm.on('connection', (stream: NoiseStream) => this.#onConnection(stream))
    this.#swarm.on('ban', (info: PeerInfo) => this.#admission.onRefused(info, this.#swarm.peers))
  }

  ready(): Promise<void> {
    this.#opening ??= this.#open()
    return this.#opening
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  serve(terms: OfferTerms): { readonly offer: Offer; withdraw(): Promise<void> } {
    const announcer = this.#announcer
    if (!announcer || this.#closing) {
      throw SwarmError.CANNOT_SERVE('a node without a box key, or a closed one, serves nothing')
    }
    return {
      offer: announcer.serve(terms),
      withdraw: () => announcer.withdraw(terms.modelRoot, this.#closing !== null),
    }
  }

  offers(): readonly Offer[] {
    return this.#known.list()
  }

  async lookup(modelRoot: Uint8Array): Promise<void> {
    if (this.#closing) throw SwarmError.SWARM_CLOSED()
    await this.#lookups.look(modelRoot)
    await this.#sessions.settled()
  }

  async meet(nodeKey: Uint8Array, signal: AbortSignal): Promise<void> {
    if (this.#closing) throw SwarmError.SWARM_CLOSED()
    await this.#dialer.session(nodeKey, signal)
    await this.#sessions.settled()
  }

  ask(options: AskOptions): AsyncIterable<AnswerEvent> {
    const open = async (signal: AbortSignal): Promise<OutgoingAsk> => {
      const session = await this.#dialer.session(options.offer.nodeKey, signal)
      return session.ask(options, signal)
    }
    return new Asking(open, options.signal, options.limits.deadlineMs)
  }

  pay(provider: Uint8Array, voucher: SignedPayment): boolean {
    const session = this.#sessions.get(hex(provider))
    session?.pay(voucher)
    return session !== undefined
  }

  countersign(provider: Uint8Array, id: Uint8Array, signature: Uint8Array): boolean {
    const session = this.#sessions.get(hex(provider))
    session?.countersign(id, signature)
    return session !== undefined
  }

  strike(peer: Uint8Array, what: string): void {
    const key = hex(peer)
    this.#admission.strike(key)
    if (this.#admission.refuses(peer)) this.#sessions.get(key)?.destroy(SwarmError.refused('BANNED', what))
  }

  peers(): readonly PeerView[] {
    return this.#sessions.views(this.#known.list(), (key) => this.#admission.strikesOf(key))
  }

  nat(): NatView {
    return natView(this.#dht)
  }

  /** An unreachable DHT must not hold up a node whose local models can answer: bounded, and tried again behind. */
  async #open(): Promise<void> {
    this.#timer = setInterval(() => this.#keepHouse(), HOUSEKEEPING_MS)
    await within(this.#join(), READY_MS)
  }

  async #join(): Promise<void> {
    await this.#dht.fullyBootstrapped()
    if (this.#closing) return
    const topic = lobbyTopic(this.#options.network, this.#options.invite)
    this.#lobby = new Watch(this.#swarm, topic, () => this.#sessions.size > 0)
    await this.#lobby.round
    await this.#sessions.settled()
    if (!this.#closing) this.#announcer?.enterLobby(this.#lobby)
  }

  async #close(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer)
    this.#announcer?.farewell()
    this.#gossip.close()
    this.#known.close()
    this.#sessions.destroy(SwarmError.SWARM_CLOSED())
    this.#redials.close()
    this.#dialer.close()
    this.#lobby?.close()
    this.#lookups.close()
    await this.#swarm.destroy()
    this.removeAllListeners()
  }

  #onConnection(stream: NoiseStream): void {
    stream.on('error', safetyCatch)
    if (this.#closing || !this.#admission.admit(stream)) return stream.destroy()
    const session = Session.open(stream, this.#host())
    if (!session) return stream.destroy()
    this.#sessions.add(session)
    this.#dialer.connected(session)
    this.#redials.stop(session.keyHex)
    this.#known.trust(session.key)
    this.emit('peers')
  }

  #announcerOf(own: OwnOffers): Announcer {
    const { network, invite } = this.#options
    return new Announcer({
      swarm: this.#swarm,
      own,
      gossip: this.#gossip,
      network,
      invite,
      now: this.#now,
      random: Math.random,
      providers: () => this.#known.providers + 1,
    })
  }

  #host(): SessionHost {
    const { network, boxKeyPair, onAsk, onVoucher, onPeer } = this.#options
    return {
      network,
      publicKey: this.publicKey,
      boxKeyPair,
      onAsk,
      onVoucher: onVoucher ?? null,
      now: this.#now,
      hello: () => ({
        versions: [PROTOCOL_VERSION],
        software: this.#options.software,
        network,
        roles: this.#own && onAsk ? ['consumer', 'provider'] : ['consumer'],
        clock: Math.round(this.#now()),
      }),
      ownOffer: (id) => this.#own?.standing(id) ?? null,
      onHello: (session) => {
        this.#gossip.greet(session, this.#own?.all() ?? [], this.#known.tellable())
        onPeer?.({ key: session.key, roles: session.hello?.roles ?? [], stream: session.stream })
        this.emit('peers')
      },
      onOffers: (session, offers) => {
        this.#known.hear(session, offers)
        this.#sessions.settle(session)
      },
      onStrike: (session) => {
        this.#admission.strike(session.keyHex)
        return this.#admission.refuses(session.key)
      },
      onClose: (session, reason) => this.#onSessionClose(session, reason),
    }
  }

  #onSessionClose(session: Session, reason: SwarmError): void {
    this.#gossip.forget(session)
    this.#sessions.remove(session)
    const replaced = this.#sessions.get(session.keyHex) !== undefined
    if (reason.code === 'PEER_LOST' && !replaced && !this.#closing) {
      this.#known.doubt(session.key)
      if (session.dismissal === null && this.#known.serves(session.key)) this.#redials.start(session.key)
    }
    this.emit('peers')
    if (this.#sessions.size === 0) this.#lobby?.resume()
  }

  #keepHouse(): void {
    this.#known.prune()
    this.#announcer?.keep()
    // A provider is there for others, who close what they do not need.
    if (this.#own && this.#own.size > 0) return
    for (const key of this.#sessions.cool(this.#known.list(), this.#now())) this.#swarm.peers.get(key)?.reconnect(false)
  }

  /** Offers of peers at hand first, then those of models somebody here asked for. */
  #usefulness(offer: Offer): number {
    return (this.#sessions.get(hex(offer.nodeKey)) ? 2 : 0) + (this.#lookups.has(offer.modelRoot) ? 1 : 0)
  }
}

function hex(bytes: Uint8Array): string {
  return b4a.toString(bytes, 'hex')
}

function isLoopback(host: string | null): boolean {
  return host !== null && host.startsWith('127.')
}
