/**
 * One peer: one protomux channel, `swarmd/1`. Decodes, checks limits, and routes to the asks; decides nothing that the
 * pure rules beside it can decide.
 *
 * hello first, from both sides and without waiting for the other's; then anything. The order of the messages in
 * `#messages` is protocol: append, never reorder.
 */
import b4a from 'b4a'
import Protomux from 'protomux'
import type { Channel, Message } from 'protomux'
import type { NoiseStream } from 'hyperswarm'
import type { KeyPair } from '../crypto.js'
import { SwarmError } from '../errors.js'
import type { AskBody, AskLimits, IncomingAsk, Offer } from '../port.js'
import { openAsk, sealAsk } from '../sealing.js'
import { randomBytes } from '../crypto.js'
import { answerMessage } from '../wire/answer.js'
import { REQUEST_ID_BYTES, askMessage } from '../wire/ask.js'
import type { Ask } from '../wire/ask.js'
import { cancelMessage } from '../wire/cancel.js'
import { challengeMessage } from '../wire/challenge.js'
import { decode } from '../wire/codec.js'
import type { WireMessage } from '../wire/codec.js'
import { countersignMessage } from '../wire/countersign.js'
import { creditMessage } from '../wire/credit.js'
import { doneMessage } from '../wire/done.js'
import { errorMessage } from '../wire/error.js'
import { helloMessage } from '../wire/hello.js'
import type { Hello } from '../wire/hello.js'
import type { Envelope } from '../wire/offer.js'
import { offersMessage } from '../wire/offers.js'
import { progressMessage } from '../wire/progress.js'
import { tokensMessage } from '../wire/tokens.js'
import { voucherMessage } from '../wire/voucher.js'
import { SessionIncomingAsk } from './incoming-ask.js'
import { OutgoingAsk, WINDOW } from './outgoing-ask.js'
import { TICK_MS } from './outgoing.js'
import { take } from './rate.js'
import type { Rate, RateState } from './rate.js'

export const PROTOCOL = 'swarmd/1'
export const PROTOCOL_VERSION = 1

/** Asks in flight, each way. */
export const MAX_ASKS = 32
/** A small ask is opened in a fraction of a millisecond; this is a guard against floods, not a quota. */
const ASK_RATE: Rate = { perSecond: 4000, burst: 512 }
const OFFERS_RATE: Rate = { perSecond: 2, burst: 40 }
const CHALLENGE_RATE: Rate = { perSecond: 1, burst: 4 }
/** Messages for asks that are over (they cross with a cancel) or never were. */
const STRAY_RATE: Rate = { perSecond: 500, burst: 2000 }
const HELLO_MS = 10_000
/** A peer that does not close its half of the socket is cut off. */
const END_MS = 1000
/** Larger messages travel alone: protomux would join them with others into one write above the stream's limit. */
const LARGE_BYTES = 65_536
const SESSION_ID = new Uint8Array(REQUEST_ID_BYTES)

/** What a session needs of its node. */
export interface SessionHost {
  readonly network: Uint8Array
  readonly publicKey: Uint8Array
  readonly boxKeyPair: KeyPair | null
  now(): number
  hello(): Hello
  /** This node's own offer of that id, while it stands. */
  ownOffer(id: Uint8Array): Offer | null
  /** Null: this node serves nothing. */
  readonly onAsk: ((ask: IncomingAsk) => void) | null
  onHello(session: Session): void
  onOffers(session: Session, offers: readonly Envelope[]): void
  onViolation(session: Session, error: SwarmError): void
  onClose(session: Session): void
}

export interface SessionCounters {
  asksIn: number
  asksOut: number
}

type Limited = 'ask' | 'offers' | 'challenge' | 'stray'

export class Session {
  readonly key: Uint8Array
  readonly keyHex: string
  readonly stream: NoiseStream
  readonly since: number
  readonly counters: SessionCounters = { asksIn: 0, asksOut: 0 }
  /** The peer's first offers have come; an empty list counts. */
  settled = false
  #host: SessionHost
  #mux: Protomux
  #channel: Channel
  #hello: Hello | null = null
  #closed = false
  #incoming = new Map<string, SessionIncomingAsk>()
  #outgoing = new Map<string, OutgoingAsk>()
  /** Asks that wait for one of MAX_ASKS places; bounded by the node. */
  #waiting: (() => void)[] = []
  #dirty = new Set<SessionIncomingAsk>()
  #corked = false
  #ticker: NodeJS.Timeout | null = null
  #helloTimer: NodeJS.Timeout
  #rates: Record<Limited, RateState> = { ask: 0, offers: 0, challenge: 0, stray: 0 }
  #messages: ReturnType<Session['register']>

