/**
 * One peer. Routes messages to the asks they belong to; decides nothing that the pure rules beside it can decide.
 *
 * hello first, from both sides and without waiting for the other's; then anything.
 */
import b4a from 'b4a'
import type { NoiseStream } from 'hyperswarm'
import type { KeyPair } from '../crypto.js'
import { SwarmError } from '../errors.js'
import type { AskOptions, IncomingAsk, Offer, SignedPayment } from '../port.js'
import { shortDetail } from '../wire/answer.js'
import { REQUEST_ID_BYTES } from '../wire/ask.js'
import type { Hello } from '../wire/hello.js'
import type { Envelope } from '../wire/offer.js'
import { Allowance } from './allowance.js'
import { IncomingAsks } from './incoming-asks.js'
import { Line } from './line.js'
import type { OutgoingAsk } from './outgoing-ask.js'
import { OutgoingAsks } from './outgoing-asks.js'
import { TICK_MS } from './outgoing.js'
import { STILL, stepPulse } from './pulse.js'
import type { Pulse } from './pulse.js'
import { Vouchers } from './vouchers.js'

export const PROTOCOL_VERSION = 1
const HELLO_MS = 10_000
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
  /** Resolves when the voucher is durable; null: this node takes none. */
  readonly onVoucher: ((peer: Uint8Array, voucher: SignedPayment) => Promise<void>) | null
  onHello(session: Session): void
  onOffers(session: Session, offers: readonly Envelope[]): void
  /** The peer did wrong. True: once too often, it is banned now. */
  onStrike(session: Session): boolean
  /** `PEER_LOST`: the peer went, said so or not. */
  onClose(session: Session, reason: SwarmError): void
}

export class Session {
  readonly key: Uint8Array
  readonly keyHex: string
  readonly since: number
  /** The peer's first offers have come; an empty list counts. */
  settled = false
  /** The code with which the peer ended the session; null = it did not. */
  dismissal: string | null = null
  /** How far the peer's clock was ahead of ours at hello; null before. */
  clockSkewMs: number | null = null
  #host: SessionHost
  #line: Line
  #allowance: Allowance
  #incoming: IncomingAsks
  #outgoing: OutgoingAsks
  #vouchers: Vouchers
  #hello: Hello | null = null
  #closed = false
  #ticker: NodeJS.Timeout | null = null
  #pulse: Pulse = STILL
  #idleSince: number | null
  #helloTimer: NodeJS.Timeout

  /** Null when the stream is gone already, or the peer has such a channel open. */
  static open(stream: NoiseStream, host: SessionHost): Session | null {
    const line = Line.open(stream)
    return line ? new Session(line, host) : null
  }

