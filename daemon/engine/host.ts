/**
 * The engine that computes: one GGUF in one child process. A crash of native code fails the requests that were being
 * computed with `ENGINE_CRASHED`; those that wait go on waiting, and the host is started again.
 */
import { AdmissionQueue } from './admission.js'
import { EngineError } from './errors.js'
import { EventFeed } from './event-feed.js'
import type { LoadReplies } from './host-process.js'
import { HostProcess } from './host-process.js'
import type { ModelIdentity, ModelProgress } from './model/identity.js'
import { identifyModel } from './model/identity.js'
import type { MemoryPlan } from './model/memory.js'
import { planMemory } from './model/memory.js'
import type { EmbedJob, Engine, EngineEvent, EngineLoad, GenerateJob, ModelInfo } from './port.js'
import type { FromChild, KvType, LoadOptions, LogLevel } from './protocol.js'

export interface LlamaEngineOptions {
  /** A .gguf file, or the first part of a split one. */
  readonly path: string
  /** Threads of the computation; null = physical cores minus one. */
  readonly threads?: number | null
  /** Streams computed at once. Default: up to 4, fewer when memory is short. */
  readonly slots?: number | null
  /** Tokens per slot; default: the model's own length, at most 16,384, less when memory is short. */
  readonly contextSize?: number | null
  /** Tokens per prefill step: the granularity of interleaving and of prefix reuse. Default: 32 on a CPU, 512 on a GPU. */
  readonly batchSize?: number | null
  /** Groups of slots computed side by side. Default: 2 where one thread computes and another core is there, else 1. */
  readonly lanes?: number | null
  readonly flashAttention?: boolean
  readonly kvType?: KvType
  readonly gpu?: 'auto' | 'off'
  /** Which cached prefixes count: those a fresh run would compute alike to the bit, or all. */
  readonly reuse?: 'exact' | 'all'
  /** How resumed tokens get into the cache: one by one as they were drawn (same bits), or as part of the prompt (faster). */
  readonly resume?: 'decode' | 'prefill'
  /** Requests that may wait; default 64. */
  readonly queueLimit?: number
  readonly rootCacheFile?: string | null
  readonly notice?: string | null
  readonly onProgress?: (progress: ModelProgress) => void
  readonly log?: (level: LogLevel, text: string) => void
  /** Bytes that may be used; default: what the system says is available. */
  readonly availableMemory?: () => number
  readonly backoff?: Backoff
}

/** Pauses between restarts, milliseconds. */
export interface Backoff {
  readonly first: number
  readonly most: number
}

interface Request {
  readonly id: number
  readonly party: string
  readonly job: GenerateJob
  readonly feed: EventFeed
}

interface Embedding {
  readonly resolve: (result: { vectors: readonly Float32Array[]; promptTokens: number }) => void
  readonly reject: (error: Error) => void
}

/** Events a reader may be behind before its stream pauses. */
const WINDOW = 64
/** How long a host may take to end by itself, milliseconds. */
const CLOSE_GRACE = 2_000

export class LlamaEngine implements Engine {
  readonly #options: LlamaEngineOptions
  readonly #queue: AdmissionQueue<Request>
  readonly #active = new Map<number, Request>()
  readonly #embeddings = new Map<number, Embedding>()
  readonly #replies: LoadReplies = { settle: () => undefined }
  #state: EngineLoad['state'] = 'loading'
  #opening: Promise<void> | null = null
  #closing: Promise<void> | null = null
  #host: HostProcess | null = null
  #loadOptions: LoadOptions | null = null
  #info: ModelInfo | null = null
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
    const cancel = (): void => {
      this.#host?.send({ type: 'cancel', id })
      this.#settleEmbedding(id)?.reject(EngineError.CANCELLED())
    }
    signal.addEventListener('abort', cancel, { once: true })
    this.#host.send({ type: 'embed', id, inputs: job.inputs })
    return new Promise<{ vectors: readonly Float32Array[]; promptTokens: number }>((resolve, reject) => {
      this.#embeddings.set(id, { resolve, reject })
    }).finally(() => signal.removeEventListener('abort', cancel))
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#state = 'closed'
    if (this.#restart !== null) clearTimeout(this.#restart)
    for (const request of this.#queue.order()) this.#drop(request, EngineError.ENGINE_CLOSED())
    this.#failActive(EngineError.ENGINE_CLOSED())
    await this.#host?.close(CLOSE_GRACE)
    this.#host = null
    await this.#opening?.catch(() => undefined)
  }

  async #open(): Promise<void> {
    const { path, onProgress, rootCacheFile } = this.#options
    const identity = await identifyModel(path, { onProgress, cacheFile: rootCacheFile })
    const plan = planMemory(identity, this.#options)
    this.#loadOptions = this.#loadOptionsFor(identity, plan)
    await this.#start(identity)
  }

  /** Starts a host and loads the model into it. */
  async #start(identity: ModelIdentity): Promise<void> {
    const load = this.#loadOptions
    if (load === null || this.#state === 'closed') throw EngineError.ENGINE_CLOSED()
    const host = new HostProcess({
      load,
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

  #loadOptionsFor(identity: ModelIdentity, plan: MemoryPlan): LoadOptions {
    const { threads = null, lanes = null, batchSize = null, flashAttention = false } = this.#options
    const { kvType = 'F16', gpu = 'auto', reuse = 'exact', resume = 'decode' } = this.#options
    return {
      path: identity.path,
      name: identity.name,
      threads,
      slots: plan.slots,
      contextSize: plan.contextSize,
      batchSize,
      lanes,
      flashAttention,
      kvType,
      gpu,
      reuse,
      resume,
    }
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
      const { party: _, ...job } = request.job
      this.#host?.send({ type: 'generate', id: request.id, job, credit: WINDOW })
    }
    for (const [position, request] of this.#queue.order().entries()) request.feed.push({ type: 'queued', position })
  }

  /** The reader has gone or cancelled. Without effect when the request is over already. */
  #drop(request: Request, error: EngineError): void {
    request.feed.fail(error)
    if (this.#queue.remove(request)) this.#dispatch()
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
      case 'admitted':
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
        this.#settleEmbedding(message.id)?.reject(error)
        return this.#over(message.id, error)
      }
      case 'vectors':
        this.#settleEmbedding(message.id)?.resolve(message)
        return
      case 'log':
        return
    }
  }

  #over(id: number, error: EngineError | null): void {
    const request = this.#active.get(id)
    if (request === undefined) return
    this.#active.delete(id)
    this.#failures = 0
    if (error === null) request.feed.end()
    else request.feed.fail(error)
    this.#dispatch()
  }

  #settleEmbedding(id: number): Embedding | undefined {
    const embedding = this.#embeddings.get(id)
    this.#embeddings.delete(id)
    return embedding
  }

  #failActive(error: EngineError): void {
    for (const request of this.#active.values()) request.feed.fail(error)
    this.#active.clear()
    for (const embedding of this.#embeddings.values()) embedding.reject(error)
    this.#embeddings.clear()
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
