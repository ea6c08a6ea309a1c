/**
 * The provider's end of one ask: turns the daemon's calls into messages as credit and socket allow. The rules are in
 * incoming.ts; here is only the routing.
 */
import type {
  AskBody,
  AskKeys,
  AskLimits,
  AskTerms,
  AskUsage,
  Delivered,
  IncomingAsk,
  Offer,
  RefusalCode,
  ShownPayment,
} from '../port.js'
import { SwarmError } from '../errors.js'
import { MAX_CREDIT } from '../wire/ask.js'
import type { Progress } from '../wire/progress.js'
import { Deferred } from './deferred.js'
import { STALL_MS, arrived, stepIncoming } from './incoming.js'
import type { Incoming } from './incoming.js'
import type { IncomingLine, IncomingOptions } from './incoming-line.js'
import { frameCost } from './outgoing.js'
import { Outbox } from './outbox.js'
import type { TextPiece } from './outbox.js'
import { Replies } from './replies.js'
import type { Finish } from './replies.js'
import { Room } from './room.js'

const SENT = Promise.resolve()

export class SessionIncomingAsk implements IncomingAsk {
  readonly id: Uint8Array
  readonly peer: Uint8Array
  readonly offer: Offer
  readonly body: AskBody
  readonly limits: AskLimits
  readonly keys: AskKeys
  readonly payment: ShownPayment | null
  readonly #line: IncomingLine
  readonly #say: Replies
  readonly #abort = new AbortController()
  readonly #outbox = new Outbox()
  readonly #arrivedAt: number
  #state: Incoming
  #progress: Progress
  /** The end that waits until all output is out. */
  #ending: Finish | null = null
  #room = new Room()
  #taken: number | null = null
  #flushed: Deferred<void> | null = null
  #countersigned = new Deferred<Uint8Array | null>()

