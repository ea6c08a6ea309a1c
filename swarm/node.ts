/**
 * One node of the swarm: a Hyperswarm with one `connection` listener, a session per peer, the book of offers, and this
 * node's own ones. What is decided here is who talks to whom; what they say is in session/, what is offered in offers/.
 */
import { EventEmitter } from 'node:events'
import b4a from 'b4a'
import HyperDHT from 'hyperdht'
import Hyperswarm from 'hyperswarm'
import type { Discovery, NoiseStream, PeerInfo } from 'hyperswarm'
import safetyCatch from 'safety-catch'
import { Asking } from './asking.js'
import { SwarmError } from './errors.js'
import { natView } from './nat.js'
import { OfferBook } from './offers/book.js'
import { Gossip } from './offers/gossip.js'
import { OwnOffers } from './offers/own.js'
import type { AnswerEvent, AskOptions, NatView, Offer, OfferTerms, PeerView, Swarm, SwarmOptions } from './port.js'
import { isBanned, strike, strikesOf } from './session/bans.js'
import type { Bans } from './session/bans.js'
import type { OutgoingAsk } from './session/outgoing-ask.js'
import { PROTOCOL_VERSION, Session } from './session/session.js'
import type { SessionHost } from './session/session.js'
import { lobbyProbability, lobbyTopic, modelTopic } from './topics.js'
import { Watch } from './watch.js'
import type { Envelope } from './wire/offer.js'

export const MAX_CONNECTIONS = 256
/** Peers behind one address; loopback, where whole test networks live, is exempt. */
export const MAX_PER_ADDRESS = 16
/** Model topics watched at a time. */
const MAX_LOOKUPS = 64
const READY_MS = 3000
const LOOKUP_MS = 3000
const SETTLE_MS = 1000
const DIAL_MS = 10_000
const HOUSEKEEPING_MS = 30_000
/** How often the lobby is reconsidered: the network may have grown. */
const LOBBY_MS = 600_000

export class SwarmNode extends EventEmitter implements Swarm {
  readonly publicKey: Uint8Array
  #options: SwarmOptions
  #now: () => number
  #dht: HyperDHT
  #swarm: Hyperswarm
  #book: OfferBook
  #own: OwnOffers | null
  #gossip = new Gossip(Math.random)
  #sessions = new Map<string, Session>()
  #perAddress = new Map<string, number>()
  #bans: Bans = new Map()
  #allow: ReadonlySet<string> | null
  #settling: (() => void)[] = []
  #dials = new Map<string, Promise<Session>>()
  #lookups = new Map<string, Watch>()
  #announced = new Map<string, Discovery>()
  #lobby: Watch | null = null
  #lobbyAt = 0
  #timer: NodeJS.Timeout | null = null
  #opening: Promise<void> | null = null
  #closing: Promise<void> | null = null

