/** One request in flight: its id, its end when the client goes or the daemon closes, and its way of answering. */
import { randomUUID } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { ProxyError } from './errors.js'
import { translate } from './faults.js'
import { EventStream } from './sse.js'

export interface CallSettings {
  readonly heartbeatMs: number
  readonly graceMs: number
  /** Unix milliseconds. */
  readonly now: () => number
  readonly log: ProxyLog | null
}

/** What the proxy writes to: pino fits. Never a prompt, never a key. */
export interface ProxyLog {
  error(context: object, message: string): void
}

/** What the dialect calls the input that a backend may find too long. */
export type InputParam = 'messages' | 'prompt' | 'input'

/** How long closing waits for the answers in flight to say why they end. */
const LAST_WORDS_MS = 1000

export class Call {
  readonly id: string
  readonly signal: AbortSignal
  /** Unix seconds. */
  readonly created: number
  readonly #inputParam: InputParam
  readonly #reply: FastifyReply
  readonly #settings: CallSettings

  constructor(id: string, inputParam: InputParam, reply: FastifyReply, signal: AbortSignal, settings: CallSettings) {
    this.id = id
    this.#inputParam = inputParam
    this.signal = signal
    this.created = Math.floor(settings.now() / 1000)
    this.#reply = reply
    this.#settings = settings
  }

  /** An answer's id in a dialect: `chatcmpl-…` and the like, from the request's own. */
  answerId(prefix: string): string {
    return `${prefix}-${this.id.slice('req_'.length)}`
  }

  openStream(known: () => Readonly<Record<string, string>>): EventStream {
    const reply = this.#reply
    return new EventStream(reply.raw, {
      graceMs: this.#settings.graceMs,
      heartbeatMs: this.#settings.heartbeatMs,
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

  /** A failure that can no longer have a status code. */
  logFailure(told: ProxyError): void {
    logFailure(this.#settings.log, this.id, told)
  }

  /** Whatever a cancelled backend throws, the reason of the cancellation is what is told. */
  translate(error: unknown): ProxyError {
    return translate(this.signal.aborted ? this.signal.reason : error, this.id, this.#inputParam)
  }
}

export function logFailure(log: ProxyLog | null, requestId: string, told: ProxyError): void {
  if (told.status < 500 || told.code === 'shutting_down') return
  log?.error({ requestId, code: told.code, err: told.cause ?? told }, 'request failed')
}

/** The calls in flight, so that closing ends them and a lost client cancels its own. */
export class Calls {
  readonly #running = new Set<AbortController>()
  readonly #settings: CallSettings
  #closed = false
  #whenIdle: () => void = () => undefined

  constructor(settings: CallSettings) {
    this.#settings = settings
  }

  /** Throws `SHUTTING_DOWN` after `close()`. */
  open(request: FastifyRequest, reply: FastifyReply, inputParam: InputParam): Call {
    if (this.#closed) throw ProxyError.SHUTTING_DOWN()
    const abort = new AbortController()
    const raw = reply.raw
    this.#running.add(abort)
    raw.once('close', () => {
      this.#running.delete(abort)
      if (this.#running.size === 0) this.#whenIdle()
      if (!raw.writableFinished) abort.abort(ProxyError.CLIENT_GONE())
    })
    if (raw.destroyed) abort.abort(ProxyError.CLIENT_GONE())
    return new Call(request.id, inputParam, reply, abort.signal, this.#settings)
  }

  /** Ends every call with its reason; resolves when all have said it, or after a second. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.#running.size === 0) return
    const idle = new Promise<void>((resolve) => {
      this.#whenIdle = resolve
    })
    for (const abort of this.#running) abort.abort(ProxyError.SHUTTING_DOWN())
    const late = setTimeout(() => this.#whenIdle(), LAST_WORDS_MS)
    await idle
    clearTimeout(late)
  }
}

export function requestId(): string {
  return `req_${randomUUID().replaceAll('-', '')}`
}