  /** Null when the stream is gone already, or the peer has such a channel open. */
  static open(stream: NoiseStream, host: SessionHost): Session | null {
    const mux = Protomux.from(stream)
    let session: Session | null = null
    const channel = mux.createChannel({
      protocol: PROTOCOL,
      onclose: () => session?.onChannelClose(),
      ondrain: () => session?.onDrain(),
    })
    if (!channel) return null
    session = new Session(stream, mux, channel, host)
    return session
  }

  private constructor(stream: NoiseStream, mux: Protomux, channel: Channel, host: SessionHost) {
    this.key = stream.remotePublicKey
    this.keyHex = b4a.toString(stream.remotePublicKey, 'hex')
    this.stream = stream
    this.since = host.now()
    this.#host = host
    this.#mux = mux
    this.#channel = channel
    this.#messages = this.register()
    this.#helloTimer = setTimeout(() => this.destroy(SwarmError.HELLO_TIMEOUT()), HELLO_MS)
    channel.open()
    this.#send(this.#messages.hello, host.hello())
  }

  get hello(): Hello | null {
    return this.#hello
  }

  get closed(): boolean {
    return this.#closed
  }

  get drained(): boolean {
    return this.#channel.drained
  }

  /** Nothing in flight either way. */
  get idle(): boolean {
    return this.#incoming.size === 0 && this.#outgoing.size === 0 && this.#waiting.length === 0
  }

