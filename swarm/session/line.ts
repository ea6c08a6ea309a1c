/**
 * The wire end of a session: one protomux channel with its table of messages. Knows no asks and no rules; it packs what
 * is sent within one turn of the event loop into one write, and hands over what arrives, decoded or as the error it is.
 */
import Protomux from 'protomux'
import type { Channel, Message } from 'protomux'
import type { NoiseStream } from 'hyperswarm'
import { SwarmError } from '../errors.js'
import { answerMessage } from '../wire/answer.js'
import { askMessage } from '../wire/ask.js'
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
import { offersMessage } from '../wire/offers.js'
import { progressMessage } from '../wire/progress.js'
import { receiptMessage } from '../wire/receipt.js'
import { termsMessage } from '../wire/terms.js'
import { tokensMessage } from '../wire/tokens.js'
import { voucherMessage } from '../wire/voucher.js'

export const PROTOCOL = 'swarmd/1'

/** The messages in the order of the protocol: append, never reorder. */
export const MESSAGES = {
  hello: helloMessage,
  offers: offersMessage,
  ask: askMessage,
  answer: answerMessage,
  progress: progressMessage,
  tokens: tokensMessage,
  credit: creditMessage,
  voucher: voucherMessage,
  done: doneMessage,
  countersign: countersignMessage,
  cancel: cancelMessage,
  challenge: challengeMessage,
  error: errorMessage,
  terms: termsMessage,
  receipt: receiptMessage,
} as const

type Name = keyof typeof MESSAGES
type ValueOf<K extends Name> = (typeof MESSAGES)[K] extends WireMessage<infer T> ? T : never

/** Larger messages travel alone: protomux would join them with others into one write above the stream's limit. */
const LARGE_BYTES = 65_536
/** A peer that does not close its half of the socket is cut off. */
const END_MS = 1000
const NOTHING = new Uint8Array(0)

export interface LineHandlers {
  readonly on: { readonly [K in Name]: (value: ValueOf<K>) => void }
  /** Before anything of `name` is decoded; throws when it must not come now. */
  expect(name: Name): void
  /** What `expect`, the decoder or a handler threw. */
  violated(error: SwarmError): void
  /** At the end of the turn, before the write. */
  flush(): void
  drained(): void
  /** The peer closed the channel, or the socket is gone. */
  closed(): void
}

export class Line {
  readonly stream: NoiseStream
  readonly #mux: Protomux
  readonly #channel: Channel
  readonly #table: { readonly [K in Name]: Message<ValueOf<K>> }
  #handlers: LineHandlers | null = null
  #corked = false
  #open = true

  /** Null when the stream is gone already, or such a channel is open on it. Call `start` next. */
  static open(stream: NoiseStream): Line | null {
    const mux = Protomux.from(stream)
    let line: Line | null = null
    const channel = mux.createChannel({
      protocol: PROTOCOL,
      onclose: () => line?.onClose(),
      ondrain: () => line?.onDrain(),
    })
    if (!channel) return null
    line = new Line(stream, mux, channel)
    return line
  }

  private constructor(stream: NoiseStream, mux: Protomux, channel: Channel) {
    this.stream = stream
    this.#mux = mux
    this.#channel = channel
    const add = <K extends Name>(name: K): Message<ValueOf<K>> => this.#add(name)
    // Protomux numbers messages in the order in which they are added.
    this.#table = {
      hello: add('hello'),
      offers: add('offers'),
      ask: add('ask'),
      answer: add('answer'),
      progress: add('progress'),
      tokens: add('tokens'),
      credit: add('credit'),
      voucher: add('voucher'),
      done: add('done'),
      countersign: add('countersign'),
      cancel: add('cancel'),
      challenge: add('challenge'),
      error: add('error'),
      terms: add('terms'),
      receipt: add('receipt'),
    }
  }

  start(handlers: LineHandlers): void {
    this.#handlers = handlers
    this.#channel.open()
  }

  /** False while the socket's buffer is full. */
  get drained(): boolean {
    return this.#channel.drained
  }

  send<K extends Name>(name: K, value: ValueOf<K>): void {
    if (!this.#open) return
    this.later()
    this.#table[name].send(value)
  }

  sendAsk(ask: Ask): void {
    if (ask.body.byteLength <= LARGE_BYTES) return this.send('ask', ask)
    this.#uncork()
    if (!this.#open) return
    if (this.#mux.corked === 0) this.#table.ask.send(ask)
    else setImmediate(() => this.sendAsk(ask))
  }

  /** Calls `flush` at the end of this turn. */
  later(): void {
    if (this.#corked || !this.#open) return
    this.#corked = true
    this.#channel.cork()
    setImmediate(() => {
      this.#handlers?.flush()
      this.#uncork()
    })
  }

  /** What was sent still goes out, then the socket ends; at once, if the peer is thought to be dead. */
  close(dead: boolean): void {
    if (!this.#open) return
    this.#uncork()
    this.#open = false
    if (dead) return this.stream.destroy()
    this.stream.end()
    const timer = setTimeout(() => this.stream.destroy(), END_MS)
    this.stream.once('close', () => clearTimeout(timer))
  }

  onClose(): void {
    this.#handlers?.closed()
  }

  onDrain(): void {
    this.#handlers?.drained()
  }

  #uncork(): void {
    if (!this.#corked) return
    this.#corked = false
    this.#channel.uncork()
  }

  #add<K extends Name>(name: K): Message<ValueOf<K>> {
    const wire = MESSAGES[name] as unknown as WireMessage<ValueOf<K>>
    return this.#channel.addMessage<ValueOf<K>, Uint8Array>({
      encoding: {
        preencode: wire.preencode,
        encode: wire.encode,
        // Decoded below, so that a bad message is answered with a code instead of a dropped socket.
        decode: (state) => {
          const bytes = state.buffer ? state.buffer.subarray(state.start, state.end) : NOTHING
          state.start = state.end
          return bytes
        },
      },
      onmessage: (bytes) => {
        const handlers = this.#handlers
        if (!this.#open || !handlers) return
        try {
          handlers.expect(name)
          handlers.on[name](decode(wire, bytes))
        } catch (error) {
          if (!(error instanceof SwarmError)) throw error
          handlers.violated(error)
        }
      },
    })
  }
}
