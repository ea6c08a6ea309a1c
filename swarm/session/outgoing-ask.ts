/**
 * The consumer's end of one ask: an iterator that the session feeds. The rules are in outgoing.ts; here is only the
 * routing, the opening of seals, and the reader's queue, which credit bounds.
 */
import type { AnswerEvent, AskLimits, AskOptions, Offer } from '../port.js'
import type { ResponseSeal } from '../sealing.js'
import { SwarmError } from '../errors.js'
import type { Answer } from '../wire/answer.js'
import { endingMessage } from '../wire/done.js'
import type { Done } from '../wire/done.js'
import { frameMessage } from '../wire/frame.js'
import type { FrameBody } from '../wire/frame.js'
import type { Progress } from '../wire/progress.js'
import type { Terms } from '../wire/terms.js'
import type { Tokens } from '../wire/tokens.js'
import { asked, frameCost, MAX_POSITIONS, stepOutgoing } from './outgoing.js'
import type { Outgoing, OutgoingEvent, OutgoingStep } from './outgoing.js'
import type { OutgoingLine } from './outgoing-line.js'

type Asked = Pick<AskOptions, 'id' | 'offer' | 'body' | 'limits' | 'payment' | 'onLateReceipt'>

interface Item {
  readonly event: AnswerEvent
  readonly cost: number
  /** Output positions or vectors. */
  readonly count: number
}

interface Reader {
  resolve(result: IteratorResult<AnswerEvent, undefined>): void
  reject(error: unknown): void
}

const END: IteratorReturnResult<undefined> = { value: undefined, done: true }

/** Tokens that may be under way before the reader has taken any: at 20 ms of round trip, 25,000 tokens/s. */
export const WINDOW = 512

export class OutgoingAsk implements AsyncIterator<AnswerEvent, undefined> {
  readonly id: Uint8Array
  /** The channel that pays for it; null = free. */
  readonly channel: Uint8Array | null
  readonly #onReceipt: ((receipt: Uint8Array) => void) | null
  readonly #response: ResponseSeal
  readonly #line: OutgoingLine
  #state: Outgoing
  #queue: Item[] = []
  #reader: Reader | null = null
  #error: SwarmError | null = null
  #heard = false
  #mayRepeat = false

  constructor({ id, offer, body, limits, payment, onLateReceipt }: Asked, response: ResponseSeal, line: OutgoingLine) {
    this.id = id
    this.channel = payment?.kind === 'channel' ? payment.channel : null
    this.#onReceipt = onLateReceipt ?? null
    this.#response = response
    this.#line = line
    const paid = payment ? 'paid' : 'free'
    this.#state =
      body.kind === 'generate'
        ? asked('generate', body.resume.length, positionsOf(limits, offer), WINDOW, paid)
        : asked('embed', 0, body.inputs.length, WINDOW, paid)
  }

  /** Ended, and a receipt may still follow. */
  get isLate(): boolean {
    return this.#state.phase === 'ended' && this.#state.receipt === 'due' && this.#onReceipt !== null
  }

  /** The connection closed before the provider said a word about this ask: asking again costs nobody anything. */
  get mayRepeat(): boolean {
    return this.#mayRepeat
  }

