/** The most that one attempt may cost. */
import { microLamports } from '../../ledger/amount.js'
import type { MicroLamports } from '../../ledger/amount.js'
import { LedgerError } from '../../ledger/errors.js'
import { cost } from '../../ledger/price.js'
import type { AskBody, AskLimits, Offer } from '../../swarm/port.js'
import type { Budget } from '../budget.js'
import { PaymentError } from './errors.js'
import type { OutgoingMeans } from './means.js'
import { dearest, promptBound } from './policy.js'

export interface Attempt {
  readonly offer: Offer
  readonly body: AskBody
  readonly limits: AskLimits
  /** Name of the API key whose budget it is; null = the owner's. */
  readonly caller: string | null
}

/** Without a limit from the caller it is what means and budget still allow. Throws `CHANNEL_EXHAUSTED`, `COST_LIMIT`. */
export function ceilingOf(
  attempt: Attempt,
  { left }: Pick<OutgoingMeans, 'left'>,
  budget: Pick<Budget, 'left'>,
): MicroLamports {
  const { asked, needed } = wantedBy(attempt)
  if (asked === 0n)
    throw PaymentError.COST_LIMIT('The cost ceiling of this request leaves nothing to pay a provider with.')
  if (needed > left) throw LedgerError.CHANNEL_EXHAUSTED(needed, left)
  return least(asked, left, most(needed, budget.left(attempt.caller) ?? asked))
}

/** `asked`: the most that it can come to. `needed`: who names a length wants that length; who does not, a first token. */
export function wantedBy({ offer, body, limits }: Omit<Attempt, 'caller'>): {
  readonly asked: MicroLamports
  readonly needed: MicroLamports
} {
  const prices = dearest(offer.prices)
  const promptTokens = promptBound(body)
  const resumed = body.kind === 'generate' ? body.resume.length : 0
  const output = (limits.maxTokens ?? offer.contextLength) - resumed
  const costOf = (positions: number): MicroLamports =>
    cost(prices, { input: promptTokens, cached: 0, output: body.kind === 'embed' ? 0 : Math.max(0, positions) })
  const whole = costOf(output)
  const asked = limits.maxCost === null || limits.maxCost > whole ? whole : microLamports(limits.maxCost)
  return { asked, needed: least(asked, limits.maxTokens === null ? costOf(1) : whole) }
}

function least(first: MicroLamports, ...others: readonly MicroLamports[]): MicroLamports {
  return others.reduce((a, b) => (b < a ? b : a), first)
}

function most(a: MicroLamports, b: MicroLamports): MicroLamports {
  return a > b ? a : b
}
