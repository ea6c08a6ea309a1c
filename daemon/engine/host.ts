/**
 * The engine that computes: one GGUF in one child process. A crash of native code fails the requests that were being
 * computed with `ENGINE_CRASHED`; those that wait go on waiting, and the host is started again.
 */
import { AdmissionQueue } from './admission.js'
import { EngineError } from './errors.js'
import { EventFeed } from './event-feed.js'
import type { LlamaEngineOptions } from './host-options.js'
import { loadOptions } from './host-options.js'
import { PATIENCE } from './liveness.js'
import { PendingEmbeddings } from './pending-embeddings.js'
import type { LoadReplies } from './host-process.js'
import { HostProcess } from './host-process.js'
import type { ModelIdentity } from './model/identity.js'
import { identifyModel } from './model/identity.js'
import { planMemory } from './model/memory.js'
import type { EmbedJob, Engine, EngineEvent, EngineLoad, GenerateJob, ModelInfo } from './port.js'
import type { FromChild, LoadOptions } from './protocol.js'

interface Request {
  readonly id: number
  readonly party: string
  readonly job: GenerateJob
  readonly feed: EventFeed
}

/** Events a reader may be behind before its stream pauses. */
const WINDOW = 64
/** How long a host may take to end by itself, milliseconds. */
const CLOSE_GRACE = 2_000

export class LlamaEngine implements Engine {
  readonly #options: LlamaEngineOptions
  readonly #queue: AdmissionQueue<Request>
  readonly #active = new Map<number, Request>()
  readonly #embeddings = new PendingEmbeddings()
  readonly #replies: LoadReplies = { settle: () => undefined }
  #state: EngineLoad['state'] = 'loading'
  #opening: Promise<void> | null = null
  #closing: Promise<void> | null = null
  #host: HostProcess | null = null
  #loadOptions: LoadOptions | null = null
  #info: ModelInfo | null = null
  readonly #abort = new AbortController()
  #nextId = 1
  #failures = 0
  #restart: NodeJS.Timeout | null = null

  constructor(options: LlamaEngineOptions) {
    this.#options = options
    this.#queue = new AdmissionQueue(options.queueLimit ?? 64)
  }

