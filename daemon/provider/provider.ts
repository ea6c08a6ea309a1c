/**
 * The side that computes: takes asks from the swarm, runs them on the engine of their model, streams frames back.
 *
 * Admission, fairness and the queue live in the engine; sealing, credit and leases in the swarm. What is left here is
 * the order of events and the meaning of each failure to the peer that asked.
 */
import b4a from 'b4a'
import type { IncomingAsk } from '../../swarm/port.js'
import type { Engine, GenerateJob } from '../engine/port.js'
import { codeOf } from '../errors.js'
import type { Books } from '../payment/books.js'
import type { Sale, Sales } from '../payment/sale.js'
import { refusalOf } from './refusal.js'

export interface ServedModel {
  readonly engine: Engine
}

export interface ProviderOptions {
  /** What this node serves now, by hex model root. */
  readonly models: (rootHex: string) => ServedModel | null
  /** null until the keys are read: no ask comes before that. */
  readonly payments: () => { readonly sales: Sales; readonly books: Books } | null
  /** A peer brought a payment that it knows to be wrong. */
  readonly onLie?: (peer: Uint8Array, what: string) => void
  /** After each change of the counters. */
  readonly onChange?: () => void
}

export interface ProviderCounters {
  served: number
  failed: number
  /** The asking peer cancelled, or is gone. */
  cancelled: number
  active: number
  tokensIn: number
  tokensOut: number
}

/** An offer outlives a crash of its engine: mostly the model is back within seconds. */
const AWAY = 'This provider does not serve the model right now; its engine may be restarting.'
const AWAY_RETRY_MS = 2000
/** No accident of timing brings these. */
const LIES: ReadonlySet<string> = new Set(['VOUCHER_BAD_SIGNATURE', 'VOUCHER_OTHER_CHANNEL'])

export class Provider {
  readonly counters: ProviderCounters = { served: 0, failed: 0, cancelled: 0, active: 0, tokensIn: 0, tokensOut: 0 }
  readonly #options: ProviderOptions

  constructor(options: ProviderOptions) {
    this.#options = options
  }

  /** Serves one ask to its end; never throws. */
  handle(ask: IncomingAsk): void {
    const payments = this.#options.payments()
    const served = this.#options.models(b4a.toString(ask.offer.modelRoot, 'hex'))
    if (!served || !payments) return ask.refuse('MODEL_UNLOADING', AWAY, AWAY_RETRY_MS)
    payments.books.add(this.#serve(ask, served, payments.sales))
  }

  async #serve(ask: IncomingAsk, served: ServedModel, sales: Sales): Promise<void> {
    this.counters.active++
    this.#changed()
    let sale: Sale | null = null
    let accepted = false
    const accept = (position: number): void => {
      if (!accepted) ask.accept(position)
      accepted = true
    }
    try {
      sale = await sales.open(ask, served.engine.info)
      if (ask.body.kind === 'embed') await this.#embed(ask, served, sale, accept)
      else await this.#generate(ask, served, sale, accept)
      this.counters.served++
    } catch (error) {
      const { code, detail, retryAfterMs } = refusalOf(error)
      if (LIES.has(codeOf(error) ?? '')) this.#options.onLie?.(ask.peer, detail)
      if (ask.signal.aborted) this.counters.cancelled++
      else this.counters.failed++
      const end = (): void => (accepted ? ask.fail(code, detail) : ask.refuse(code, detail, retryAfterMs))
      if (sale) await sale.cut(end)
      else end()
    } finally {
      this.counters.active--
      this.#changed()
    }
  }

  async #generate(
    ask: IncomingAsk,
    served: ServedModel,
    sale: Sale,
    accept: (position: number) => void,
  ): Promise<void> {
    const { finish, stopText, thought } = await this.#stream(ask, served, sale, accept)
    await sale.finish(finish, stopText, thought)
  }

  /** Delivers what the engine computes. It has stopped when this resolves, however the answer ended. */
  async #stream(
    ask: IncomingAsk,
    served: ServedModel,
    sale: Sale,
    accept: (position: number) => void,
  ): Promise<AnswerEnd> {
    const hold = sale.paid ? new Hold() : null
    let cached = 0
    let prompt = 0
    let thought = 0
    try {
      for await (const event of served.engine.generate(jobOf(ask, sale, hold), ask.signal)) {
        switch (event.type) {
          case 'queued':
            accept(event.position)
            ask.queued(event.position)
            break
          case 'admitted': {
            cached = event.cachedTokens
            prompt = event.promptTokens
            this.counters.tokensIn += event.promptTokens
            accept(0)
            await sale.admit(event.promptTokens, cached, positionsLeft(ask, served, event.promptTokens))
            ask.prefill(cached, event.promptTokens, cached)
            hold?.end()
            break
          }
          case 'prefill':
            // Resumed tokens are read as well, and are no part of the prompt that is paid for.
            ask.prefill(Math.min(event.done, prompt), prompt, cached)
            break
          case 'tokens': {
            const { tokens, channel, text, positions } = event
            if (channel === 'thought') thought += tokens.length
            this.counters.tokensOut += tokens.length
            // The ceiling is the asker's: what was delivered stands, and the answer ends as if it had reached its length.
            if (await sale.tokens({ tokens, channel, text, positions })) break
            return { finish: 'length', stopText: null, thought }
          }
          case 'done':
            return { finish: event.finish, stopText: event.stopText, thought }
        }
      }
    } finally {
      hold?.end()
    }
    throw new TypeError('an engine ends an answer with done, or throws')
  }

  async #embed(ask: IncomingAsk, served: ServedModel, sale: Sale, accept: (position: number) => void): Promise<void> {
    if (ask.body.kind !== 'embed') return
    accept(0)
    await sale.admitInputs()
    const job = { inputs: ask.body.inputs, party: partyOf(ask) }
    const { vectors, promptTokens } = await served.engine.embed(job, ask.signal)
    this.counters.tokensIn += promptTokens
    await sale.vectors(vectors, promptTokens)
    await sale.finish('stop', null, 0)
  }

  #changed(): void {
    this.#options.onChange?.()
  }
}

interface AnswerEnd {
  readonly finish: 'stop' | 'length'
  readonly stopText: string | null
  readonly thought: number
}

/** Keeps an engine from computing until it is paid for, or given up. */
class Hold {
  end: () => void = () => undefined
  readonly over = new Promise<void>((resolve) => (this.end = resolve))
}

function jobOf(ask: IncomingAsk, { evidence }: Sale, hold: Hold | null): GenerateJob {
  if (ask.body.kind !== 'generate') throw new TypeError('not a generate ask')
  const { prompt, sampling, stop, logprobs, resume } = ask.body
  const job = {
    prompt,
    sampling,
    stop,
    logprobs,
    resume,
    maxTokens: ask.limits.maxTokens,
    party: partyOf(ask),
    evidence,
  }
  return hold ? { ...job, hold: () => hold.over } : job
}

/** Output positions that the answer can still have, resumed ones excluded. */
function positionsLeft({ body, limits }: IncomingAsk, { engine }: ServedModel, promptTokens: number): number {
  const resumed = body.kind === 'generate' ? body.resume.length : 0
  const room = engine.info.contextLength - promptTokens
  return Math.max(0, Math.min(limits.maxTokens ?? Infinity, room) - resumed)
}

function partyOf(ask: IncomingAsk): string {
  return b4a.toString(ask.peer, 'hex')
}
