/** All asks of one peer: admits them or says why not, opens their seals, and finds them again for credit and cancel. */
import b4a from 'b4a'
import type { KeyPair } from '../crypto.js'
import { SwarmError } from '../errors.js'
import type { IncomingAsk, Offer, RefusalCode, ShownPayment } from '../port.js'
import { claimOf } from '../proof.js'
import type { Parties } from '../proof.js'
import { openAsk } from '../sealing.js'
import type { Ask } from '../wire/ask.js'
import type { Cancel } from '../wire/cancel.js'
import type { Allowance } from './allowance.js'
import { SessionIncomingAsk } from './incoming-ask.js'
import type { Line } from './line.js'

/** Asks of one peer at a time. */
export const MAX_INCOMING = 32
/** Asks that are over and wait for a receipt or the signature under it, ten seconds at most; the oldest go first. */
export const MAX_LATE = 1024

export interface ProviderSide {
  readonly network: Uint8Array
  readonly boxKeyPair: KeyPair | null
  now(): number
  ownOffer(id: Uint8Array): Offer | null
  readonly onAsk: ((ask: IncomingAsk) => void) | null
  /** Vouchers are taken. */
  readonly isPaid: boolean
}

export class IncomingAsks {
  /** Asks taken since the session began. */
  total = 0
  #peer: Uint8Array
  #side: ProviderSide
  #line: Line
  #allowance: Allowance
  #onChange: () => void
  #asks = new Map<string, SessionIncomingAsk>()
  #late = new Map<string, SessionIncomingAsk>()
  #dirty = new Set<SessionIncomingAsk>()

  /** `onChange`: an ask came or went. */
  constructor(peer: Uint8Array, side: ProviderSide, line: Line, allowance: Allowance, onChange: () => void) {
    this.#peer = peer
    this.#side = side
    this.#line = line
    this.#allowance = allowance
    this.#onChange = onChange
  }

  get size(): number {
    return this.#asks.size
  }

  /** Over, and a receipt or its signature may follow. */
  get late(): number {
    return this.#late.size
  }

  /** Throws what the peer did wrong. */
  onAsk(ask: Ask): void {
    const key = hex(ask.id)
    if (this.#asks.has(key) || this.#late.has(key)) throw SwarmError.BAD_PROTOCOL('one request id for two asks')
    const id = b4a.from(ask.id)
    const { onAsk, boxKeyPair } = this.#side
    if (this.#asks.size >= MAX_INCOMING) {
      return this.#refuse(id, 'BUSY', `At most ${MAX_INCOMING} requests of one peer at a time.`, 500)
    }
    const wait = this.#allowance.wait('asks')
    if (wait !== null) return this.#refuse(id, 'RATE_LIMITED', 'Too many requests from this peer.', wait)
    const offer = this.#side.ownOffer(ask.offerId)
    if (!onAsk || !boxKeyPair || !offer)
      return this.#refuse(id, 'OFFER_UNKNOWN', 'That offer has expired or was withdrawn.')
    if (!b4a.equals(offer.modelRoot, ask.modelRoot)) throw SwarmError.BAD_PROTOCOL('the offer is for another model')
    if (ask.payment && !this.#side.isPaid) return this.#refuse(id, 'UNSUPPORTED', 'This provider takes no payments.')
    const { network } = this.#side
    const party = { network, consumer: this.#peer, session: this.#line.stream.handshakeHash }
    const { body, keys, response } = openAsk(ask, boxKeyPair, party)
    const resumed = body.kind === 'generate' ? body.resume.length : 0
    if (resumed !== ask.resume) throw SwarmError.BAD_PROTOCOL('two resume points in one ask')
    const { maxTokens, maxCost, deadlineMs, credit } = ask
    const limits = { maxTokens, maxCost, deadlineMs }
    const payment = paymentOf(ask, { ...party, provider: this.#line.stream.publicKey })
    const options = { id, peer: this.#peer, offer, body, limits, keys, payment, credit, response }
    const incoming = new SessionIncomingAsk(options, {
      wire: this.#line,
      now: () => this.#side.now(),
      schedule: (one) => {
        this.#dirty.add(one)
        this.#line.later()
      },
      ended: (one) => {
        this.#asks.delete(key)
        if (one.isLate) this.#keep(key, one)
        this.#onChange()
      },
      forgotten: (one) => {
        one.forget()
        this.#late.delete(key)
        this.#onChange()
      },
    })
    this.#asks.set(key, incoming)
    this.total++
    this.#onChange()
    onAsk(incoming)
  }

  /** Throws what the peer did wrong. */
  onCredit(id: Uint8Array, more: number): void {
    const ask = this.#asks.get(hex(id))
    if (!ask) return this.#allowance.stray()
    const violation = ask.credit(more)
    if (violation !== null) throw SwarmError.BAD_PROTOCOL(violation)
  }

  onCancel({ id, reason, taken }: Cancel): void {
    const ask = this.#asks.get(hex(id))
    if (!ask) return this.#allowance.stray()
    const violation = ask.cancel(SwarmError.CANCELLED(`the asking peer cancelled: ${reason}`), taken)
    if (violation !== null) throw SwarmError.BAD_PROTOCOL(violation)
  }

  onCountersign(id: Uint8Array, signature: Uint8Array): void {
    const key = hex(id)
    const ask = this.#late.get(key) ?? this.#asks.get(key)
    if (!ask) return this.#allowance.stray()
    const violation = ask.countersign(b4a.from(signature))
    if (violation !== null) throw SwarmError.BAD_PROTOCOL(violation)
  }

  /** The end of a turn: what was produced in it goes out together. */
  flush(): void {
    for (const ask of this.#dirty) ask.flush()
    this.#dirty.clear()
  }

  drained(): void {
    for (const ask of this.#asks.values()) ask.flush()
  }

  tick(): void {
    const now = this.#side.now()
    for (const ask of this.#asks.values()) ask.tick(now)
    for (const ask of this.#late.values()) ask.tick(now)
  }

  /** The session is over. */
  cancelAll(reason: SwarmError): void {
    for (const ask of this.#asks.values()) ask.cancel(reason, null)
    for (const ask of this.#late.values()) ask.forget()
    this.#late.clear()
  }

  #keep(key: string, ask: SessionIncomingAsk): void {
    this.#late.set(key, ask)
    const [oldest] = this.#late
    if (!oldest || this.#late.size <= MAX_LATE) return
    this.#late.delete(oldest[0])
    oldest[1].forget()
  }

  #refuse(id: Uint8Array, code: RefusalCode, detail: string, retryAfterMs: number | null = null): void {
    this.#line.send('answer', { kind: 'refused', id, code, retryAfterMs, detail })
  }
}

/** Whether the proof holds only the chain or the ledger can tell, who know whose key it must be. */
function paymentOf({ payment }: Ask, parties: Parties): ShownPayment | null {
  if (!payment) return null
  const shown = { claim: claimOf(payment, parties), proof: b4a.from(payment.proof) }
  if (payment.kind === 'order')
    return { kind: 'order', order: b4a.from(payment.order), salt: b4a.from(payment.salt), ...shown }
  const channel = b4a.from(payment.channel)
  const { voucher } = payment
  return {
    kind: 'channel',
    channel,
    voucher: voucher && { ...voucher, channel, signature: b4a.from(voucher.signature) },
    ...shown,
  }
}

function hex(bytes: Uint8Array): string {
  return b4a.toString(bytes, 'hex')
}
