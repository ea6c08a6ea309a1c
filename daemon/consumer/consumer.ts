/**
 * The side that asks: the local API's backend. Names become models (directory), one request runs over as many providers as
 * it takes (answer), and the caller is told who computed it and what it cost.
 */
import type {
  Backend,
  CallReceipt,
  EmbedRequest,
  EmbedResult,
  GenerateEvent,
  GenerateRequest,
  Health,
  ModelCard,
} from '../../proxy/port.js'
import type { AnswerEvent, AskBody } from '../../swarm/port.js'
import { answer } from './answer.js'
import type { Asked } from './answer.js'
import type { CatalogEntry } from './catalog.js'
import { Deadline } from './deadline.js'
import { Directory } from './directory.js'
import { ConsumerError } from './errors.js'
import type { AnyRequest, Route, Router } from './router.js'
import { Tally } from './tally.js'

export interface ConsumerOptions {
  readonly router: Router
  readonly aliases: Readonly<Record<string, string>>
  readonly version: string
  /** True while models may still appear by themselves: the swarm is being joined, a local model loads. */
  readonly settling: () => boolean
  /** How many peers are connected now. */
  readonly peers: () => number
  readonly randomBytes: (length: number) => Uint8Array
  /** Unix milliseconds. */
  readonly now: () => number
}

export interface ConsumerCounters {
  active: number
  answered: number
  failed: number
  /** The caller went away. */
  cancelled: number
  tokensIn: number
  tokensOut: number
}

/** A request under way. */
interface Call {
  readonly tally: Tally
  readonly deadline: Deadline
}

const DEFAULT_DEADLINE_MS = 3_600_000

export class Consumer implements Backend {
  readonly counters: ConsumerCounters = { active: 0, answered: 0, failed: 0, cancelled: 0, tokensIn: 0, tokensOut: 0 }
  #options: ConsumerOptions
  #directory: Directory
  #started: number

  constructor(options: ConsumerOptions) {
    this.#options = options
    this.#directory = new Directory(options)
    this.#started = options.now()
  }

  /** The owner calls this when offers, local models or the joining state changed. */
  changed(): void {
    this.#directory.changed()
  }

  models(): readonly ModelCard[] {
    return this.#directory.entries().map((entry) => entry.card)
  }

  /** The model of that name as it can be reached now; null = the most trusted one. Throws `MODEL_NOT_FOUND`. */
  entry(model: string | null): CatalogEntry {
    return this.#directory.reachable(model)
  }

  health(): Health {
    const { version, settling, peers, now } = this.#options
    return {
      status: settling() ? 'starting' : 'ok',
      peers: peers(),
      models: this.#directory.entries().length,
      uptimeMs: now() - this.#started,
      version,
    }
  }

  async *generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<GenerateEvent> {
    const call = this.#begin(request, signal)
    let answered = false
    try {
      const entry = await this.#find(request, request.prompt.kind === 'chat' ? 'chat' : 'completion', call)
      const seed = request.sampling.seed ?? drawSeed(this.#options.randomBytes(8))
      const body = (): AskBody => ({
        kind: 'generate',
        prompt: request.prompt,
        sampling: { ...request.sampling, seed },
        stop: request.stop,
        logprobs: request.logprobs,
        resume: [...call.tally.tokens],
      })
      let announced = false
      const asked: Asked = { ...call, entry, request, body, maxTokens: request.maxTokens }
      for await (const { route, event } of answer(asked, this.#options.router, this.#directory)) {
        if (!announced && (event.type === 'prefill' || event.type === 'tokens')) {
          announced = true
          const promptTokens = call.tally.prompt ?? 0
          const id = route.transaction
          yield { type: 'started', id, model: entry.card.id, provider: route.name, promptTokens, seed }
        }
        const told = eventOf(event, call, route)
        answered = told?.type === 'done'
        if (told) yield told
      }
    } finally {
      this.#end(call, answered, signal.aborted)
    }
  }

  async embed(request: EmbedRequest, signal: AbortSignal): Promise<EmbedResult> {
    const call = this.#begin(request, signal)
    let answered = false
    try {
      const entry = await this.#find(request, 'embeddings', call)
      const vectors: Float32Array[] = []
      const body: AskBody = { kind: 'embed', inputs: request.inputs }
      const asked: Asked = { ...call, entry, request, body: () => body, maxTokens: null }
      for await (const { route, event } of answer(asked, this.#options.router, this.#directory)) {
        if (event.type === 'vectors') vectors.push(...event.vectors)
        if (event.type !== 'done' || vectors.length !== request.inputs.length) continue
        answered = true
        const promptTokens = event.usage.prompt
        return { model: entry.card.id, vectors, promptTokens, receipt: receiptOf(call, route, event.providerMs) }
      }
      throw ConsumerError.NO_PROVIDER(request.model, ['an answer without its vectors'], 1000)
    } finally {
      this.#end(call, answered, signal.aborted)
    }
  }

  #begin(request: AnyRequest, signal: AbortSignal): Call {
    this.counters.active++
    return {
      tally: new Tally(performance.now()),
      deadline: new Deadline(signal, request.routing.deadlineMs ?? DEFAULT_DEADLINE_MS),
    }
  }

  #end({ tally, deadline }: Call, answered: boolean, gone: boolean): void {
    deadline.end()
    this.counters.active--
    if (answered) this.counters.answered++
    else if (gone) this.counters.cancelled++
    else this.counters.failed++
    this.counters.tokensIn += tally.usage.prompt
    this.counters.tokensOut += tally.usage.output
  }

  async #find(request: AnyRequest, feature: ModelCard['features'][number], call: Call): Promise<CatalogEntry> {
    const entry = await this.#directory.find(request.model, call.deadline.signal)
    if (entry.card.features.includes(feature)) return entry
    const hint = feature === 'chat' ? ' It has no chat template; use /v1/completions.' : ''
    throw ConsumerError.UNSUPPORTED(`The model '${entry.card.id}' does not offer ${feature}.${hint}`)
  }
}

/** What the caller hears of it; null = nothing. */
function eventOf(event: AnswerEvent, call: Call, route: Route): GenerateEvent | null {
  switch (event.type) {
    case 'queued':
      return event
    case 'prefill':
      return { type: 'prefill', done: event.done, total: event.total }
    case 'tokens': {
      const { channel, text, tokens, positions } = event
      return { type: 'text', channel, text, tokens, logprobs: positions }
    }
    case 'done': {
      const { finish, stopText, providerMs } = event
      return { type: 'done', finish, stopText, usage: call.tally.usage, receipt: receiptOf(call, route, providerMs) }
    }
    case 'accepted':
    case 'terms':
    case 'vectors':
      return null
  }
}

function receiptOf({ tally }: Call, route: Route, providerMs: number): CallReceipt {
  const elapsed = tally.elapsedMs()
  return {
    id: route.transaction,
    provider: route.name,
    costMicroLamports: tally.cost,
    ttftMs: tally.ttftMs ?? elapsed,
    overheadMs: Math.max(0, elapsed - providerMs),
  }
}

function drawSeed(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true)
}
