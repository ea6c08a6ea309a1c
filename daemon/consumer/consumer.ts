/**
 * The side that asks: the local API's backend. Resolves a model, chooses who computes, retries before the first token,
 * continues token-exactly on another provider after it, and tells the caller what it cost.
 */
import b4a from 'b4a'
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
import type { Outcome } from '../../swarm/history.js'
import type { AnswerEvent, AskBody, AskLimits } from '../../swarm/port.js'
import { codeOf } from '../errors.js'
import { catalog, nearNames, resolve } from './catalog.js'
import type { CatalogEntry } from './catalog.js'
import { Deadline } from './deadline.js'
import { ConsumerError } from './errors.js'
import { MeasuredModels } from './measured.js'
import { afterFailure, outcomeOf } from './retry.js'
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
  tokensIn: number
  tokensOut: number
}

const DEFAULT_DEADLINE_MS = 3_600_000
/** How long a request for an unknown model waits while the node is still finding its peers. */
const DISCOVERY_MS = 10_000
/** The catalogue is built again at most this often when only measurements changed. */
const CATALOG_STALE_MS = 1000

export class Consumer implements Backend {
  readonly counters: ConsumerCounters = { active: 0, answered: 0, failed: 0, tokensIn: 0, tokensOut: 0 }
  #options: ConsumerOptions
  #measured = new MeasuredModels()
  #firstSeen = new Map<string, number>()
  #started: number
  #entries: CatalogEntry[] | null = null
  #entriesAt = 0
  #waiters = new Set<() => void>()

  constructor(options: ConsumerOptions) {
    this.#options = options
    this.#started = options.now()
  }

