/**
 * One server-sent event stream on a raw response.
 *
 * Nothing is sent during the first moments (`graceMs`), so that a request that fails at once still gets its status code.
 * Then, or at the first event, the headers and a comment go out, and a comment again whenever nothing else was sent for
 * most of `heartbeatMs`: the gap is never longer than that. One event is one write: some parsers lose a split one.
 */
import type { ServerResponse } from 'node:http'

export interface StreamOptions {
  readonly graceMs: number
  readonly heartbeatMs: number
  /** Called once, when the headers go out: takes the response over and says what is known by then. */
  readonly takeOver: () => Readonly<Record<string, string | number | readonly string[]>>
}

export class EventStream {
  readonly #raw: ServerResponse
  readonly #options: StreamOptions
  #grace: NodeJS.Timeout | null
  #heartbeat: NodeJS.Timeout | null = null
  #opened = false
  #wroteSinceBeat = false
  #progress = 'waiting'

  constructor(raw: ServerResponse, options: StreamOptions) {
    this.#raw = raw
    this.#options = options
    this.#grace = setTimeout(() => this.#open(), options.graceMs)
  }

  /** True once bytes have left: from then on an error can only be an event. */
  get opened(): boolean {
    return this.#opened
  }

  /** What the comments say while nothing else is sent; a change is told at once. */
  progress(text: string): void {
    if (text === this.#progress) return
    this.#progress = text
    if (!this.#opened) return this.#open()
    this.#comment()
  }

  /** Sends one event, framing included (`data: …\n\n`). False: await `drained()` before sending more. */
  send(event: string): boolean {
    if (!this.#opened) this.#open()
    this.#wroteSinceBeat = true
    return this.#raw.destroyed || this.#raw.write(event)
  }

  /** Resolves when the client has taken what it was sent, or is gone. */
  drained(): Promise<void> {
    const raw = this.#raw
    if (raw.destroyed || !raw.writableNeedDrain) return Promise.resolve()
    return new Promise((resolve) => {
      const settle = (): void => {
        raw.off('drain', settle)
        raw.off('close', settle)
        resolve()
      }
      raw.on('drain', settle)
      raw.on('close', settle)
    })
  }

  /** Stops the timers; ends the response if it was opened. Idempotent. */
  end(): void {
    if (this.#grace !== null) clearTimeout(this.#grace)
    if (this.#heartbeat !== null) clearInterval(this.#heartbeat)
    this.#grace = null
    this.#heartbeat = null
    if (this.#opened && !this.#raw.writableEnded) this.#raw.end()
  }

  #open(): void {
    if (this.#opened) return
    this.#opened = true
    if (this.#grace !== null) clearTimeout(this.#grace)
    this.#grace = null
    const known = this.#options.takeOver()
    if (this.#raw.destroyed) return
    this.#raw.writeHead(200, {
      ...known,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      // nginx would collect the events otherwise.
      'x-accel-buffering': 'no',
    })
    this.#raw.socket?.setNoDelay(true)
    this.#comment()
    // Each beat is silent only if something was sent since the one before: the gap is below two beats.
    this.#heartbeat = setInterval(() => this.#beat(), this.#options.heartbeatMs * 0.45)
  }

  #beat(): void {
    if (!this.#wroteSinceBeat) this.#comment()
    this.#wroteSinceBeat = false
  }

  #comment(): void {
    // A client that takes nothing gets no more comments piled up for it.
    if (this.#raw.destroyed || this.#raw.writableNeedDrain) return
    this.#wroteSinceBeat = true
    this.#raw.write(`: ${this.#progress}\n\n`)
  }
}
