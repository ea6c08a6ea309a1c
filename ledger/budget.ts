/**
 * What the owner lets this node spend, as a pure value: reserve → settle | release. A request is reserved at the most that
 * it may cost, before any byte of it leaves, so parallel requests together never exceed a limit either.
 *
 *   spent today + reserved + the new request ≤ per day          for everything, and for the API key that asks
 *   the new request                          ≤ per request      likewise
 *
 * A day is one of UTC. What ends after midnight counts for the day on which it ends; what runs over midnight stays
 * reserved. Limits bind reservations only: what was really spent is always written down.
 */
import {
  ceilToLamports,
  formatLamports,
  formatMicroLamports,
  microLamports,
  NO_COST,
  toMicroLamports,
} from './amount.js'
import type { Lamports, MicroLamports } from './amount.js'
import { LedgerError } from './errors.js'

const DAY_MS = 86_400_000

/** null = no limit. */
export interface SpendingLimit {
  readonly perRequest: Lamports | null
  readonly perDay: Lamports | null
}

export interface BudgetLimits {
  /** Everything that this node spends. */
  readonly all: SpendingLimit
  /** By the name of the API key; each holds beside `all`. */
  readonly keys: ReadonlyMap<string, SpendingLimit>
}

export interface Held {
  readonly key: string | null
  readonly amount: MicroLamports
}

export interface BudgetState {
  /** Days since 1970, UTC. */
  readonly day: number
  /** On that day. */
  readonly spent: MicroLamports
  readonly spentByKey: ReadonlyMap<string, MicroLamports>
  readonly held: ReadonlyMap<number, Held>
}

export type BudgetEvent =
  /** `amount`: the most that the request may cost; `key`: the name of the API key that asks, null = none. */
  | { readonly type: 'reserve'; readonly id: number; readonly key: string | null; readonly amount: MicroLamports }
  /** It has ended and cost this much, which may be more than was reserved. */
  | { readonly type: 'settle'; readonly id: number; readonly cost: MicroLamports }
  /** It has ended and cost nothing. */
  | { readonly type: 'release'; readonly id: number }

export const NO_SPENDING: BudgetState = { day: 0, spent: NO_COST, spentByKey: new Map(), held: new Map() }

export function dayOf(unixMs: number): number {
  return Math.floor(unixMs / DAY_MS)
}

/**
 * The state after `event`, which happens on `day`. Throws `BUDGET_EXCEEDED` and changes nothing when a limit says no,
 * `REQUEST_UNKNOWN` and `REQUEST_DUPLICATE` for ids that do not fit. An earlier day than the state's (a clock that went
 * back) counts as the state's own.
 */
export function stepBudget(before: BudgetState, event: BudgetEvent, limits: BudgetLimits, day: number): BudgetState {
  const state = onDay(before, day)
  switch (event.type) {
    case 'reserve':
      if (state.held.has(event.id)) throw LedgerError.REQUEST_DUPLICATE(String(event.id))
      assertWithin(state, limits, event.key, event.amount)
      return { ...state, held: new Map(state.held).set(event.id, { key: event.key, amount: event.amount }) }
    case 'settle':
      return settle(state, event.id, event.cost)
    case 'release':
      return settle(state, event.id, NO_COST)
  }
}

/** The most that a request of this key may be reserved with now; null = no limit. */
export function leftFor(
  state: BudgetState,
  limits: BudgetLimits,
  key: string | null,
  day: number,
): MicroLamports | null {
  const rooms = boundsOf(onDay(state, day), limits, key).map(({ room }) => room)
  return rooms.length === 0 ? null : rooms.reduce((a, b) => (b < a ? b : a))
}

/** What is reserved for requests under way; `key` undefined = for all. */
export function reservedOf(state: BudgetState, key?: string): MicroLamports {
  let sum = NO_COST
  for (const held of state.held.values()) {
    if (key === undefined || held.key === key) sum = microLamports(sum + held.amount)
  }
  return sum
}

/** The same state at the beginning of `day`, if that is later: nothing is spent yet. */
export function onDay(state: BudgetState, day: number): BudgetState {
  return day > state.day ? { ...state, day, spent: NO_COST, spentByKey: new Map() } : state
}

interface Bound {
  /** Completes "… the budget …". */
  readonly name: string
  readonly limit: Lamports
  /** How much of it is free. */
  readonly room: MicroLamports
}

function boundsOf(state: BudgetState, limits: BudgetLimits, key: string | null): readonly Bound[] {
  const ofKey = key === null ? undefined : limits.keys.get(key)
  const used = state.spent + reservedOf(state)
  const usedByKey = key === null ? 0n : (state.spentByKey.get(key) ?? 0n) + reservedOf(state, key)
  const bound = (name: string, limit: Lamports | null | undefined, taken: bigint): Bound[] => {
    if (limit === null || limit === undefined) return []
    const free = toMicroLamports(limit) - taken
    return [{ name, limit, room: free > 0n ? microLamports(free) : NO_COST }]
  }
  return [
    ...bound('per request', limits.all.perRequest, 0n),
    ...bound('per day', limits.all.perDay, used),
    ...bound(`per request of the API key "${key}"`, ofKey?.perRequest, 0n),
    ...bound(`per day of the API key "${key}"`, ofKey?.perDay, usedByKey),
  ]
}

/** A request that costs nothing passes whatever is spent. */
function assertWithin(state: BudgetState, limits: BudgetLimits, key: string | null, amount: MicroLamports): void {
  const broken = boundsOf(state, limits, key).find(({ room }) => amount > room)
  if (!broken || amount === 0n) return
  const { name, limit, room } = broken
  throw LedgerError.BUDGET_EXCEEDED(
    `The request may cost up to ${formatLamports(ceilToLamports(amount))}, and the budget ${name} (${formatLamports(limit)}) ` +
      `has ${formatMicroLamports(room)} left. Ask for fewer tokens, or raise the budget ("swarmd budget").`,
  )
}

function settle(state: BudgetState, id: number, cost: MicroLamports): BudgetState {
  const one = state.held.get(id)
  if (!one) throw LedgerError.REQUEST_UNKNOWN(String(id))
  const held = new Map(state.held)
  held.delete(id)
  if (one.key === null) return { ...state, held, spent: microLamports(state.spent + cost) }
  const ofKey = microLamports((state.spentByKey.get(one.key) ?? 0n) + cost)
  return {
    ...state,
    held,
    spent: microLamports(state.spent + cost),
    spentByKey: new Map(state.spentByKey).set(one.key, ofKey),
  }
}
