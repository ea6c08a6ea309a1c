/** Streams an answer: events of the backend in, chunks of a dialect out, errors as JSON before the first byte and as an event after it. */
import { runChoices } from './choices.js'
import type { DoneEvent, StartedEvent } from './choices.js'
import { startedHeaders, swarmdFields } from './dialect/receipts.js'
import { usageOf } from './dialect/usage.js'
import type { AnswerIdentity, ChunkWriter } from './dialect/writer.js'
import { errorBody } from './faults.js'
import type { Call } from './call.js'
import type { Backend, GenerateEvent, GenerateRequest } from './port.js'
import type { EventStream } from './sse.js'

export interface StreamPlan {
  readonly identity: AnswerIdentity
  readonly requests: readonly GenerateRequest[]
  readonly choicesPerPrompt: number
  readonly includeUsage: boolean
}

const DONE = 'data: [DONE]\n\n'

/** Throws only before the first byte. */
export async function streamAnswer(backend: Backend, call: Call, plan: StreamPlan, writer: ChunkWriter): Promise<void> {
  const run = new StreamRun(call, plan, writer)
  try {
    const results = await runChoices(backend, plan.requests, call.signal, (index, event) => run.take(index, event))
    run.complete(results)
  } catch (error) {
    const told = call.translate(error)
    if (!run.stream.opened) throw told
    call.logFailure(told)
    run.stream.send(`data: ${errorBody(told)}\n\n`)
  } finally {
    run.stream.end()
  }
}

class StreamRun {
  readonly stream: EventStream
  readonly #plan: StreamPlan
  readonly #writer: ChunkWriter
  readonly #started: StartedEvent[] = []
  readonly #opened = new Set<number>()
  readonly #results: DoneEvent[] = []
  #finished = 0

  constructor(call: Call, plan: StreamPlan, writer: ChunkWriter) {
    this.#plan = plan
    this.#writer = writer
    this.stream = call.openStream(() => startedHeaders(this.#known()))
  }

  /** A promise when the client must take what it has before more is produced. */
  take(index: number, event: GenerateEvent): Promise<void> | undefined {
    if (event.type === 'text') {
      // The hot path: one string, one write.
      const chunk = this.#writer.text(index, event)
      if (chunk === null || ((this.#opened.has(index) || this.#open(index)) && this.stream.send(chunk)))
        return undefined
      return this.stream.drained()
    }
    if (event.type === 'queued') this.stream.progress(`queued, position ${event.position}`)
    else if (event.type === 'prefill') this.stream.progress(`prefill ${event.done}/${event.total}`)
    else if (event.type === 'started') this.#start(index, event)
    else this.#finish(index, event)
    return undefined
  }

  complete(results: readonly DoneEvent[]): void {
    const { includeUsage, choicesPerPrompt } = this.#plan
    if (includeUsage) this.stream.send(this.#writer.usage(usageOf(results, choicesPerPrompt), this.#fields(results)))
    this.stream.send(DONE)
  }

  #start(index: number, event: StartedEvent): void {
    if (this.#known().length === 0) this.#writer.identify({ ...this.#plan.identity, model: event.model })
    this.#started[index] = event
    this.#open(index)
  }

  #open(index: number): true {
    if (this.#opened.has(index)) return true
    this.#opened.add(index)
    const opening = this.#writer.opening(index)
    if (opening !== null) this.stream.send(opening)
    return true
  }

  #finish(index: number, event: DoneEvent): void {
    this.#open(index)
    this.#results[index] = event
    this.#finished += 1
    const last = this.#finished === this.#plan.requests.length && !this.#plan.includeUsage
    this.stream.send(this.#writer.finish(index, event, last ? this.#fields(this.#results) : null))
  }

  #fields(results: readonly DoneEvent[]): ReturnType<typeof swarmdFields> {
    const receipts = results.map((result) => result.receipt)
    return swarmdFields(
      receipts,
      this.#plan.requests.map((_, index) => this.#started[index]?.seed ?? null),
    )
  }

  #known(): readonly StartedEvent[] {
    // Choices start in any order: skip the holes.
    return this.#started.filter(() => true)
  }
}
