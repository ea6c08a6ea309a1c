/**
 * One request over as many providers as it takes: retried before the first token, continued token-exactly after it.
 */
import type { Outcome } from '../../swarm/history.js'
import type { AnswerEvent, AskBody, AskLimits } from '../../swarm/port.js'
import { codeOf } from '../errors.js'
import type { CatalogEntry } from './catalog.js'
import type { Deadline } from './deadline.js'
import type { Directory } from './directory.js'
import { ConsumerError } from './errors.js'
import { afterFailure, outcomeOf } from './retry.js'
import type { AnyRequest, Route, Router } from './router.js'
import type { Tally } from './tally.js'

export interface Asked {
  readonly entry: CatalogEntry
  readonly request: AnyRequest
  /** Called for each attempt: it carries what was delivered so far. */
  readonly body: () => AskBody
  readonly maxTokens: number | null
  readonly tally: Tally
  readonly deadline: Deadline
}

/** Yields each event with the route it came by, `done` last. Throws the last provider's error when nobody is left. */
export async function* answer(
  asked: Asked,
  router: Router,
  directory: Directory,
): AsyncGenerator<{ route: Route; event: AnswerEvent }> {
  const { entry, request, body, maxTokens, tally, deadline } = asked
  const tried = new Set<string>()
  let failure: Error | null = null
  for (let attempt = 1; ; attempt++) {
    const now = attempt === 1 ? entry : directory.refreshed(entry)
    const route = router.choose(now, request, tried)
    if (!route) throw failure ?? router.refusal(now, request)
    tried.add(route.key)
    tally.startAttempt()
    route.note({ type: 'asked' })
    // Until it ends otherwise: a caller who stops reading says nothing about the provider.
    let outcome: Outcome = { type: 'cancelled' }
    const began = performance.now()
    const maxCost = leftOf(request.routing.pay?.maxCost ?? null, tally.cost)
    const limits: AskLimits = { maxTokens, maxCost, deadlineMs: deadline.leftMs() }
    try {
      for await (const event of route.answer(body(), limits, deadline.signal)) {
        if (event.type === 'queued') route.note(event)
        else if (event.type === 'prefill') tally.prefilled(event.total, event.cached)
        else if (event.type === 'tokens') tally.received(event, performance.now())
        else if (event.type === 'done') {
          if (event.usage.prompt > 0) tally.prefilled(event.usage.prompt, event.usage.cached)
          tally.settleAttempt(route.prices, true)
          outcome = { type: 'answered', ttftMs: tally.attemptTtftMs(began), tokensPerSecond: tally.rate() }
          directory.measured.record(entry.root, outcome.ttftMs, outcome.tokensPerSecond)
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
      failure = error instanceof Error ? error : new Error(String(error))
    } finally {
      route.note(outcome)
    }
  }
}

/** Microlamports; null = there is no ceiling. */
function leftOf(lamports: bigint | null, spent: bigint): bigint | null {
  if (lamports === null) return null
  const left = lamports * 1_000_000n - spent
  return left > 0n ? left : 0n
}

function retryAfterOf(error: unknown): number | null {
  if (typeof error !== 'object' || error === null || !('retryAfterMs' in error)) return null
  return typeof error.retryAfterMs === 'number' ? error.retryAfterMs : null
}
