/** The child's side of one engine: answers the daemon's messages with one loaded model. */
import { EngineError } from '../errors.js'
import type { FromChild, ToChild, WireError } from '../protocol.js'
import { Credit } from './credit.js'
import { Embedder } from './embedder.js'
import { Generation } from './generation.js'
import type { LoadedModel } from './model.js'
import type { NativeSampler } from './native.js'
import { nativeSampler } from './native.js'
import { buildPrompt, checkLength, knownTokens, refuseOversizedPrompt } from './prompt.js'
import { Slot, SlotTable } from './slot-table.js'
import type { LoadOptions } from '../protocol.js'

type GenerateMessage = Extract<ToChild, { type: 'generate' }>
type EmbedMessage = Extract<ToChild, { type: 'embed' }>

interface Running {
  readonly abort: AbortController
  readonly credit: Credit
  /** Ends the hold before the prefill. */
  readonly go: () => void
}

export interface Outbox {
  readonly send: (message: FromChild) => void
  /** What was sent leaves now instead of at the end of this turn of the event loop. */
  readonly flush: () => void
}

export class EngineHost {
  readonly #loaded: LoadedModel
  readonly #options: LoadOptions
  readonly #send: (message: FromChild) => void
  readonly #flush: () => void
  readonly #slots: SlotTable
  readonly #embedder: Embedder
  readonly #running = new Map<number, Running>()

  constructor(loaded: LoadedModel, options: LoadOptions, outbox: Outbox) {
    this.#loaded = loaded
    this.#options = options
    this.#send = outbox.send
    this.#flush = outbox.flush
    this.#slots = new SlotTable(
      loaded.lanes.flatMap((lane) =>
        Array.from({ length: lane.slots }, (_, sequence) => {
          const id = sequence * loaded.lanes.length + lane.index
          const newSampler = (): NativeSampler => nativeSampler(loaded.llama, loaded.model)
          return new Slot({ id, lane, sequence, newSampler }, loaded.chunk, options.reuse)
        }),
      ),
    )
    this.#embedder = new Embedder(loaded, options)
  }

  receive(message: ToChild): void {
    switch (message.type) {
      case 'generate':
        void this.#generate(message)
        return
      case 'embed':
        void this.#embed(message)
        return
      case 'credit':
        this.#running.get(message.id)?.credit.add(message.events)
        return
      case 'go':
        this.#running.get(message.id)?.go()
        return
      case 'cancel':
        this.#running.get(message.id)?.abort.abort()
        return
      case 'ping':
        this.#send({ type: 'pong', computing: this.#computing() })
        return
      case 'load':
      case 'close':
        return
    }
  }

  #computing(): (number | null)[] {
    return [...this.#loaded.lanes.map((lane) => lane.computing), this.#embedder.computing]
  }

  async #generate({ id, job, credit, held, evidence }: GenerateMessage): Promise<void> {
    let go: () => void = () => undefined
    const hold = held ? new Promise<void>((resolve) => (go = resolve)) : null
    const running: Running = { abort: new AbortController(), credit: new Credit(credit), go }
    this.#running.set(id, running)
    const { signal } = running.abort
    const end = (): void => {
      running.credit.close()
      go()
    }
    signal.addEventListener('abort', end, { once: true })
    let slot: Slot | null = null
    try {
      await refuseOversizedPrompt(job.prompt, this.#loaded, signal)
      const prompt = buildPrompt(job.prompt, this.#loaded, this.#options.name)
      checkLength(prompt.tokens.length, this.#loaded.facts.contextLength)
      knownTokens(job.resume, this.#loaded)
      checkLength(prompt.tokens.length + Math.max(0, job.resume.length - 1), this.#loaded.facts.contextLength)
      slot = this.#slots.take(prompt.tokens)
      if (slot === null) throw EngineError.QUEUE_FULL(0)
      const outbox: FromChild[] = []
      const generation = new Generation({
        id,
        job,
        prompt,
        slot,
        loaded: this.#loaded,
        resume: this.#options.resume,
        signal,
        hold,
        evidence,
        // `done` waits until the slot is free again: the daemon sends the next request when it sees it.
        send: (message) => (message.type === 'done' ? outbox.push(message) : this.#send(message)),
        flush: this.#flush,
        credit: () => running.credit.spend(),
      })
      await generation.run()
      this.#slots.release(slot)
      for (const message of outbox) this.#send(message)
    } catch (error) {
      if (slot !== null) this.#slots.release(slot)
      this.#send({ type: 'error', id, error: wireError(signal.aborted ? EngineError.CANCELLED() : error) })
    } finally {
      this.#running.delete(id)
    }
  }

  async #embed({ id, inputs }: EmbedMessage): Promise<void> {
    const abort = new AbortController()
    this.#running.set(id, { abort, credit: new Credit(0), go: () => undefined })
    try {
      this.#send({ type: 'vectors', id, ...(await this.#embedder.embed(inputs, abort.signal)) })
    } catch (error) {
      this.#send({ type: 'error', id, error: wireError(abort.signal.aborted ? EngineError.CANCELLED() : error) })
    } finally {
      this.#running.delete(id)
    }
  }
}

export function wireError(error: unknown): WireError {
  if (error instanceof EngineError) return { code: error.code, message: error.message, context: error.context }
  const message = error instanceof Error ? error.message : String(error)
  return { code: 'ENGINE_CRASHED', message: `the engine failed: ${message}`, context: {} }
}