  get info(): ModelInfo {
    if (this.#info === null) throw EngineError.ENGINE_NOT_READY()
    return this.#info
  }

  get load(): EngineLoad {
    return {
      active: this.#active.size,
      queued: this.#queue.length,
      slots: this.#info?.slots ?? this.#options.slots ?? 0,
      queueLimit: this.#queue.limit,
      state: this.#state,
    }
  }

  /** Process id of the host; null while there is none. */
  get pid(): number | null {
    return this.#host?.pid ?? null
  }

  ready(): Promise<void> {
    this.#opening ??= this.#open()
    return this.#opening
  }

  async *generate(job: GenerateJob, signal: AbortSignal): AsyncGenerator<EngineEvent, void, undefined> {
    const request = this.#admit(job, signal)
    const cancel = (): void => this.#drop(request, EngineError.CANCELLED())
    signal.addEventListener('abort', cancel, { once: true })
    let unread = 0
    try {
      for (;;) {
        const event = await request.feed.next()
        if (event === null) return
        if (event.type === 'tokens' && ++unread >= WINDOW / 2) {
          this.#host?.send({ type: 'credit', id: request.id, events: unread })
          unread = 0
        }
        yield event
      }
    } finally {
      signal.removeEventListener('abort', cancel)
      this.#drop(request, EngineError.CANCELLED())
    }
  }

  embed(
    job: EmbedJob,
    signal: AbortSignal,
  ): Promise<{ readonly vectors: readonly Float32Array[]; readonly promptTokens: number }> {
    if (signal.aborted) return Promise.reject(EngineError.CANCELLED())
    if (this.#state !== 'ready' || this.#host === null) return Promise.reject(this.#unavailable())
    if (this.#embeddings.size >= this.#queue.limit) return Promise.reject(EngineError.QUEUE_FULL(this.#queue.limit))
    const id = this.#nextId++
    const host = this.#host
    host.send({ type: 'embed', id, inputs: job.inputs })
    return this.#embeddings.wait(id, signal, () => host.send({ type: 'cancel', id }))
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#state = 'closed'
    this.#abort.abort(EngineError.ENGINE_CLOSED())
    if (this.#restart !== null) clearTimeout(this.#restart)
    for (const request of this.#queue.order()) this.#drop(request, EngineError.ENGINE_CLOSED())
    this.#failActive(EngineError.ENGINE_CLOSED())
    await this.#host?.close(CLOSE_GRACE)
    this.#host = null
    await this.#opening?.catch(() => undefined)
  }

  async #open(): Promise<void> {
    const { path, onProgress, rootCacheFile } = this.#options
    const { signal } = this.#abort
    const identity = await identifyModel(path, { onProgress, cacheFile: rootCacheFile, signal })
    const plan = planMemory(identity, this.#options)
    this.#loadOptions = loadOptions(identity, plan, this.#options)
    await this.#start(identity)
  }

  /** Starts a host and loads the model into it. */
  async #start(identity: ModelIdentity): Promise<void> {
    const load = this.#loadOptions
    if (load === null || this.#state === 'closed') throw EngineError.ENGINE_CLOSED()
    const host = new HostProcess({
      load,
      patience: this.#options.patience ?? PATIENCE,
      onMessage: (message) => this.#receive(message),
      onLog: (level, text) => this.#options.log?.(level, text),
      onExit: (reason) => this.#exited(host, identity, reason),
    })
    this.#host = host
    try {
      const facts = await host.load(
        (done, total) => this.#options.onProgress?.({ phase: 'load', done, total }),
        this.#replies,
      )
      this.#info = {
        root: identity.root,
        name: identity.name,
        quantisation: identity.quantisation,
        architecture: identity.architecture,
        parameters: identity.parameters,
        fileBytes: identity.fileBytes,
        mock: false,
        notice: this.#options.notice ?? identity.notice,
        ...facts,
      }
    } catch (error) {
      host.kill('the model could not be loaded')
      throw error
    }
    if (this.#closing !== null) return
    this.#state = 'ready'
    this.#dispatch()
  }

  #admit(job: GenerateJob, signal: AbortSignal): Request {
    if (signal.aborted) throw EngineError.CANCELLED()
    if (this.#state === 'closed' || this.#info === null) throw this.#unavailable()
    const request: Request = { id: this.#nextId++, party: job.party, job, feed: new EventFeed() }
    if (!this.#queue.push(request)) throw EngineError.QUEUE_FULL(this.#queue.limit)
    this.#dispatch()
    return request
  }

  #unavailable(): EngineError {
    if (this.#state === 'closed') return EngineError.ENGINE_CLOSED()
    return this.#state === 'restarting'
      ? EngineError.ENGINE_CRASHED('the engine host is being restarted')
      : EngineError.ENGINE_NOT_READY()
  }

  /** Gives free slots to who is next, and tells the others where they stand. */
  #dispatch(): void {
    const slots = this.#info?.slots ?? 0
    while (this.#state === 'ready' && this.#active.size < slots) {
      const request = this.#queue.next()
      if (request === null) break
      this.#active.set(request.id, request)
      const { party: _, hold, evidence: sink, ...job } = request.job
      const [held, evidence] = [hold !== undefined, sink !== undefined]
      this.#host?.send({ type: 'generate', id: request.id, job, credit: WINDOW, held, evidence })
    }
    for (const [position, request] of this.#queue.order().entries()) request.feed.push({ type: 'queued', position })
  }

  /** The reader has gone or cancelled. Without effect when the request is over already. */
  #drop(request: Request, error: EngineError): void {
    request.feed.fail(error)
    if (this.#queue.remove(request)) {
      request.job.evidence?.end()
      this.#dispatch()
    }
    // The slot is taken until the host confirms: it may be in the middle of a batch.
    else if (this.#active.has(request.id)) this.#host?.send({ type: 'cancel', id: request.id })
  }

  #receive(message: FromChild): void {
    switch (message.type) {
      case 'progress':
      case 'ready':
      case 'failed':
        this.#replies.settle(message)
        return
      case 'admitted': {
        const { id, prompt, ...event } = message
        const request = this.#active.get(id)
        if (prompt !== null) request?.job.evidence?.prompt(prompt)
        request?.feed.push(event)
        if (request?.job.hold) this.#hold(request, request.job.hold)
        return
      }
      case 'evidence':
        this.#active.get(message.id)?.job.evidence?.block(message.index, message.positions)
        return
      case 'prefill':
      case 'tokens': {
        const { id, ...event } = message
        this.#active.get(id)?.feed.push(event)
        return
      }
      case 'done': {
        const { id, ...event } = message
        this.#active.get(id)?.feed.push(event)
        return this.#over(id, null)
      }
      case 'error': {
        const error = EngineError.fromWire(message.error.code, message.error.message, message.error.context)
        this.#embeddings.fail(message.id, error)
        return this.#over(message.id, error)
      }
      case 'vectors':
        this.#embeddings.settle(message.id, message)
        return
      case 'log':
      case 'pong':
        return
    }
  }

  #hold(request: Request, hold: () => Promise<void>): void {
    hold().then(
      () => this.#active.has(request.id) && this.#host?.send({ type: 'go', id: request.id }),
      (error: unknown) => this.#drop(request, error instanceof EngineError ? error : EngineError.CANCELLED()),
    )
  }

  #over(id: number, error: EngineError | null): void {
    const request = this.#active.get(id)
    if (request === undefined) return
    this.#active.delete(id)
    request.job.evidence?.end()
    this.#failures = 0
    if (error === null) request.feed.end()
    else request.feed.fail(error)
    this.#dispatch()
  }

  #failActive(error: EngineError): void {
    for (const request of this.#active.values()) {
      request.job.evidence?.end()
      request.feed.fail(error)
    }
    this.#active.clear()
    this.#embeddings.failAll(error)
  }

  #exited(host: HostProcess, identity: ModelIdentity, reason: string): void {
    if (this.#host !== host) return
    this.#host = null
    this.#failActive(EngineError.ENGINE_CRASHED(`${reason} while it computed; it is being restarted`))
    // Before it was ready once, the failure belongs to whoever waits in ready().
    if (this.#state === 'closed' || this.#info === null) return
    this.#state = 'restarting'
    const { first, most } = this.#options.backoff ?? { first: 250, most: 30_000 }
    const pause = Math.min(most, first * 2 ** this.#failures++)
    this.#options.log?.('error', `${reason}; restarting it in ${pause} ms`)
    this.#restart = setTimeout(() => {
      this.#start(identity).catch((error: unknown) => {
        this.#options.log?.('error', `restart failed: ${error instanceof Error ? error.message : String(error)}`)
      })
    }, pause)
  }
}
