/** Requests, offers and routes for the consumer's tests: a router whose routes are scripted. */
import { randomBytes } from 'node:crypto'
import { FREE, price } from '../../ledger/price.js'
import type { Prices } from '../../ledger/price.js'
import type { GenerateEvent, GenerateRequest } from '../../proxy/port.js'
import type { AnswerEvent, AskBody, AskLimits, Offer } from '../../swarm/port.js'
import type { Listing } from '../../daemon/chain/listings.js'
import type { CatalogEntry } from '../../daemon/consumer/catalog.js'
import { Consumer } from '../../daemon/consumer/consumer.js'
import type { Route, Router } from '../../daemon/consumer/router.js'

export const ROOT = new Uint8Array(32).fill(7)

export function offer(overrides: Partial<Offer> = {}): Offer {
  return {
    id: new Uint8Array(32).fill(1),
    modelRoot: ROOT,
    modelName: 'tiny:q8_0',
    quantisation: 'Q8_0',
    parameters: 1000,
    contextLength: 4096,
    features: ['chat', 'completion', 'embeddings'],
    notice: null,
    prices: FREE,
    slots: 4,
    nodeKey: new Uint8Array(32).fill(2),
    boxKey: new Uint8Array(32).fill(3),
    issued: 0,
    expires: 1e15,
    ...overrides,
  }
}

export function request(overrides: Partial<GenerateRequest> = {}): GenerateRequest {
  return {
    model: 'tiny:q8_0',
    prompt: { kind: 'chat', messages: [{ role: 'user', content: 'hello' }] },
    sampling: {
      temperatureMilli: 1000,
      topPMilli: 1000,
      minPMilli: 0,
      topK: 0,
      presencePenaltyMilli: 0,
      frequencyPenaltyMilli: 0,
      repeatPenaltyMilli: 1000,
      logitBias: [],
      seed: null,
    },
    maxTokens: null,
    stop: [],
    logprobs: null,
    routing: {
      only: null,
      ignore: [],
      order: [],
      sort: null,
      maxPrice: { input: null, output: null },
      allowFallbacks: true,
      deadlineMs: null,
    },
    ...overrides,
  }
}

export type Script = (body: AskBody, limits: AskLimits, signal: AbortSignal) => AsyncIterable<AnswerEvent>

/** Routes are tried in the order given. */
export class FakeRouter implements Router {
  readonly log: string[] = []
  known: Offer[] = [offer()]
  #scripts: readonly (readonly [name: string, script: Script, prices?: Prices])[]

  constructor(scripts: readonly (readonly [name: string, script: Script, prices?: Prices])[]) {
    this.#scripts = scripts
  }

  localModels(): [] {
    return []
  }

  offers(): readonly Offer[] {
    return this.known
  }

  /** Sets what becomes known when a root is looked up. */
  hidden: Offer[] = []

  lookUp(rootHex: string): Promise<void> {
    this.log.push(`looked up ${rootHex.slice(0, 8)}`)
    this.known = [...this.known, ...this.hidden]
    return Promise.resolve()
  }

  /** What the chain says; null = no chain. */
  listed: readonly Listing[] | null = null

  listings(): readonly Listing[] | null {
    return this.listed
  }

  connected(): ReadonlySet<string> {
    return new Set()
  }

  meet(entry: CatalogEntry): Promise<void> {
    this.log.push(`met ${entry.listings.length}`)
    this.known = [...this.known, ...this.hidden]
    return Promise.resolve()
  }

  choose(_entry: unknown, _request: unknown, tried: ReadonlySet<string>): Route | null {
    const next = this.#scripts.find(([name]) => !tried.has(name))
    if (!next) return null
    const [name, answer, prices = FREE] = next
    return {
      key: name,
      name,
      prices,
      answer,
      transaction: `${'0'.repeat(31)}${tried.size}`,
      superseded: () => false,
      note: (outcome) => {
        if (outcome.type !== 'asked' && outcome.type !== 'queued') this.log.push(`${outcome.type} ${name}`)
      },
    }
  }

  refusal(): Error {
    return Object.assign(new Error('nobody'), { code: 'NO_PROVIDER' })
  }
}

export function consumer(router: Router, settling: () => boolean = () => false): Consumer {
  return new Consumer({ router, aliases: {}, version: 'test', settling, peers: () => 0, randomBytes, now: Date.now })
}

/** Emits `tokens` one by one from the resume point on, then ends or throws `code`. */
export function emits(tokens: readonly number[], end: 'stop' | { code: string; after: number }): Script {
  return async function* (body) {
    if (body.kind !== 'generate') throw new Error('not generate')
    const from = body.resume.length
    yield { type: 'prefill', done: 3, total: 3 + from, cached: 1 }
    for (let index = from; index < tokens.length; index++) {
      if (end !== 'stop' && index - from >= end.after) throw Object.assign(new Error('scripted'), { code: end.code })
      const token = tokens[index] ?? 0
      yield { type: 'tokens', index, tokens: [token], channel: 'text', text: `<${token}>`, positions: null }
    }
    if (end !== 'stop') throw Object.assign(new Error('scripted'), { code: end.code })
    const usage = { prompt: 3 + from, cached: 1, output: tokens.length - from, thought: 0 }
    yield { type: 'done', finish: 'stop', stopText: null, usage, providerMs: 1, receipt: null }
  }
}

export async function collect(events: AsyncIterable<GenerateEvent>): Promise<GenerateEvent[]> {
  const all: GenerateEvent[] = []
  for await (const event of events) all.push(event)
  return all
}

export function textOf(events: readonly GenerateEvent[]): string {
  return events.map((event) => (event.type === 'text' ? event.text : '')).join('')
}

export const PRICES: Prices = { input: price(10n), cached: price(1n), output: price(100n) }
