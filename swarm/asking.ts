/**
 * The iterator that `Swarm.ask` hands out: connects on the first `next()`, then passes on what the session's ask
 * yields. Ends for good on abort or after its deadline.
 */
import { SwarmError } from './errors.js'
import type { AnswerEvent } from './port.js'
import type { OutgoingAsk } from './session/outgoing-ask.js'

const END: IteratorReturnResult<undefined> = { value: undefined, done: true }
/** Two nodes that dial each other at once keep one of the two connections; what was on the other is asked again. */
const MAX_TRIES = 2

export class Asking implements AsyncIterableIterator<AnswerEvent, undefined> {
  #open: (signal: AbortSignal) => Promise<OutgoingAsk>
  #caller: AbortSignal
  #abort = new AbortController()
  #deadlineMs: number
  #timer: NodeJS.Timeout | null = null
  #ask: OutgoingAsk | null = null
  #tries = 0
  #finished = false
  #reason: SwarmError | null = null

  constructor(open: (signal: AbortSignal) => Promise<OutgoingAsk>, caller: AbortSignal, deadlineMs: number) {
    this.#open = open
    this.#caller = caller
    this.#deadlineMs = deadlineMs
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<AnswerEvent, undefined>> {
    if (this.#finished) return Promise.resolve(END)
    return this.#ask ? this.#follow(this.#ask) : this.#start()
  }

  async return(): Promise<IteratorResult<AnswerEvent, undefined>> {
    this.#stop(SwarmError.CANCELLED())
    this.#finish()
    return END
  }

  async #start(): Promise<IteratorResult<AnswerEvent, undefined>> {
    if (this.#tries === 0) {
      if (this.#caller.aborted) return this.#throw(reasonOf(this.#caller))
      this.#caller.addEventListener('abort', this.#onAbort, { once: true })
      this.#timer = setTimeout(() => this.#stop(SwarmError.DEADLINE_EXCEEDED(this.#deadlineMs)), this.#deadlineMs)
    }
    this.#tries++
    try {
      const ask = await this.#open(this.#abort.signal)
      if (this.#reason) ask.cancel(this.#reason)
      this.#ask = ask
    } catch (error) {
      return this.#throw(this.#reason ?? error)
    }
    return this.#follow(this.#ask)
  }

  async #follow(ask: OutgoingAsk): Promise<IteratorResult<AnswerEvent, undefined>> {
    try {
      const result = await ask.next()
      if (result.done || result.value.type === 'done') this.#finish()
      return result
    } catch (error) {
      if (!ask.mayRepeat || this.#tries >= MAX_TRIES || this.#reason) return this.#throw(error)
      this.#ask = null
      return this.#start()
    }
  }

  #onAbort = (): void => {
    this.#stop(reasonOf(this.#caller))
  }

  #stop(reason: SwarmError): void {
    if (this.#reason || this.#finished) return
    this.#reason = reason
    this.#abort.abort(reason)
    this.#ask?.cancel(reason)
  }

  #throw(error: unknown): never {
    this.#finish()
    throw error
  }

  #finish(): void {
    this.#finished = true
    if (this.#timer) clearTimeout(this.#timer)
    this.#caller.removeEventListener('abort', this.#onAbort)
  }
}

function reasonOf(signal: AbortSignal): SwarmError {
  const reason: unknown = signal.reason
  if (reason instanceof SwarmError) return reason
  const code = typeof reason === 'object' && reason !== null && 'code' in reason ? reason.code : null
  return code === 'DEADLINE_EXCEEDED'
    ? SwarmError.refused('DEADLINE_EXCEEDED', 'the deadline passed')
    : SwarmError.CANCELLED()
}
