/** All asks to one peer: seals and sends them, and finds them again for what comes back. */
import b4a from 'b4a'
import { randomBytes } from '../crypto.js'
import { SwarmError } from '../errors.js'
import type { AskBody, AskLimits, Offer } from '../port.js'
import { sealAsk } from '../sealing.js'
import { MAX_DEADLINE_MS, REQUEST_ID_BYTES } from '../wire/ask.js'
import type { Allowance } from './allowance.js'
import type { Line } from './line.js'
import { OutgoingAsk, WINDOW } from './outgoing-ask.js'

/** Asks to one peer at a time. */
export const MAX_OUTGOING = 32
/** Asks that wait here for a place; above that the caller is told. */
export const MAX_WAITING = 1024

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

  /** Waits for a place when there is none. Throws `PEER_LOST`, `BUSY`, `OUT_OF_BOUNDS`. */
  async ask(offer: Offer, body: AskBody, limits: AskLimits, signal: AbortSignal): Promise<OutgoingAsk> {
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
    return this.#send(offer, body, limits)
  }

  /** The ask a message belongs to; messages for none are bounded, and throw `FLOODED` above that. */
  find(id: Uint8Array): OutgoingAsk | undefined {
    const ask = this.#asks.get(b4a.toString(id, 'hex'))
    if (!ask) this.#allowance.stray()
    return ask
  }

  tick(): void {
    for (const ask of this.#asks.values()) ask.tick()
  }

  /** The session is over; `closed`: somebody closed it, as opposed to silence. */
  loseAll(reason: SwarmError, closed: boolean): void {
    this.#closed = true
    for (const ask of this.#asks.values()) ask.lose(reason, closed)
    for (const wake of this.#waiting.splice(0)) wake()
  }

  #send(offer: Offer, body: AskBody, limits: AskLimits): OutgoingAsk {
    const id = randomBytes(REQUEST_ID_BYTES)
    const head = {
      id,
      modelRoot: offer.modelRoot,
      offerId: offer.id,
      maxTokens: limits.maxTokens,
      maxCost: limits.maxCost,
      deadlineMs: Math.min(MAX_DEADLINE_MS, Math.max(1, Math.round(limits.deadlineMs))),
      resume: body.kind === 'generate' ? body.resume.length : 0,
      credit: WINDOW,
      payment: null,
    }
    const { network, publicKey } = this.#side
    const { ask, response } = sealAsk(head, body, offer.boxKey, { network, consumer: publicKey })
    const key = b4a.toString(id, 'hex')
    const outgoing = new OutgoingAsk(id, body, limits.maxTokens, response, {
      credit: (message) => this.#line.send('credit', message),
      cancel: (message) => this.#line.send('cancel', message),
      ended: () => this.#ended(key),
      violated: (error) => this.#hooks.violated(error),
      lost: () => this.#hooks.lost(),
    })
    this.#asks.set(key, outgoing)
    this.total++
    this.#hooks.changed()
    this.#line.sendAsk(ask)
    return outgoing
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

  #ended(key: string): void {
    this.#asks.delete(key)
    this.#waiting.shift()?.()
    this.#hooks.changed()
  }
}