  next(): Promise<IteratorResult<AnswerEvent, undefined>> {
    const item = this.#queue.shift()
    if (item) {
      if (item.cost > 0) this.#taken(item)
      return Promise.resolve({ value: item.event, done: false })
    }
    if (this.#error) {
      const error = this.#error
      this.#error = null
      return Promise.reject(error)
    }
    if (this.#state.phase === 'ended') return Promise.resolve(END)
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject }
    })
  }

  return(): Promise<IteratorResult<AnswerEvent, undefined>> {
    this.cancel(SwarmError.CANCELLED())
    this.#error = null
    this.#queue = []
    return Promise.resolve(END)
  }

  /** Ends it with `reason`; the provider is told at once. */
  cancel(reason: SwarmError): void {
    if (this.#step({ type: 'cancel' }).act !== 'cancel') return
    this.#line.cancel({ id: this.id, reason: reason.code, taken: this.#state.read })
    this.#fail(reason)
  }

  /** The session is gone; `closed`: somebody closed it, as opposed to silence. */
  lose(reason: SwarmError, closed: boolean): void {
    this.#mayRepeat = closed && !this.#heard
    if (this.#step({ type: 'failed' }).act === 'end') this.#fail(reason)
  }

  onAnswer(answer: Answer): void {
    if (answer.kind === 'refused') {
      if (this.#step({ type: 'refused' }).act !== 'end') return
      return this.#fail(SwarmError.refused(answer.code, answer.detail, answer.retryAfterMs))
    }
    if (this.#step({ type: 'accepted' }).act !== 'deliver') return
    this.#deliver({ type: 'accepted', queuePosition: answer.queuePosition })
  }

  onTerms({ promptTokens, cachedTokens, limit, window, ahead }: Terms): void {
    if (this.#step({ type: 'terms' }).act !== 'deliver') return
    this.#deliver({ type: 'terms', terms: { promptTokens, cachedTokens, limit, window, ahead } })
  }

  onProgress(progress: Progress): void {
    if (this.#step({ type: 'progress', kind: progress.kind }).act !== 'deliver') return
    if (progress.kind === 'queued') this.#deliver({ type: 'queued', position: progress.position })
    if (progress.kind === 'prefill') {
      this.#deliver({ type: 'prefill', done: progress.done, total: progress.total, cached: progress.cached })
    }
  }

  onTokens(message: Tokens): void {
    if (this.#state.phase === 'ended') return
    const { sequence, index, sealed } = message
    let body: FrameBody
    try {
      body = this.#response.open(frameMessage, sealed, 'tokens', index, sequence)
    } catch (error) {
      return this.#garbled(error)
    }
    const count = body.kind === 'text' ? body.tokens.length : body.vectors.length
    const cost = frameCost(count, sealed.byteLength)
    const kind = body.kind === 'text' ? 'generate' : 'embed'
    const text = body.kind === 'text' ? Buffer.byteLength(body.text) : 0
    if (this.#step({ type: 'frame', kind, sequence, index, count, cost, text }).act !== 'deliver') return
    if (body.kind === 'vectors') return this.#deliver({ type: 'vectors', index, vectors: body.vectors }, cost, count)
    const { channel, tokens, positions } = body
    this.#deliver({ type: 'tokens', index, tokens, channel, text: body.text, positions }, cost, count)
  }

  onDone(message: Done): void {
    if (this.#state.phase === 'ended') return
    const { sequence, finish, usage, providerMs } = message
    let stopText: string | null
    try {
      stopText = this.#response.open(endingMessage, message.sealed, 'done', 0, sequence).stopText
    } catch (error) {
      return this.#garbled(error)
    }
    if (this.#step({ type: 'done', sequence }).act !== 'end') return
    const receipt = message.receipt && Uint8Array.from(message.receipt)
    this.#deliver({ type: 'done', finish, stopText, usage, providerMs, receipt })
    this.#line.ended(this)
  }

  onError(code: string, detail: string): void {
    this.#heard = true
    if (this.#step({ type: 'failed' }).act === 'end') this.#fail(SwarmError.refused(code, detail))
  }

  /** The receipt of an ask that ended without `done`. */
  onReceipt(receipt: Uint8Array): void {
    if (this.#step({ type: 'receipt' }).act === 'deliver') this.#onReceipt?.(Uint8Array.from(receipt))
  }

  tick(): void {
    const { state, act } = stepOutgoing(this.#state, { type: 'tick' })
    if (act === 'lost') return this.#line.lost()
    this.#state = state
    if (act === 'forget') this.#line.forgotten(this)
  }

  #step(event: OutgoingEvent): Pick<OutgoingStep, 'act'> {
    this.#heard = this.#heard || (event.type !== 'cancel' && event.type !== 'failed' && event.type !== 'taken')
    const { state, act, violation } = stepOutgoing(this.#state, event)
    this.#state = state
    if (violation === null) return { act }
    const error = SwarmError.BAD_PROTOCOL(violation)
    if (act === 'end') this.#fail(error)
    this.#line.violated(error)
    return { act: 'ignore' }
  }

  #taken({ cost, count }: Item): void {
    const { state, grant } = stepOutgoing(this.#state, { type: 'taken', cost, count })
    this.#state = state
    if (grant > 0) this.#line.credit({ id: this.id, more: grant })
  }

  #garbled(cause: unknown): void {
    const error = cause instanceof SwarmError ? cause : SwarmError.BAD_MESSAGE('a frame that cannot be read')
    this.#state = stepOutgoing(this.#state, { type: 'failed' }).state
    this.#fail(error)
    this.#line.violated(error)
  }

  #deliver(event: AnswerEvent, cost = 0, count = 0): void {
    const reader = this.#reader
    if (reader) {
      this.#reader = null
      if (cost > 0) this.#taken({ event, cost, count })
      return reader.resolve({ value: event, done: false })
    }
    // Only the newest progress counts, so a peer that floods it grows nothing.
    const last = this.#queue.at(-1)
    if (last && isProgress(event) && isProgress(last.event)) this.#queue.pop()
    this.#queue.push({ event, cost, count })
  }

  #fail(error: SwarmError): void {
    const reader = this.#reader
    this.#reader = null
    if (reader) reader.reject(error)
    else this.#error = error
    this.#line.ended(this)
  }
}

/** No answer is longer than its context, whether anybody counts the cost or not. */
function positionsOf({ maxTokens }: AskLimits, { contextLength }: Offer): number {
  return Math.min(maxTokens ?? MAX_POSITIONS, contextLength, MAX_POSITIONS)
}

function isProgress(event: AnswerEvent): boolean {
  return event.type === 'queued' || event.type === 'prefill'
}