  constructor(options: IncomingOptions, line: IncomingLine) {
    this.id = options.id
    this.peer = options.peer
    this.offer = options.offer
    this.body = options.body
    this.limits = options.limits
    this.keys = options.keys
    this.payment = options.payment
    this.#line = line
    this.#say = new Replies(options.id, line.wire, options.response)
    this.#arrivedAt = line.now()
    this.#state = arrived(options.credit, options.payment ? 'paid' : 'free')
    this.#progress = { kind: 'queued', id: options.id, position: 0 }
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  get delivered(): Delivered {
    return { count: this.#state.delivered, taken: this.#taken }
  }

  get countersigned(): Promise<Uint8Array | null> {
    return this.#countersigned.promise
  }

  /** Ended, and a receipt or its signature may still follow. */
  get isLate(): boolean {
    const { phase, receipt } = this.#state
    return phase === 'ended' && (receipt === 'owed' || receipt === 'sent')
  }

  accept(queuePosition: number): void {
    if (this.#act({ type: 'accept' }) === 'send') this.#say.accepted(queuePosition)
  }

  refuse(code: RefusalCode, detail: string, retryAfterMs?: number): void {
    const act = this.#act({ type: 'refuse' })
    if (act === 'send') this.#say.refused(code, detail, retryAfterMs ?? null)
    else if (act === 'fail') this.#say.failed(code, detail)
    if (act !== 'ignore') this.#end()
  }

  queued(position: number): void {
    this.#report({ kind: 'queued', id: this.id, position })
  }

  prefill(done: number, total: number, cached: number): void {
    this.#report({ kind: 'prefill', id: this.id, done, total, cached })
  }

  tokens(frame: TextPiece): Promise<void> {
    if (this.#state.phase === 'ended' || this.#ending) return SENT
    this.#outbox.push(frame)
    return this.#sent()
  }

  vectors(index: number, vectors: readonly Float32Array[]): Promise<void> {
    if (this.#state.phase === 'ended' || this.#ending) return SENT
    this.#outbox.pushVectors(index, vectors)
    return this.#sent()
  }

  terms(terms: AskTerms): void {
    const act = this.#act({ type: 'terms' })
    if (act === 'ignore') return
    if (act === 'accept-and-send') this.#say.accepted(0)
    this.#say.terms(terms)
  }

  flushed(): Promise<void> {
    this.flush()
    if (this.#state.phase === 'ended') return Promise.reject(this.#endedBy())
    if (this.#outbox.isEmpty) return SENT
    this.#flushed ??= new Deferred()
    return this.#flushed.promise
  }

  done(finish: 'stop' | 'length', stopText: string | null, usage: AskUsage, receipt: Uint8Array | null = null): void {
    if (this.#state.phase === 'ended' || this.#ending) return
    this.#ending = { finish, stopText, usage, receipt }
    this.flush()
  }

  receipt(receipt: Uint8Array): void {
    if (this.#act({ type: 'receipt' }) === 'send') this.#say.receipt(receipt)
  }

  fail(code: RefusalCode, detail: string): void {
    if (this.#state.phase === 'ended') return
    this.flush()
    if (this.#act({ type: 'fail' }) === 'ignore') return
    this.#say.failed(code, detail)
    this.#end()
  }

  /** Sends what credit and socket allow; then, when all is out, the end. */
  flush(): void {
    try {
      this.#flush()
    } catch (error) {
      if (!(error instanceof SwarmError)) throw error
      // The engine made what no message carries, e.g. a token of a kilobyte.
      this.#act({ type: 'fail' })
      this.#say.failed('ENGINE_FAILED', error.message)
      this.#stop(error)
    }
  }

  #flush(): void {
    while (
      !this.#outbox.isEmpty &&
      this.#state.credit > 0 &&
      this.#line.wire.drained &&
      this.#state.phase !== 'ended'
    ) {
      this.#sendFrame()
    }
    if (!this.#outbox.isFull) this.#room.open()
    if (this.#outbox.isEmpty) this.#settleFlushed()
    if (this.#ending && this.#outbox.isEmpty && this.#state.phase !== 'ended') this.#sendEnd(this.#ending)
  }

  /** Returns why the peer broke the protocol, null when it did not. */
  credit(more: number): string | null {
    const { state, act, violation } = stepIncoming(this.#state, { type: 'credit', more, limit: MAX_CREDIT })
    this.#state = state
    if (violation !== null) this.#stop(SwarmError.BAD_PROTOCOL(violation))
    else if (act === 'wake') this.flush()
    return violation
  }

  /** `taken`: what the peer says its reader took. Returns why it broke the protocol, null when it did not. */
  cancel(reason: SwarmError, taken: number | null): string | null {
    const { state, act, violation } = stepIncoming(this.#state, { type: 'cancel', taken })
    this.#state = state
    if (act !== 'abort') return null
    if (violation === null) this.#taken = taken
    this.#stop(reason)
    return violation
  }

  /** The peer's signature under the receipt. Returns why it broke the protocol, null when it did not. */
  countersign(signature: Uint8Array): string | null {
    const { state, act, violation } = stepIncoming(this.#state, { type: 'countersign' })
    this.#state = state
    if (act === 'signed') {
      this.#countersigned.resolve(signature)
      this.#line.forgotten(this)
    }
    return violation
  }

  /** The table is full, or the connection gone: nobody waits for a signature any longer. */
  forget(): void {
    this.#countersigned.resolve(null)
  }

  tick(now: number): void {
    if (this.#state.phase === 'ended') {
      if (this.#act({ type: 'tick', waiting: false }) === 'forget') this.#line.forgotten(this)
      return
    }
    if (now - this.#arrivedAt > this.limits.deadlineMs) {
      if (this.#act({ type: 'fail' }) === 'ignore') return
      const error = SwarmError.DEADLINE_EXCEEDED(this.limits.deadlineMs)
      this.#say.failed(error.code, error.message)
      return this.#stop(error)
    }
    const act = this.#act({ type: 'tick', waiting: !this.#outbox.isEmpty && this.#state.credit <= 0 })
    if (act === 'renew') this.#say.progress(this.#progress)
    if (act !== 'stalled') return
    const error = SwarmError.CONSUMER_STALLED(STALL_MS / 1000)
    this.#say.failed(error.code, error.message)
    this.#stop(error)
  }

  #sent(): Promise<void> {
    if (this.#outbox.isFull) this.flush()
    else this.#line.schedule(this)
    const free = !this.#outbox.isFull && this.#state.credit > this.#outbox.count && this.#line.wire.drained
    if (free || this.#state.phase === 'ended') return SENT
    this.#line.schedule(this)
    return this.#room.wait()
  }

  #sendFrame(): void {
    const draft = this.#outbox.shift()
    if (!draft) return
    const { sequence } = this.#state
    const sealed = this.#say.sealed(draft, sequence)
    const act = this.#act({ type: 'frame', count: draft.count, cost: frameCost(draft.count, sealed.byteLength) })
    if (act === 'accept-and-send') this.#say.accepted(0)
    if (draft.body.kind === 'text') this.#progress = { kind: 'decoding', id: this.id }
    this.#say.frame(draft, sequence, sealed)
  }

  #sendEnd(ending: Finish): void {
    const { sequence } = this.#state
    const receipt = ending.receipt ? 'with' : 'none'
    if (this.#act({ type: 'done', receipt }) === 'accept-and-send') this.#say.accepted(0)
    this.#say.done(ending, sequence, this.#line.now() - this.#arrivedAt)
    this.#end()
  }

  #report(progress: Progress): void {
    const act = this.#act({ type: 'progress', kind: progress.kind })
    if (act === 'ignore') return
    this.#progress = progress
    if (act === 'accept-and-send') this.#say.accepted(progress.kind === 'queued' ? progress.position : 0)
    this.#say.progress(progress)
  }

  #act(event: Parameters<typeof stepIncoming>[1]): ReturnType<typeof stepIncoming>['act'] {
    const { state, act } = stepIncoming(this.#state, event)
    this.#state = state
    return act
  }

  #stop(reason: SwarmError): void {
    this.#abort.abort(reason)
    this.#end()
  }

  #end(): void {
    this.#outbox.clear()
    this.#room.open()
    this.#settleFlushed()
    this.#line.ended(this)
    if (!this.isLate) this.forget()
  }

  #settleFlushed(): void {
    if (this.#state.phase === 'ended') this.#flushed?.reject(this.#endedBy())
    else this.#flushed?.resolve()
    this.#flushed = null
  }

  #endedBy(): Error {
    const reason: unknown = this.signal.reason
    return reason instanceof Error ? reason : SwarmError.CANCELLED('the request has ended')
  }
}
