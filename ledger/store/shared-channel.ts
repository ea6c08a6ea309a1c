/**
 * The channel `swarmd/ledger/1` on a connection: answers what the peer may have, and asks for what this node wants back.
 * One question at a time each way; whoever asks faster, or says what cannot be read, loses the channel and nothing else.
 */
import safetyCatch from 'safety-catch'
import c from 'compact-encoding'
import type { KeyPair } from '../crypto.js'
import { LedgerError } from '../errors.js'
import { claimTo } from './claims.js'
import type { Ends } from './claims.js'
import {
  decodeClaim,
  decodeHeld,
  decodePart,
  decodeWant,
  encodeClaim,
  encodeHeld,
  encodePart,
  encodeWant,
  MAX_SHARED,
} from './shared.js'
import type { Part, Want } from './shared.js'
import { SharedAnswers } from './shared-answers.js'
import type { SharedSource } from './shared-answers.js'
import { assertShared } from './shared-checks.js'
import type { Turns } from './turns.js'

const PROTOCOL = 'swarmd/ledger/1'

/** Message numbers. */
const ASK = { part: 0, claim: 2 } as const
const ANSWER = { part: 1, held: 3 } as const

/** What we use of a protomux, which swarm/ owns. */
export interface Mux {
  createChannel(options: {
    readonly protocol: string
    readonly messages: readonly { readonly encoding: unknown; readonly onmessage: (message: Uint8Array) => unknown }[]
    readonly onclose: () => void
  }): MuxChannel | null
}

interface MuxChannel {
  readonly messages: readonly { send(message: Uint8Array): boolean }[]
  open(): void
  close(): void
}

export interface SharedChannelOptions {
  readonly source: SharedSource
  /** This node's key on the connection, and the peer's: both are proven by the handshake, which has a name of 64 bytes. */
  readonly own: Uint8Array
  readonly peer: Uint8Array
  readonly handshake: Uint8Array
  /** The same for all connections of a node. */
  readonly turns: Turns
}

export class SharedChannel {
  readonly #ends: { readonly asking: Ends; readonly answering: Ends }
  readonly #answers: SharedAnswers
  readonly #turns: Turns
  readonly #channel: MuxChannel | null
  #answering = false
  #closed = false
  #waiting: { readonly answer: number; take(message: Uint8Array): void; reject(error: Error): void } | null = null

  /** Both sides open it; nothing travels before somebody asks. */
  constructor(mux: Mux, { source, own, peer, handshake, turns }: SharedChannelOptions) {
    this.#ends = {
      asking: { asker: own, answerer: peer, handshake },
      answering: { asker: peer, answerer: own, handshake },
    }
    this.#answers = new SharedAnswers(source, this.#ends.answering)
    this.#turns = turns
    this.#channel = mux.createChannel({
      protocol: PROTOCOL,
      messages: [
        { encoding: c.buffer, onmessage: (message) => this.#answer(ANSWER.part, () => this.#part(message)) },
        { encoding: c.buffer, onmessage: (message) => this.#take(ANSWER.part, message) },
        { encoding: c.buffer, onmessage: (message) => this.#answer(ANSWER.held, () => this.#held(message)) },
        { encoding: c.buffer, onmessage: (message) => this.#take(ANSWER.held, message) },
      ],
      onclose: () => this.#end(),
    })
    this.#closed = this.#channel === null
    this.#channel?.open()
  }

  /** Nothing can be asked any more. */
  get closed(): boolean {
    return this.#closed
  }

  /**
   * Of these keys of earlier runs, the ones with which the peer has transactions: at most 128 at a time. The peer learns
   * that all of them have one owner. Throws `STORE_CLOSED`, and `BAD_ENCODING` for an answer that names others.
   */
  async claim(keys: readonly KeyPair[]): Promise<KeyPair[]> {
    const claims = keys.map((pair) => claimTo(pair, this.#ends.asking))
    const places = await this.#ask(ASK.claim, encodeClaim(claims), ANSWER.held, decodeHeld)
    return [...new Set(places)].map((place) => {
      const key = keys[place]
      if (!key) throw LedgerError.BAD_ENCODING('a key that was not claimed')
      return key
    })
  }

  /**
   * The transactions with this peer, as the peer keeps them, oldest first. `whose`: a claimed key, null = the one of the
   * connection. Every entry is checked. Throws `STORE_CLOSED` when the channel ends first, and what `assertShared` throws.
   */
  async ask({ whose = null, after = null, most = MAX_SHARED }: Partial<Want> = {}): Promise<Part> {
    const part = await this.#ask(ASK.part, encodeWant({ whose, after, most }), ANSWER.part, decodePart)
    const { asker, answerer } = this.#ends.asking
    for (const entry of part.entries) assertShared(entry, whose ?? asker, answerer)
    // What says there is more and gives nothing would be asked for ever.
    if (part.more && part.entries.length === 0) throw LedgerError.BAD_ENCODING('an empty part before the last')
    return part
  }

  close(): void {
    this.#channel?.close()
    this.#end()
  }

  async #ask<T>(question: number, bytes: Uint8Array, answer: number, read: (bytes: Uint8Array) => T): Promise<T> {
    if (this.#closed || this.#waiting) throw LedgerError.STORE_CLOSED('the channel to the other log, or it is busy,')
    const answered = new Promise<T>((resolve, reject) => {
      this.#waiting = { answer, take: (message) => resolve(read(message)), reject }
    })
    this.#channel?.messages[question]?.send(bytes)
    return answered
  }

  async #part(message: Uint8Array): Promise<Uint8Array> {
    return encodePart(await this.#answers.part(decodeWant(message)))
  }

  async #held(message: Uint8Array): Promise<Uint8Array> {
    return encodeHeld(await this.#answers.held(decodeClaim(message)))
  }

  #answer(number: number, work: () => Promise<Uint8Array>): void {
    if (this.#answering) return this.close()
    this.#answering = true
    this.#turns
      .take(async () => {
        if (this.#closed) return
        const answer = await work()
        this.#answering = false
        if (!this.#closed) this.#channel?.messages[number]?.send(answer)
      })
      .catch(() => this.close())
      .catch(safetyCatch)
  }

  #take(number: number, message: Uint8Array): void {
    const waiting = this.#waiting
    this.#waiting = null
    try {
      if (waiting?.answer !== number) throw LedgerError.BAD_ENCODING('an answer to no question')
      waiting.take(message)
    } catch (error) {
      waiting?.reject(error instanceof Error ? error : LedgerError.BAD_ENCODING('an answer that cannot be read'))
      this.close()
    }
  }

  #end(): void {
    this.#closed = true
    this.#waiting?.reject(LedgerError.STORE_CLOSED('the channel to the other log'))
    this.#waiting = null
  }
}