  constructor(options: SwarmOptions) {
    super()
    this.setMaxListeners(0)
    this.#options = options
    this.publicKey = options.keyPair.publicKey
    this.#now = options.now ?? Date.now
    this.#allow = options.allow ? new Set(options.allow.map(hex)) : null
    const { bootstrap, host, keyPair } = options
    this.#dht = new HyperDHT({ ...(bootstrap ? { bootstrap } : {}), ...(host === null ? {} : { host }) })
    this.#swarm = new Hyperswarm({
      keyPair,
      dht: this.#dht,
      maxPeers: MAX_CONNECTIONS,
      maxParallel: 16,
      firewall: (key) => this.#refuses(key),
    })
    this.#book = new OfferBook({
      network: options.network,
      self: this.publicKey,
      now: this.#now,
      usefulness: (offer) => this.#usefulness(offer),
    })
    this.#own = options.boxKeyPair
      ? new OwnOffers({ keyPair, boxKey: options.boxKeyPair.publicKey, network: options.network, now: this.#now })
      : null
    this.#swarm.on('connection', (stream: NoiseStream) => this.#onConnection(stream))
    this.#swarm.on('ban', (info: PeerInfo) => this.#onRefused(info))
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
    const own = this.#own
    if (!own || this.#closing)
      throw SwarmError.CANNOT_SERVE('a node without a box key, or a closed one, serves nothing')
    const signed = own.state(terms)
    this.#gossip.announce([signed])
    const key = hex(terms.modelRoot)
    if (!this.#announced.has(key)) {
      const topic = modelTopic(this.#options.network, terms.modelRoot, this.#options.invite)
      this.#announced.set(key, this.#swarm.join(topic, { client: false, server: true }))
    }
    if (this.#lobby) this.#announceInLobby()
    return { offer: signed.offer, withdraw: () => this.#withdraw(terms.modelRoot) }
  }

  offers(): readonly Offer[] {
    return this.#book.offers()
  }

  async lookup(modelRoot: Uint8Array): Promise<void> {
    if (this.#closing) throw SwarmError.SWARM_CLOSED()
    const key = hex(modelRoot)
    const offered = (): boolean => this.#book.offers().some((offer) => b4a.equals(offer.modelRoot, modelRoot))
    let watch = this.#lookups.get(key)
    if (watch) {
      if (!offered()) watch.look().catch(safetyCatch)
    } else {
      this.#forgetLookup()
      watch = new Watch(this.#swarm, modelTopic(this.#options.network, modelRoot, this.#options.invite), offered)
      this.#lookups.set(key, watch)
    }
    await within(watch.round, LOOKUP_MS)
    await this.#settled()
  }

  ask(options: AskOptions): AsyncIterable<AnswerEvent> {
    const open = async (signal: AbortSignal): Promise<OutgoingAsk> => {
      const session = await this.#sessionWith(options.offer.nodeKey, signal)
      return session.ask(options.offer, options.body, options.limits, signal)
    }
    return new Asking(open, options.signal, options.limits.deadlineMs)
  }

  peers(): readonly PeerView[] {
    const now = this.#now()
    const counts = new Map<string, number>()
    for (const offer of this.#book.offers()) {
      const key = hex(offer.nodeKey)
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    return [...this.#sessions.values()].map((session) => ({
      key: session.key,
      client: session.stream.isInitiator,
      since: session.since,
      software: session.hello?.software ?? '',
      roles: session.hello?.roles ?? [],
      offers: counts.get(session.keyHex) ?? 0,
      ...session.counters,
      bytesIn: session.stream.rawBytesRead,
      bytesOut: session.stream.rawBytesWritten,
      strikes: strikesOf(this.#bans, session.keyHex, now),
    }))
  }

  nat(): NatView {
    return natView(this.#dht)
  }

  async #open(): Promise<void> {
    this.#timer = setInterval(() => this.#keepHouse(), HOUSEKEEPING_MS)
    // An unreachable DHT must not hold up a node whose local models can answer: bounded here, tried again behind.
    await within(this.#dht.fullyBootstrapped(), READY_MS)
    if (this.#closing) return
    const topic = lobbyTopic(this.#options.network, this.#options.invite)
    this.#lobby = new Watch(this.#swarm, topic, () => this.#sessions.size > 0)
    this.#announceInLobby()
    await within(this.#lobby.round, READY_MS)
    await this.#settled()
  }

  async #close(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer)
    this.#gossip.close()
    for (const session of this.#sessions.values()) session.destroy(SwarmError.SWARM_CLOSED())
    this.emit('close')
    this.#lobby?.close()
    for (const watch of this.#lookups.values()) watch.close()
    await this.#swarm.destroy()
    this.removeAllListeners()
  }

  /** Until every open session has said hello and told its offers; bounded. */
  async #settled(): Promise<void> {
    const until = Date.now() + SETTLE_MS
    for (;;) {
      const open = [...this.#sessions.values()].some((session) => !session.settled)
      const left = until - Date.now()
      if (!open || left <= 0 || this.#closing) return
      await within(this.#nextSettled(), left)
    }
  }

  #nextSettled(): Promise<void> {
    return new Promise((resolve) => {
      this.#settling.push(resolve)
    })
  }

  /** The oldest makes room; its peers stay connected as long as they are of use. */
  #forgetLookup(): void {
    const [oldest] = this.#lookups
    if (!oldest || this.#lookups.size < MAX_LOOKUPS) return
    this.#lookups.delete(oldest[0])
    oldest[1].leave().catch(safetyCatch)
  }

  #announceInLobby(): void {
    if (!this.#own || this.#own.size === 0 || !this.#lobby || this.#lobby.announces) return
    this.#lobbyAt = this.#now()
    if (Math.random() < lobbyProbability(this.#book.providers + 1)) this.#lobby.announce(true).catch(safetyCatch)
  }

  async #withdraw(modelRoot: Uint8Array): Promise<void> {
    const tombstone = this.#own?.withdraw(modelRoot)
    if (tombstone) this.#gossip.announce([tombstone])
    const key = hex(modelRoot)
    const discovery = this.#announced.get(key)
    this.#announced.delete(key)
    if (discovery && !this.#closing) await discovery.destroy()
    if (this.#own?.size === 0 && this.#lobby?.announces && !this.#closing) await this.#lobby.announce(false)
  }

  async #sessionWith(nodeKey: Uint8Array, signal: AbortSignal): Promise<Session> {
    const key = hex(nodeKey)
    const existing = this.#sessions.get(key)
    if (existing) return existing
    if (this.#closing) throw SwarmError.SWARM_CLOSED()
    if (this.#refuses(nodeKey)) throw SwarmError.PEER_UNREACHABLE('this node does not connect to that provider')
    // Relays engage only once the DHT is known, so an earlier dial fails where a later one succeeds.
    await within(this.#dht.fullyBootstrapped(), DIAL_MS)
    if (this.#closing) throw SwarmError.SWARM_CLOSED()
    let dial = this.#dials.get(key)
    if (!dial) {
      dial = this.#dial(nodeKey, key).finally(() => this.#dials.delete(key))
      this.#dials.set(key, dial)
    }
    return unlessAborted(dial, signal)
  }

  #dial(nodeKey: Uint8Array, key: string): Promise<Session> {
    const known = this.#swarm.peers.get(key)
    // A caller waits: whatever patience earlier failures taught Hyperswarm does not count.
    if (known) known.attempts = 0
    return new Promise((resolve, reject) => {
      const finish = (error: SwarmError | null): void => {
        clearTimeout(timer)
        this.off('session', onSession)
        this.#swarm.off('update', onUpdate)
        this.off('close', onClose)
        this.#swarm.leavePeer(nodeKey)
        if (error) reject(error)
      }
      const onSession = (session: Session): void => {
        if (session.keyHex !== key) return
        finish(null)
        resolve(session)
      }
      const onUpdate = (): void => {
        const info = this.#swarm.peers.get(key)
        if (info && info.attempts > 0) finish(SwarmError.PEER_UNREACHABLE('the provider does not answer'))
      }
      const onClose = (): void => finish(SwarmError.SWARM_CLOSED())
      const timer = setTimeout(
        () => finish(SwarmError.PEER_UNREACHABLE('the provider did not answer in time')),
        DIAL_MS,
      )
      this.on('session', onSession)
      this.#swarm.on('update', onUpdate)
      this.on('close', onClose)
      this.#swarm.joinPeer(nodeKey)
    })
  }

  #onConnection(stream: NoiseStream): void {
    stream.on('error', safetyCatch)
    const address = stream.rawStream?.remoteHost ?? ''
    const crowd = this.#perAddress.get(address) ?? 0
    const crowded = crowd >= MAX_PER_ADDRESS && !address.startsWith('127.')
    if (this.#closing || crowded || this.#sessions.size >= MAX_CONNECTIONS) return stream.destroy()
    const session = Session.open(stream, this.#host())
    if (!session) return stream.destroy()
    this.#perAddress.set(address, crowd + 1)
    stream.once('close', () => {
      const left = (this.#perAddress.get(address) ?? 1) - 1
      if (left > 0) this.#perAddress.set(address, left)
      else this.#perAddress.delete(address)
    })
    this.#sessions.set(session.keyHex, session)
    this.emit('session', session)
    this.emit('peers')
  }

  #host(): SessionHost {
    const { network, boxKeyPair, onAsk } = this.#options
    return {
      network,
      publicKey: this.publicKey,
      boxKeyPair,
      onAsk,
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
        this.#gossip.greet(session, this.#own?.all() ?? [], this.#book.envelopes())
        this.emit('peers')
      },
      onOffers: (session, offers) => this.#onOffers(session, offers),
      onViolation: (session) => {
        this.#bans = strike(this.#bans, session.keyHex, this.#now())
      },
      onClose: (session) => this.#onSessionClose(session),
    }
  }

  #onOffers(session: Session, envelopes: readonly Envelope[]): void {
    let changed = false
    for (const envelope of envelopes) {
      const { verdict, signed } = this.#book.add(envelope)
      // The relay may be as deceived as we are about a date, but never about a signature: it had to check it.
      if (verdict === 'forged') throw SwarmError.BAD_PROTOCOL('an offer with a wrong signature')
      if (!signed) continue
      changed = true
      this.#gossip.heard(session, signed)
      this.#gossip.pass(signed)
    }
    if (changed) this.emit('offers')
    if (!session.settled) {
      session.settled = true
      this.#wakeSettling()
    }
  }

  #onSessionClose(session: Session): void {
    this.#gossip.forget(session)
    if (this.#sessions.get(session.keyHex) === session) this.#sessions.delete(session.keyHex)
    this.#wakeSettling()
    this.emit('peers')
  }

  #wakeSettling(): void {
    for (const wake of this.#settling.splice(0)) wake()
  }

  #keepHouse(): void {
    if (this.#book.prune()) this.emit('offers')
    const renewed = this.#own?.renew() ?? []
    if (renewed.length > 0) this.#gossip.announce(renewed)
    if (this.#now() - this.#lobbyAt > LOBBY_MS) this.#announceInLobby()
  }

  /** Offers of peers at hand first, then those of models somebody here asked for. */
  #usefulness(offer: Offer): number {
    return (this.#sessions.has(hex(offer.nodeKey)) ? 2 : 0) + (this.#lookups.has(hex(offer.modelRoot)) ? 1 : 0)
  }

  #refuses(key: Uint8Array): boolean {
    const name = hex(key)
    if (this.#allow && !this.#allow.has(name)) return true
    return isBanned(this.#bans, name, this.#now())
  }

  /** Hyperswarm would remember a refusal for ever; our bans expire, and its memory of strangers shall not grow. */
  #onRefused(info: PeerInfo): void {
    info.ban(false)
    if (info.shouldGC()) this.#swarm.peers.delete(hex(info.publicKey))
  }
}

function hex(bytes: Uint8Array): string {
  return b4a.toString(bytes, 'hex')
}

/** The promise, or `CANCELLED` as soon as the signal says so; the promise goes on for others. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) throw SwarmError.CANCELLED()
  let onAbort = noop
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(SwarmError.CANCELLED())
  })
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** Resolves when `promise` settles or `ms` have passed, whichever is first. */
async function within(promise: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | null = null
  const bound = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([promise.then(noop, noop), bound])
  if (timer) clearTimeout(timer)
}

function noop(): void {}
