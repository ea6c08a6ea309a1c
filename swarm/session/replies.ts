/** What a provider says about one ask, as messages. Knows no rules: incoming-ask.ts decides what may be said when. */
import type { AskTerms, AskUsage } from '../port.js'
import type { ResponseSeal } from '../sealing.js'
import { MAX_RETRY_AFTER_MS, shortDetail } from '../wire/answer.js'
import { endingMessage } from '../wire/done.js'
import { frameMessage } from '../wire/frame.js'
import type { Progress } from '../wire/progress.js'
import type { Line } from './line.js'
import type { Draft } from './outbox.js'

export interface Finish {
  readonly finish: 'stop' | 'length'
  readonly stopText: string | null
  readonly usage: AskUsage
  readonly receipt: Uint8Array | null
}

export class Replies {
  readonly #id: Uint8Array
  readonly #wire: Pick<Line, 'send'>
  readonly #seal: ResponseSeal

  constructor(id: Uint8Array, wire: Pick<Line, 'send'>, seal: ResponseSeal) {
    this.#id = id
    this.#wire = wire
    this.#seal = seal
  }

  accepted(queuePosition: number): void {
    this.#wire.send('answer', { kind: 'accepted', id: this.#id, queuePosition })
  }

  refused(code: string, detail: string, retryAfterMs: number | null): void {
    this.#wire.send('answer', {
      kind: 'refused',
      id: this.#id,
      code,
      retryAfterMs: retryAfterMs === null ? null : Math.min(MAX_RETRY_AFTER_MS, Math.max(0, Math.ceil(retryAfterMs))),
      detail: shortDetail(detail),
    })
  }

  failed(code: string, detail: string): void {
    this.#wire.send('error', { id: this.#id, code, detail: shortDetail(detail) })
  }

  progress(progress: Progress): void {
    this.#wire.send('progress', progress)
  }

  terms(terms: AskTerms): void {
    this.#wire.send('terms', { ...terms, id: this.#id })
  }

  receipt(receipt: Uint8Array): void {
    this.#wire.send('receipt', { id: this.#id, receipt })
  }

  /** Throws what of the draft no frame carries. */
  sealed(draft: Draft, sequence: number): Uint8Array {
    return this.#seal.seal(frameMessage, draft.body, 'tokens', draft.index, sequence)
  }

  frame({ index }: Draft, sequence: number, sealed: Uint8Array): void {
    this.#wire.send('tokens', { id: this.#id, sequence, index, sealed })
  }

  /** Throws what no ending carries. */
  done({ finish, stopText, usage, receipt }: Finish, sequence: number, ms: number): void {
    const providerMs = Math.max(0, Math.round(ms))
    const sealed = this.#seal.seal(endingMessage, { stopText }, 'done', 0, sequence)
    this.#wire.send('done', { id: this.#id, sequence, finish, usage, providerMs, receipt, sealed })
  }
}
