/** One request in flight: its id, its end when the client goes or the daemon closes, and its way of answering. */
import { randomUUID } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { ProxyError } from './errors.js'
import { translate } from './faults.js'
import { EventStream } from './sse.js'

export interface CallTimes {
  readonly heartbeatMs: number
  readonly graceMs: number
  /** Unix milliseconds. */
  readonly now: () => number
}

export class Call {
  readonly id: string
  readonly signal: AbortSignal
  /** Unix seconds. */
  readonly created: number
  readonly #reply: FastifyReply
  readonly #times: CallTimes

  constructor(request: FastifyRequest, reply: FastifyReply, signal: AbortSignal, times: CallTimes) {
    this.id = request.id
    this.signal = signal
    this.created = Math.floor(times.now() / 1000)
    this.#reply = reply
    this.#times = times
  }

  /** An answer's id in a dialect: `chatcmpl-…` and the like, from the request's own. */
  answerId(prefix: string): string {
    return `${prefix}-${this.id.slice('req_'.length)}`
  }

  openStream(known: () => Readonly<Record<string, string>>): EventStream {
    const reply = this.#reply
    return new EventStream(reply.raw, {
      graceMs: this.#times.graceMs,
      heartbeatMs: this.#times.heartbeatMs,
      takeOver: () => {
        reply.hijack()
        return { ...(reply.getHeaders() as Record<string, string>), ...known() }
      },
    })
  }

  /** Passes a result through; a failure is thrown as what the client is told. */
  async guard<T>(result: Promise<T>): Promise<T> {
    try {
      return await result
    } catch (error) {
      throw this.translate(error)
    }
  }

  /** Whatever a cancelled backend throws, the reason of the cancellation is what is told. */
  translate(error: unknown): ProxyError {
    return translate(this.signal.aborted ? this.signal.reason : error, this.id)
  }
}

/** The calls in flight, so that closing ends them and a lost client cancels its own. */
export class Calls {
  readonly #running = new Set<AbortController>()
  readonly #times: CallTimes

  constructor(times: CallTimes) {
    this.#times = times
  }

  open(request: FastifyRequest, reply: FastifyReply): Call {
    const abort = new AbortController()
    const raw = reply.raw
    this.#running.add(abort)
    raw.once('close', () => {
      this.#running.delete(abort)
      if (!raw.writableFinished) abort.abort(ProxyError.CLIENT_GONE())
    })
    if (raw.destroyed) abort.abort(ProxyError.CLIENT_GONE())
    return new Call(request, reply, abort.signal, this.#times)
  }

  close(): void {
    for (const abort of this.#running) abort.abort(ProxyError.SHUTTING_DOWN())
  }
}

export function requestId(): string {
  return `req_${randomUUID().replaceAll('-', '')}`
}
