/**
 * What one request has received so far, over all the providers that took part: the ground for usage, cost, the resume
 * point of a failover and the times that the caller is told. Counts are this node's own, never the provider's word.
 */
import { addMicroLamports, microLamports } from '../../ledger/amount.js'
import type { MicroLamports } from '../../ledger/amount.js'
import { cost } from '../../ledger/price.js'
import type { Prices } from '../../ledger/price.js'
import type { AnswerEvent, AskUsage } from '../../swarm/port.js'

type TokensEvent = Extract<AnswerEvent, { type: 'tokens' }>

/** A rate from fewer tokens says more about chance than about the provider. */
const MIN_TOKENS_FOR_RATE = 8

export class Tally {
  /** Every output token delivered, in order. */
  readonly tokens: number[] = []
  thought = 0
  /** Of the first provider: what the caller calls the prompt. */
  prompt: number | null = null
  cached = 0
  ttftMs: number | null = null
  #asked: number
  #cost: MicroLamports = microLamports(0n)
  #attemptPrompt = 0
  #attemptCached = 0
  #attemptFrom = 0
  #attemptFirst = 0
  #attemptLast = 0

  /** `asked`: monotonic milliseconds at which the request came in. */
  constructor(asked: number) {
    this.#asked = asked
  }

  /** A provider (the first, or the next after a failure) starts at the current position. */
  startAttempt(): void {
    this.#attemptPrompt = 0
    this.#attemptCached = 0
    this.#attemptFrom = this.tokens.length
    this.#attemptFirst = 0
  }

  prefilled(total: number, cached: number): void {
    this.#attemptPrompt = total
    this.#attemptCached = cached
    if (this.prompt !== null) return
    this.prompt = total
    this.cached = cached
  }

  received(event: TokensEvent, now: number): void {
    this.ttftMs ??= now - this.#asked
    this.#attemptFirst ||= now
    this.#attemptLast = now
    for (const token of event.tokens) this.tokens.push(token)
    if (event.channel === 'thought') this.thought += event.tokens.length
  }

  /** The attempt ended, well or not: what it delivered is owed. A failed one that delivered nothing costs nothing. */
  settleAttempt(prices: Prices, complete: boolean): void {
    const output = this.tokens.length - this.#attemptFrom
    if (output === 0 && !complete) return
    const cached = Math.min(this.#attemptCached, this.#attemptPrompt)
    this.#cost = addMicroLamports(this.#cost, cost(prices, { input: this.#attemptPrompt - cached, cached, output }))
  }

  /** Milliseconds since the request came in. */
  elapsedMs(): number {
    return performance.now() - this.#asked
  }

  /** Milliseconds from `began` to the attempt's first token, or to now when it had none. */
  attemptTtftMs(began: number): number {
    return (this.#attemptFirst || performance.now()) - began
  }

  /** Tokens per second of the current attempt, first to last frame; null when too short to tell. */
  rate(): number | null {
    const output = this.tokens.length - this.#attemptFrom
    const seconds = (this.#attemptLast - this.#attemptFirst) / 1000
    return output < MIN_TOKENS_FOR_RATE || seconds <= 0 ? null : (output - 1) / seconds
  }

  get cost(): MicroLamports {
    return this.#cost
  }

  get usage(): AskUsage {
    return { prompt: this.prompt ?? 0, cached: this.cached, output: this.tokens.length, thought: this.thought }
  }
}