  /** The owner calls this when offers, local models or the joining state changed. */
  changed(): void {
    this.#entries = null
    for (const wake of this.#waiters) wake()
  }

  models(): readonly ModelCard[] {
    return this.#catalog().map((entry) => entry.card)
  }

  health(): Health {
    const { version, settling, peers, now } = this.#options
    return {
      status: settling() ? 'starting' : 'ok',
      peers: peers(),
      models: this.#catalog().length,
      uptimeMs: now() - this.#started,
      version,
    }
  }

  async *generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<GenerateEvent> {
    const asked = performance.now()
    const tally = new Tally(asked)
    const id = b4a.toString(this.#options.randomBytes(16), 'hex')
    const seed = request.sampling.seed ?? drawSeed(this.#options.randomBytes(8))
    const deadline = new Deadline(signal, request.routing.deadlineMs ?? DEFAULT_DEADLINE_MS)
    this.counters.active++
    try {
      const entry = await this.#find(request.model, deadline.signal)
      requireFeature(entry, request.prompt.kind === 'chat' ? 'chat' : 'completion')
      let announced = false
      const body = (): AskBody => ({
        kind: 'generate',
        prompt: request.prompt,
        sampling: { ...request.sampling, seed },
        stop: request.stop,
        logprobs: request.logprobs,
        resume: tally.tokens,
      })
      for await (const { route, event } of this.#answer(entry, request, body, request.maxTokens, tally, deadline)) {
        if (!announced && (event.type === 'prefill' || event.type === 'tokens')) {
          announced = true
          yield {
            type: 'started',
            id,
            model: entry.card.id,
            provider: route.name,
            promptTokens: tally.prompt ?? 0,
            seed,
          }
        }
        switch (event.type) {
          case 'queued':
            yield event
            break
          case 'prefill':
            yield { type: 'prefill', done: event.done, total: event.total }
            break
          case 'tokens':
            yield {
              type: 'text',
              channel: event.channel,
              text: event.text,
              tokens: event.tokens,
              logprobs: event.positions,
            }
            break
          case 'done':
            yield {
              type: 'done',
              finish: event.finish,
              stopText: event.stopText,
              usage: tally.usage,
              receipt: receipt(id, route, tally, asked, event.providerMs),
            }
            break
        }
      }
      this.counters.answered++
    } catch (error) {
      this.counters.failed++
      throw error
    } finally {
      this.counters.active--
      this.counters.tokensIn += tally.usage.prompt
      this.counters.tokensOut += tally.usage.output
      deadline.end()
    }
  }

  async embed(request: EmbedRequest, signal: AbortSignal): Promise<EmbedResult> {
    const asked = performance.now()
    const tally = new Tally(asked)
    const id = b4a.toString(this.#options.randomBytes(16), 'hex')
    const deadline = new Deadline(signal, request.routing.deadlineMs ?? DEFAULT_DEADLINE_MS)
    this.counters.active++
    try {
      const entry = await this.#find(request.model, deadline.signal)
      requireFeature(entry, 'embeddings')
      const vectors: Float32Array[] = []
      const body: AskBody = { kind: 'embed', inputs: request.inputs }
      let result: EmbedResult | null = null
      for await (const { route, event } of this.#answer(entry, request, () => body, null, tally, deadline)) {
        if (event.type === 'vectors')
          for (const [k, vector] of event.vectors.entries()) vectors[event.index + k] = vector
        if (event.type !== 'done') continue
        result = {
          model: entry.card.id,
          vectors,
          promptTokens: event.usage.prompt,
          receipt: receipt(id, route, tally, asked, event.providerMs),
        }
      }
      if (!result || vectors.length !== request.inputs.length)
        throw ConsumerError.NO_PROVIDER(request.model, ['an answer without its vectors'], 1000)
      this.counters.answered++
      this.counters.tokensIn += result.promptTokens
      return result
    } catch (error) {
      this.counters.failed++
      throw error
    } finally {
      this.counters.active--
      deadline.end()
    }
  }

  /** One request over as many providers as it takes; yields each event with the route it came by, `done` last. */
  async *#answer(
    entry: CatalogEntry,
    request: AnyRequest,
    body: () => AskBody,
    maxTokens: number | null,
    tally: Tally,
    deadline: Deadline,
  ): AsyncGenerator<{ route: Route; event: AnswerEvent }> {
    const { router } = this.#options
    const due = performance.now() + (request.routing.deadlineMs ?? DEFAULT_DEADLINE_MS)
    const tried = new Set<string>()
    let failure: unknown = null
    for (let attempt = 1; ; attempt++) {
      // Offers change while a request waits: a provider that was restarted states anew what it serves.
      const now = attempt === 1 ? entry : (this.#catalog().find(({ root }) => root === entry.root) ?? entry)
      const route = router.choose(now, request, tried)
      if (!route) throw failure ?? router.refusal(now, request)
      tried.add(route.key)
      tally.startAttempt()
      route.note({ type: 'asked' })
      // Until it ends otherwise: a caller who stops reading says nothing about the provider.
      let outcome: Outcome = { type: 'cancelled' }
      const began = performance.now()
      const limits: AskLimits = { maxTokens, maxCost: null, deadlineMs: Math.max(1, Math.round(due - began)) }
      try {
        for await (const event of route.answer(body(), limits, deadline.signal)) {
          if (event.type === 'queued') route.note(event)
          else if (event.type === 'prefill') tally.prefilled(event.total, event.cached)
          else if (event.type === 'tokens') tally.received(event, performance.now())
          else if (event.type === 'done') {
            if (event.usage.prompt > 0) tally.prefilled(event.usage.prompt, event.usage.cached)
            tally.settleAttempt(route.prices, true)
            outcome = { type: 'answered', ttftMs: tally.attemptTtftMs(began), tokensPerSecond: tally.rate() }
            this.#measured.record(entry.root, outcome.ttftMs, outcome.tokensPerSecond)
            yield { route, event }
            return
          }
          yield { route, event }
        }
        throw ConsumerError.NO_PROVIDER(entry.card.id, [`${route.name} broke off`], 1000)
      } catch (error) {
        deadline.check()
        tally.settleAttempt(route.prices, false)
        const code = codeOf(error)
        outcome = outcomeOf(code, retryAfterOf(error))
        if (afterFailure(code, attempt, request.routing.allowFallbacks) === 'final') throw error
        if (code === 'OFFER_UNKNOWN' && route.superseded()) tried.delete(route.key)
        // The next provider continues at the position reached; nothing that the caller has seen is sent again.
        failure = error
      } finally {
        route.note(outcome)
      }
    }
  }

  async #find(model: string, signal: AbortSignal): Promise<CatalogEntry> {
    const until = performance.now() + DISCOVERY_MS
    for (;;) {
      signal.throwIfAborted()
      const entry = resolve(this.#catalog(), this.#options.aliases, model)
      if (entry) return entry
      if (!this.#options.settling()) throw ConsumerError.MODEL_NOT_FOUND(model, nearNames(this.#catalog(), model))
      const left = until - performance.now()
      if (left <= 0) throw ConsumerError.NOT_READY()
      await this.#change(left, signal)
    }
  }

  /** Resolves at the next `changed()`, after `ms`, or when aborted. */
  #change(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', wake)
        this.#waiters.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, ms)
      signal.addEventListener('abort', wake, { once: true })
      this.#waiters.add(wake)
    })
  }

  #catalog(): CatalogEntry[] {
    const now = this.#options.now()
    if (this.#entries && now - this.#entriesAt < CATALOG_STALE_MS) return this.#entries
    const { router, aliases } = this.#options
    const local = router.localModels()
    const offers = router.offers()
    const entries = catalog({ local, offers, aliases, measured: this.#measured.byRoot, firstSeen: this.#firstSeen })
    for (const { root } of entries) if (!this.#firstSeen.has(root)) this.#firstSeen.set(root, now)
    this.#entries = entries
    this.#entriesAt = now
    return entries
  }
}

function requireFeature(entry: CatalogEntry, feature: ModelCard['features'][number]): void {
  if (entry.card.features.includes(feature)) return
  const hint = feature === 'chat' ? ' It has no chat template; use /v1/completions.' : ''
  throw ConsumerError.UNSUPPORTED(`The model '${entry.card.id}' does not offer ${feature}.${hint}`)
}

function retryAfterOf(error: unknown): number | null {
  if (typeof error !== 'object' || error === null || !('retryAfterMs' in error)) return null
  return typeof error.retryAfterMs === 'number' ? error.retryAfterMs : null
}

function drawSeed(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true)
}

function receipt(id: string, route: Route, tally: Tally, asked: number, providerMs: number): CallReceipt {
  return {
    id,
    provider: route.name,
    costMicroLamports: tally.cost,
    ttftMs: tally.ttftMs ?? performance.now() - asked,
    overheadMs: Math.max(0, performance.now() - asked - providerMs),
  }
}