  private constructor(line: Line, host: SessionHost) {
    this.key = line.stream.remotePublicKey
    this.keyHex = hex(this.key)
    this.since = host.now()
    this.#idleSince = this.since
    this.#host = host
    this.#line = line
    this.#allowance = new Allowance(() => host.now())
    const { network, boxKeyPair, onAsk, onVoucher } = host
    const side = {
      network,
      boxKeyPair,
      onAsk,
      isPaid: onVoucher !== null,
      now: () => host.now(),
      ownOffer: (id: Uint8Array) => host.ownOffer(id),
    }
    this.#incoming = new IncomingAsks(this.key, side, line, this.#allowance, () => this.#tickWhileBusy())
    this.#outgoing = new OutgoingAsks(host, line, this.#allowance, {
      changed: () => this.#tickWhileBusy(),
      violated: (error) => this.violate(error),
      lost: () => this.destroy(SwarmError.PEER_LOST('the provider has been silent for 5 s')),
    })
    this.#vouchers = new Vouchers(
      {
        take: onVoucher && ((voucher) => onVoucher(this.key, voucher)),
        refused: (id, code, detail) => line.send('error', { id, code, detail: shortDetail(detail) }),
        strike: () => this.#strike(),
      },
      this.#allowance,
    )
    this.#helloTimer = setTimeout(() => this.destroy(SwarmError.HELLO_TIMEOUT()), HELLO_MS)
    line.start({
      on: {
        hello: (hello) => this.#onHello(hello),
        offers: ({ offers }) => this.#onOffers(offers),
        ask: (ask) => this.#incoming.onAsk(ask),
        answer: (message) => this.#outgoing.find(message.id)?.onAnswer(message),
        progress: (message) => this.#outgoing.find(message.id)?.onProgress(message),
        tokens: (message) => this.#outgoing.find(message.id)?.onTokens(message),
        credit: ({ id, more }) => this.#incoming.onCredit(id, more),
        voucher: (message) => this.#vouchers.onVoucher(message),
        done: (message) => this.#outgoing.find(message.id)?.onDone(message),
        countersign: ({ id, signature }) => this.#incoming.onCountersign(id, signature),
        cancel: (message) => this.#incoming.onCancel(message),
        challenge: (message) => {
          if (message.kind === 'challenge') this.#decline(message.id, 'challenges')
        },
        error: ({ id, code, detail }) => this.#onError(id, code, detail),
        terms: (message) => this.#outgoing.find(message.id)?.onTerms(message),
        receipt: ({ id, receipt }) => this.#outgoing.onReceipt(id, receipt),
      },
      expect: (name) => {
        if (this.#hello === null && name !== 'hello') throw SwarmError.BAD_PROTOCOL(`${name} before hello`)
      },
      violated: (error) => this.violate(error),
      flush: () => this.#incoming.flush(),
      drained: () => this.#incoming.drained(),
      closed: () => this.#close(SwarmError.PEER_LOST('the connection closed'), true),
    })
    line.send('hello', host.hello())
  }

  get stream(): NoiseStream {
    return this.#line.stream
  }

  get hello(): Hello | null {
    return this.#hello
  }

  /** Unix milliseconds since when nothing is in flight; null = something is. */
  get idleSince(): number | null {
    return this.#idleSince
  }

  get counters(): { readonly asksIn: number; readonly asksOut: number } {
    return { asksIn: this.#incoming.total, asksOut: this.#outgoing.total }
  }

  /** Asks in flight. */
  get load(): { readonly incoming: number; readonly outgoing: number } {
    return { incoming: this.#incoming.size, outgoing: this.#outgoing.size }
  }

  sendOffers(offers: readonly Envelope[]): void {
    this.#line.send('offers', { offers })
  }

  /** Waits for a place when too many are in flight. Throws the codes of `OutgoingAsks.ask`. */
  ask(options: AskOptions, signal: AbortSignal): Promise<OutgoingAsk> {
    return this.#outgoing.ask(options, signal)
  }

  pay(voucher: SignedPayment): void {
    this.#line.send('voucher', voucher)
  }

  countersign(id: Uint8Array, signature: Uint8Array): void {
    this.#line.send('countersign', { id, signature })
  }

  /** Ends the session because of what the peer did: tells it the code, and tells the node, who counts strikes. */
  violate(error: SwarmError): void {
    if (this.#closed) return
    this.#host.onStrike(this)
    this.destroy(error)
  }

  /** Ends the session; all its asks fail. The peer gets the code if its socket still takes it. */
  destroy(error: SwarmError): void {
    if (this.#closed) return
    const dead = error.code === 'PEER_LOST'
    if (!dead) this.#line.send('error', { id: SESSION_ID, code: error.code, detail: error.message.slice(0, 256) })
    this.#close(error, false)
    this.#line.close(dead)
  }

  #onHello(hello: Hello): void {
    if (this.#hello) throw SwarmError.BAD_PROTOCOL('hello twice')
    if (!b4a.equals(hello.network, this.#host.network)) return this.destroy(SwarmError.NETWORK_MISMATCH())
    if (!hello.versions.includes(PROTOCOL_VERSION)) return this.destroy(SwarmError.VERSION_MISMATCH())
    clearTimeout(this.#helloTimer)
    this.#hello = { ...hello, network: this.#host.network }
    this.clockSkewMs = hello.clock - Math.round(this.#host.now())
    this.#host.onHello(this)
  }

  #onOffers(offers: readonly Envelope[]): void {
    // Too much gossip is dropped, not answered: it will come again from others.
    if (this.#allowance.wait('offers') === null) this.#host.onOffers(this, offers)
  }

  #onError(id: Uint8Array, code: string, detail: string): void {
    if (!b4a.equals(id, SESSION_ID)) {
      if (this.#outgoing.has(id)) this.#outgoing.find(id)?.onError(code, detail)
      else this.#outgoing.onChannelError(id, code)
      return
    }
    // About the session as a whole. Only a polite refusal leaves it standing.
    if (code === 'UNSUPPORTED') return
    this.dismissal = code
    this.#close(SwarmError.PEER_LOST(`the peer ended the session: ${code}`), false)
    this.#line.close(false)
  }

  #decline(id: Uint8Array, what: string): void {
    if (this.#allowance.wait('challenges') !== null) return
    this.#line.send('error', { id, code: 'UNSUPPORTED', detail: `This node does not take ${what}.` })
  }

  /** A wrong that ends no session by itself. */
  #strike(): void {
    if (!this.#closed && this.#host.onStrike(this)) this.destroy(SwarmError.refused('BANNED', 'too many bad vouchers'))
  }

  #tickWhileBusy(): void {
    const inFlight = !this.#closed && (this.#incoming.size > 0 || this.#outgoing.size > 0)
    if (inFlight !== (this.#idleSince === null)) this.#idleSince = inFlight ? null : this.#host.now()
    const busy = inFlight || (!this.#closed && (this.#incoming.late > 0 || this.#outgoing.late > 0))
    if (busy === (this.#ticker !== null)) return
    if (this.#ticker) clearInterval(this.#ticker)
    this.#ticker = busy ? setInterval(() => this.#tick(), TICK_MS) : null
    this.#pulse = STILL
  }

  #tick(): void {
    this.#incoming.tick()
    this.#outgoing.tick()
    const { rawBytesRead, rawBytesWritten } = this.stream
    const { pulse, act } = stepPulse(this.#pulse, {
      read: rawBytesRead,
      written: rawBytesWritten,
      asking: this.#outgoing.size > 0,
      serving: this.#incoming.size > 0,
    })
    this.#pulse = pulse
    if (act === 'beat') this.stream.sendKeepAlive()
    if (act === 'lost') this.destroy(SwarmError.PEER_LOST('the asking peer has been silent for 6 s'))
  }

  #close(reason: SwarmError, byPeer: boolean): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#helloTimer)
    this.#incoming.cancelAll(reason)
    this.#outgoing.loseAll(reason, byPeer)
    this.#tickWhileBusy()
    this.#host.onClose(this, reason)
  }
}

function hex(bytes: Uint8Array): string {
  return b4a.toString(bytes, 'hex')
}
