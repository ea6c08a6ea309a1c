/** All asks to one peer: seals and sends them, and finds them again for what comes back. */
import b4a from 'b4a'
import { SwarmError } from '../errors.js'
import type { AskOptions } from '../port.js'
import { paymentOf } from '../proof.js'
import type { Parties } from '../proof.js'
import { sealAsk } from '../sealing.js'
import { MAX_DEADLINE_MS } from '../wire/ask.js'
import type { Allowance } from './allowance.js'
import type { Line } from './line.js'
import { OutgoingAsk, WINDOW } from './outgoing-ask.js'

/** Asks to one peer at a time. */
export const MAX_OUTGOING = 32
/** Asks that wait here for a place; above that the caller is told. */
export const MAX_WAITING = 1024
/** Asks that ended without `done` and may still get a receipt, ten seconds at most; the oldest go first. */
export const MAX_LATE = 1024

export interface ConsumerSide {
  readonly network: Uint8Array
  readonly publicKey: Uint8Array
}

/** What the asks mean for their session. */
export interface OutgoingHooks {
  /** An ask came or went. */
  changed(): void
  violated(error: SwarmError): void
  lost(): void
}

export class OutgoingAsks {
  /** Asks sent since the session began. */
  total = 0
  #side: ConsumerSide
  #line: Line
  #allowance: Allowance
  #hooks: OutgoingHooks
  #asks = new Map<string, OutgoingAsk>()
  #late = new Map<string, OutgoingAsk>()
  #waiting: (() => void)[] = []
  #closed = false

  constructor(side: ConsumerSide, line: Line, allowance: Allowance, hooks: OutgoingHooks) {
    this.#side = side
    this.#line = line
    this.#allowance = allowance
    this.#hooks = hooks
  }

  /** In flight. */
  get size(): number {
    return this.#asks.size
  }

  /** Over, and a receipt may follow. */
  get late(): number {
    return this.#late.size
  }

  /** Waits for a place when there is none. Throws `PEER_LOST`, `BUSY`, `OUT_OF_BOUNDS`. */
  async ask(options: AskOptions, signal: AbortSignal): Promise<OutgoingAsk> {
    if (this.#waiting.length >= MAX_WAITING) {
      throw SwarmError.refused('BUSY', 'Too many requests wait for this provider.', 1000)
    }
    while (this.#asks.size >= MAX_OUTGOING && !this.#closed && !signal.aborted) await this.#place(signal)
    if (this.#closed) throw SwarmError.PEER_LOST('the connection closed')
    if (signal.aborted) {
      // The place it was woken for is somebody else's now.
      this.#waiting.shift()?.()
      throw SwarmError.CANCELLED()
    }
    return this.#send(options)
  }

  /** The ask a message belongs to; messages for none are bounded, and throw `FLOODED` above that. */
  find(id: Uint8Array): OutgoingAsk | undefined {
    const ask = this.#asks.get(hex(id))
    if (!ask) this.#allowance.stray()
    return ask
  }

  /** For an ask that is over; one that never was, or long ago, is a stray. */
  onReceipt(id: Uint8Array, receipt: Uint8Array): void {
    const ask = this.#late.get(hex(id)) ?? this.find(id)
    ask?.onReceipt(receipt)
  }

  /** Something about a channel, e.g. a voucher that was not taken: ends the asks that it pays for. */
  onChannelError(prefix: Uint8Array, code: string): void {
    const reason = SwarmError.refused('PAYMENT_REQUIRED', `the provider did not take the voucher: ${code}`)
    let known = false
    for (const ask of this.#asks.values()) {
      if (!ask.channel || !b4a.equals(ask.channel.subarray(0, prefix.byteLength), prefix)) continue
      known = true
      ask.cancel(reason)
    }
    if (!known) this.#allowance.stray()
  }

  has(id: Uint8Array): boolean {
    return this.#asks.has(hex(id))
  }

  tick(): void {
    for (const ask of this.#asks.values()) ask.tick()
    for (const ask of this.#late.values()) ask.tick()
  }

  /** The session is over; `closed`: somebody closed it, as opposed to silence. */
  loseAll(reason: SwarmError, closed: boolean): void {
    this.#closed = true
    for (const ask of this.#asks.values()) ask.lose(reason, closed)
    this.#late.clear()
    for (const wake of this.#waiting.splice(0)) wake()
  }

  #send(options: AskOptions): OutgoingAsk {
    const { id, offer, body, limits, keys } = options
    const key = hex(id)
    if (this.#asks.has(key) || this.#late.has(key)) throw SwarmError.OUT_OF_BOUNDS('one request id for two asks')
    const parties = this.#parties()
    const head = {
      id,
      modelRoot: offer.modelRoot,
      offerId: offer.id,
      maxTokens: limits.maxTokens,
      maxCost: limits.maxCost,
      deadlineMs: Math.min(MAX_DEADLINE_MS, Math.max(1, Math.round(limits.deadlineMs))),
      resume: body.kind === 'generate' ? body.resume.length : 0,
      credit: WINDOW,
      payment: options.payment && paymentOf(options.payment, parties),
    }
    const { ask, response } = sealAsk(head, body, keys, parties)
    const outgoing = new OutgoingAsk(options, response, {
      credit: (message) => this.#line.send('credit', message),
      cancel: (message) => this.#line.send('cancel', message),
      ended: (one) => this.#ended(key, one),
      forgotten: () => this.#forget(key),
      violated: (error) => this.#hooks.violated(error),
      lost: () => this.#hooks.lost(),
    })
    this.#asks.set(key, outgoing)
    this.total++
    this.#hooks.changed()
    this.#line.sendAsk(ask)
    return outgoing
  }

  /** Read with each ask: there is no handshake yet when a session begins. */
  #parties(): Parties {
    const { network, publicKey } = this.#side
    const { remotePublicKey, handshakeHash } = this.#line.stream
    return { network, consumer: publicKey, provider: remotePublicKey, session: handshakeHash }
  }

  #place(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal.removeEventListener('abort', wake)
        resolve()
      }
      this.#waiting.push(wake)
      signal.addEventListener('abort', wake, { once: true })
    })
  }

  #ended(key: string, ask: OutgoingAsk): void {
    this.#asks.delete(key)
    if (ask.isLate && !this.#closed) this.#keep(key, ask)
    this.#waiting.shift()?.()
    this.#hooks.changed()
  }

  #keep(key: string, ask: OutgoingAsk): void {
    this.#late.set(key, ask)
    const [oldest] = this.#late.keys()
    if (oldest !== undefined && this.#late.size > MAX_LATE) this.#late.delete(oldest)
  }

  #forget(key: string): void {
    this.#late.delete(key)
    this.#hooks.changed()
  }
}

function hex(bytes: Uint8Array): string {
  return b4a.toString(bytes, 'hex')
}
