/**
 * The side that computes: takes asks from the swarm, runs them on the engine of their model, streams frames back.
 *
 * Admission, fairness and the queue live in the engine; sealing, credit and leases in the swarm. What is left here is
 * the order of events and the meaning of each failure to the peer that asked.
 */
import b4a from 'b4a'
import safetyCatch from 'safety-catch'
import { microLamports } from '../../ledger/amount.js'
import { cost } from '../../ledger/price.js'
import type { Prices } from '../../ledger/price.js'
import type { IncomingAsk } from '../../swarm/port.js'
import type { Engine, GenerateJob } from '../engine/port.js'
import { refusalOf } from './refusal.js'

export interface ServedModel {
  readonly engine: Engine
  readonly prices: Prices
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

export class Provider {
  readonly counters: ProviderCounters = { served: 0, failed: 0, cancelled: 0, active: 0, tokensIn: 0, tokensOut: 0 }
  #models: (rootHex: string) => ServedModel | null
  #onChange: () => void

  /** `models`: what this node serves now, by hex model root. `onChange`: after each change of the counters. */
  constructor(models: (rootHex: string) => ServedModel | null, onChange: () => void = noop) {
    this.#models = models
    this.#onChange = onChange
  }

  /** Serves one ask to its end; never throws. */
  handle(ask: IncomingAsk): void {
    this.#serve(ask).catch(safetyCatch)
  }

  async #serve(ask: IncomingAsk): Promise<void> {
    const served = this.#models(b4a.toString(ask.offer.modelRoot, 'hex'))
    if (!served) return ask.refuse('MODEL_UNLOADING', AWAY, AWAY_RETRY_MS)
    this.counters.active++
    this.#onChange()
    let accepted = false
    const accept = (position: number): void => {
      if (!accepted) ask.accept(position)
      accepted = true
    }
    try {
      if (ask.body.kind === 'embed') await this.#embed(ask, served, accept)
      else await this.#generate(ask, served, accept)
      this.counters.served++
    } catch (error) {
      const { code, detail, retryAfterMs } = refusalOf(error)
      if (ask.signal.aborted) this.counters.cancelled++
      else this.counters.failed++
      if (accepted) ask.fail(code, detail)
      else ask.refuse(code, detail, retryAfterMs)
    } finally {
      this.counters.active--
      this.#onChange()
    }
  }

  async #generate(ask: IncomingAsk, served: ServedModel, accept: (position: number) => void): Promise<void> {
    if (ask.body.kind !== 'generate') return
    let allowance = Infinity
    let sent = 0
    let prompt = 0
    let cached = 0
    let thought = 0
    for await (const event of served.engine.generate(jobOf(ask), ask.signal)) {
      switch (event.type) {
        case 'queued':
          accept(event.position)
          ask.queued(event.position)
          break
        case 'admitted':
          prompt = event.promptTokens
          cached = event.cachedTokens
          allowance = outputAllowance(served.prices, ask.limits.maxCost, prompt, cached)
          if (allowance < 1) {
            return ask.refuse('COST_LIMIT', `The prompt's ${prompt} tokens use up the cost ceiling of this request.`)
          }
          this.counters.tokensIn += prompt
          accept(0)
          ask.prefill(cached, prompt, cached)
          break
        case 'prefill':
          ask.prefill(event.done, event.total, cached)
          break
        case 'tokens': {
          const { index, tokens, channel, text, positions } = event
          await ask.tokens({ index, tokens, channel, text, positions })
          sent += tokens.length
          if (channel === 'thought') thought += tokens.length
          this.counters.tokensOut += tokens.length
          if (sent >= allowance) {
            // The ceiling is the asker's: what was delivered stands, and the answer ends as if it had reached its length.
            return ask.done('length', null, { prompt, cached, output: sent, thought })
          }
          break
        }
        case 'done':
          return ask.done(event.finish, event.stopText, event.usage)
      }
    }
  }

  async #embed(ask: IncomingAsk, served: ServedModel, accept: (position: number) => void): Promise<void> {
    if (ask.body.kind !== 'embed') return
    accept(0)
    const { vectors, promptTokens } = await served.engine.embed(
      { inputs: ask.body.inputs, party: partyOf(ask) },
      ask.signal,
    )
    this.counters.tokensIn += promptTokens
    for (const [index, vector] of vectors.entries()) await ask.vectors(index, [vector])
    ask.done('stop', null, { prompt: promptTokens, cached: 0, output: 0, thought: 0 })
  }
}

/** How many output tokens the ceiling still pays for after the prompt; `Infinity` without a ceiling or when free. */
export function outputAllowance(prices: Prices, maxCost: bigint | null, prompt: number, cached: number): number {
  if (maxCost === null) return Infinity
  const ceiling = microLamports(maxCost)
  const spent = cost(prices, { input: prompt - cached, cached, output: 0 })
  if (spent > ceiling) return 0
  return prices.output === 0n ? Infinity : Number((ceiling - spent) / prices.output)
}

function jobOf(ask: IncomingAsk): GenerateJob {
  if (ask.body.kind !== 'generate') throw new TypeError('not a generate ask')
  const { prompt, sampling, stop, logprobs, resume } = ask.body
  return { prompt, sampling, stop, logprobs, resume, maxTokens: ask.limits.maxTokens, party: partyOf(ask) }
}

function partyOf(ask: IncomingAsk): string {
  return b4a.toString(ask.peer, 'hex')
}

function noop(): void {}