  get load(): { readonly incoming: number; readonly outgoing: number } {
    return { incoming: this.#incoming.size, outgoing: this.#outgoing.size + this.#waiting.length }
  }

  sendOffers(offers: readonly Envelope[]): void {
    this.#send(this.#messages.offers, { offers })
  }

  /** Waits for a place among MAX_ASKS when there is none. Throws `PEER_LOST`, `OUT_OF_BOUNDS`, `MESSAGE_TOO_LARGE`. */
  async ask(offer: Offer, body: AskBody, limits: AskLimits, signal: AbortSignal): Promise<OutgoingAsk> {
    while (this.#outgoing.size >= MAX_ASKS && !this.#closed && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve)
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
    }
    if (this.#closed) throw SwarmError.PEER_LOST('the connection closed')
    const id = randomBytes(REQUEST_ID_BYTES)
    const head = {
      id,
      modelRoot: offer.modelRoot,
      offerId: offer.id,
      maxTokens: limits.maxTokens,
      maxCost: limits.maxCost,
      deadlineMs: Math.max(1, Math.round(limits.deadlineMs)),
      resume: body.kind === 'generate' ? body.resume.length : 0,
      credit: WINDOW,
      payment: null,
    }
    const party = { network: this.#host.network, consumer: this.#host.publicKey }
    const { ask, response } = sealAsk(head, body, offer.boxKey, party)
    const hex = b4a.toString(id, 'hex')
    const outgoing = new OutgoingAsk(id, body, limits.maxTokens, response, {
      credit: (message) => this.#send(this.#messages.credit, message),
      cancel: (message) => this.#send(this.#messages.cancel, message),
      ended: () => this.#outgoingEnded(hex),
      violated: (error) => this.violate(error),
      lost: () => this.destroy(SwarmError.PEER_LOST('the provider has been silent for 5 s')),
    })
    this.#outgoing.set(hex, outgoing)
    this.counters.asksOut++
    this.#tickWhileBusy()
    if (ask.body.byteLength > LARGE_BYTES) this.#sendLarge(ask)
    else this.#send(this.#messages.ask, ask)
    return outgoing
  }

  /** Ends the session because of what the peer did: tells it the code, and tells the node, who counts strikes. */
  violate(error: SwarmError): void {
    if (this.#closed) return
    this.#host.onViolation(this, error)
    this.destroy(error)
  }

  /** Ends the session; all its asks fail. The peer gets the code if the socket still takes it. */
  destroy(error: SwarmError): void {
    if (this.#closed) return
    if (error.code !== 'PEER_LOST') {
      this.#send(this.#messages.error, { id: SESSION_ID, code: error.code, detail: error.message.slice(0, 256) })
      this.#uncork()
    }
    this.#close(error)
    // `end` lets the error out before the socket closes; a dead peer gets no such grace.
    if (error.code === 'PEER_LOST') this.stream.destroy()
    else this.#endStream()
  }

  onChannelClose(): void {
    this.#close(SwarmError.PEER_LOST('the connection closed'), true)
  }

  onDrain(): void {
    for (const ask of this.#incoming.values()) ask.flush()
  }

  /** The table of messages; its order is protocol. */
  private register() {
    return {
      hello: this.#message(helloMessage, (hello) => this.#onHello(hello)),
      offers: this.#message(offersMessage, ({ offers }) => this.#onOffers(offers)),
      ask: this.#message(askMessage, (ask) => this.#onAsk(ask)),
      answer: this.#message(answerMessage, (m) => this.#outgoingOf(m.id)?.onAnswer(m)),
      progress: this.#message(progressMessage, (m) => this.#outgoingOf(m.id)?.onProgress(m)),
      tokens: this.#message(tokensMessage, (m) => this.#outgoingOf(m.id)?.onTokens(m)),
      credit: this.#message(creditMessage, (m) => this.#onCredit(m.id, m.more)),
      voucher: this.#message(voucherMessage, () => this.#unsupported(SESSION_ID, 'vouchers')),
      done: this.#message(doneMessage, (m) => this.#outgoingOf(m.id)?.onDone(m)),
      countersign: this.#message(countersignMessage, (m) => this.#unsupported(m.id, 'countersignatures')),
      cancel: this.#message(cancelMessage, (m) => this.#onCancel(m.id, m.reason)),
      challenge: this.#message(challengeMessage, (m) => {
        if (m.kind === 'challenge') this.#unsupported(m.id, 'challenges')
      }),
      error: this.#message(errorMessage, (m) => this.#onError(m.id, m.code, m.detail)),
    }
  }

  #message<T>(wire: WireMessage<T>, onmessage: (value: T) => void): Message<T> {
    return this.#channel.addMessage<T, Uint8Array>({
      encoding: {
        preencode: wire.preencode,
        encode: wire.encode,
        // Decoded in the handler, so that a bad message is answered with a code instead of a dropped socket.
        decode: (state) => {
          const bytes = state.buffer ? state.buffer.subarray(state.start, state.end) : SESSION_ID
          state.start = state.end
          return bytes
        },
      },
      onmessage: (bytes) => {
        if (this.#closed) return
        try {
          const value = decode(wire, bytes)
          if (this.#hello === null && wire.name !== 'hello') throw SwarmError.BAD_PROTOCOL(`${wire.name} before hello`)
          onmessage(value)
        } catch (error) {
          if (!(error instanceof SwarmError)) throw error
          this.violate(error)
        }
      },
    })
  }

  #onHello(hello: Hello): void {
    if (this.#hello) throw SwarmError.BAD_PROTOCOL('hello twice')
    if (!b4a.equals(hello.network, this.#host.network)) return this.destroy(SwarmError.NETWORK_MISMATCH())
    if (!hello.versions.includes(PROTOCOL_VERSION)) return this.destroy(SwarmError.VERSION_MISMATCH())
    clearTimeout(this.#helloTimer)
    this.#hello = { ...hello, network: this.#host.network }
    this.#host.onHello(this)
  }

  #onOffers(offers: readonly Envelope[]): void {
    // Too much gossip is dropped, not answered: it will come again from others.
    if (this.#limited('offers', OFFERS_RATE) !== null) return
    this.#host.onOffers(this, offers)
    this.settled = true
  }

  #onAsk(ask: Ask): void {
    const hex = b4a.toString(ask.id, 'hex')
    if (this.#incoming.has(hex)) throw SwarmError.BAD_PROTOCOL('one request id for two asks')
    const id = b4a.from(ask.id)
    const refuse = (code: string, detail: string, retryAfterMs: number | null = null): void =>
      this.#send(this.#messages.answer, { kind: 'refused', id, code, retryAfterMs, detail })
    if (this.#incoming.size >= MAX_ASKS) return refuse('BUSY', `At most ${MAX_ASKS} requests at a time.`, 500)
    const retryAfterMs = this.#limited('ask', ASK_RATE)
    if (retryAfterMs !== null) return refuse('RATE_LIMITED', 'Too many requests from this peer.', retryAfterMs)
    const { onAsk, boxKeyPair } = this.#host
    const offer = this.#host.ownOffer(ask.offerId)
    if (!onAsk || !boxKeyPair || !offer) return refuse('OFFER_UNKNOWN', 'That offer has expired or was withdrawn.')
    if (!b4a.equals(offer.modelRoot, ask.modelRoot)) throw SwarmError.BAD_PROTOCOL('the offer is for another model')
    if (ask.payment) return refuse('UNSUPPORTED', 'This provider takes no payments.')
    const { body, response } = openAsk(ask, boxKeyPair, { network: this.#host.network, consumer: this.key })
    const resumed = body.kind === 'generate' ? body.resume.length : 0
    if (resumed !== ask.resume) throw SwarmError.BAD_PROTOCOL('two resume points in one ask')
    const { maxTokens, maxCost, deadlineMs, credit } = ask
    const limits: AskLimits = { maxTokens, maxCost, deadlineMs }
    const incoming = new SessionIncomingAsk(
      { id, peer: this.key, offer, body, limits, credit, response },
      {
        isDrained: () => this.#channel.drained,
        now: () => this.#host.now(),
        answer: (message) => this.#send(this.#messages.answer, message),
        progress: (message) => this.#send(this.#messages.progress, message),
        tokens: (message) => this.#send(this.#messages.tokens, message),
        done: (message) => this.#send(this.#messages.done, message),
        error: (message) => this.#send(this.#messages.error, message),
        schedule: (one) => this.#schedule(one),
        ended: () => {
          this.#incoming.delete(hex)
          this.#tickWhileBusy()
        },
      },
    )
    this.#incoming.set(hex, incoming)
    this.counters.asksIn++
    this.#tickWhileBusy()
    onAsk(incoming)
  }

  #onCredit(id: Uint8Array, more: number): void {
    const ask = this.#incoming.get(b4a.toString(id, 'hex'))
    if (!ask) return this.#stray()
    const violation = ask.credit(more)
    if (violation !== null) throw SwarmError.BAD_PROTOCOL(violation)
  }

  #onCancel(id: Uint8Array, reason: string): void {
    const ask = this.#incoming.get(b4a.toString(id, 'hex'))
    if (!ask) return this.#stray()
    ask.cancel(SwarmError.CANCELLED(`the asking peer cancelled: ${reason}`))
  }

  #onError(id: Uint8Array, code: string, detail: string): void {
    if (!b4a.equals(id, SESSION_ID)) return this.#outgoingOf(id)?.onError(code, detail)
    // About the session as a whole. Only the refusals of politeness leave it standing.
    if (code === 'UNSUPPORTED') return
    this.#close(SwarmError.PEER_LOST(`the peer ended the session: ${code}`))
    this.#endStream()
  }

  #endStream(): void {
    this.stream.end()
    const timer = setTimeout(() => this.stream.destroy(), END_MS)
    this.stream.once('close', () => clearTimeout(timer))
  }

  #outgoingOf(id: Uint8Array): OutgoingAsk | undefined {
    const ask = this.#outgoing.get(b4a.toString(id, 'hex'))
    if (!ask) this.#stray()
    return ask
  }

  #stray(): void {
    if (this.#limited('stray', STRAY_RATE) !== null) throw SwarmError.FLOODED('messages for no request')
  }

  #unsupported(id: Uint8Array, what: string): void {
    if (this.#limited('challenge', CHALLENGE_RATE) !== null) return
    this.#send(this.#messages.error, { id, code: 'UNSUPPORTED', detail: `This node does not take ${what}.` })
  }

  #limited(what: Limited, rate: Rate): number | null {
    const { state, retryAfterMs } = take(rate, this.#rates[what], this.#host.now())
    this.#rates[what] = state
    return retryAfterMs
  }

  #outgoingEnded(hex: string): void {
    this.#outgoing.delete(hex)
    this.#waiting.shift()?.()
    this.#tickWhileBusy()
  }

  /** What is sent within one turn of the event loop leaves in one write. */
  #send<T>(message: Message<T>, value: T): void {
    if (this.#closed) return
    if (!this.#corked) {
      this.#corked = true
      this.#channel.cork()
      setImmediate(() => this.#flush())
    }
    message.send(value)
  }

  #schedule(ask: SessionIncomingAsk): void {
    this.#dirty.add(ask)
    if (this.#corked) return
    this.#corked = true
    this.#channel.cork()
    setImmediate(() => this.#flush())
  }

  #flush(): void {
    for (const ask of this.#dirty) ask.flush()
    this.#dirty.clear()
    this.#uncork()
  }

  #uncork(): void {
    if (!this.#corked) return
    this.#corked = false
    this.#channel.uncork()
  }

  #sendLarge(ask: Ask): void {
    this.#uncork()
    if (this.#closed) return
    if (this.#mux.corked === 0) this.#messages.ask.send(ask)
    else setImmediate(() => this.#sendLarge(ask))
  }

  #tickWhileBusy(): void {
    const busy = this.#incoming.size > 0 || this.#outgoing.size > 0
    if (busy && !this.#ticker && !this.#closed) this.#ticker = setInterval(() => this.#tick(), TICK_MS)
    if ((!busy || this.#closed) && this.#ticker) {
      clearInterval(this.#ticker)
      this.#ticker = null
    }
  }

  #tick(): void {
    const now = this.#host.now()
    for (const ask of this.#incoming.values()) ask.tick(now)
    for (const ask of this.#outgoing.values()) ask.tick()
  }

  #close(reason: SwarmError, byPeer = false): void {
    if (this.#closed) return
    this.#closed = true
    this.#uncork()
    clearTimeout(this.#helloTimer)
    for (const ask of this.#incoming.values()) ask.cancel(reason)
    for (const ask of this.#outgoing.values()) ask.lose(reason, byPeer)
    for (const wake of this.#waiting.splice(0)) wake()
    this.#tickWhileBusy()
    this.#host.onClose(this)
  }
}
