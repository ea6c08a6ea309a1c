import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { lamports, microLamports } from '../../ledger/amount.js'
import { leftFor, NO_SPENDING, onDay, reservedOf, stepBudget } from '../../ledger/budget.js'
import type { BudgetEvent, BudgetLimits, BudgetState, SpendingLimit } from '../../ledger/budget.js'
import { LedgerError } from '../../ledger/errors.js'

const MICRO = 1_000_000n
const NONE: SpendingLimit = { perRequest: null, perDay: null }

function limits(all: Partial<SpendingLimit>, keys: Record<string, Partial<SpendingLimit>> = {}): BudgetLimits {
  return {
    all: { ...NONE, ...all },
    keys: new Map(Object.entries(keys).map(([name, one]) => [name, { ...NONE, ...one }])),
  }
}

function run(events: readonly BudgetEvent[], bounds: BudgetLimits, day = 0): BudgetState {
  return events.reduce((state, event) => stepBudget(state, event, bounds, day), NO_SPENDING)
}

function reserve(id: number, amount: bigint, key: string | null = null): BudgetEvent {
  return { type: 'reserve', id, key, amount: microLamports(amount) }
}

function settle(id: number, cost: bigint): BudgetEvent {
  return { type: 'settle', id, cost: microLamports(cost) }
}

/**
 * The same rules, told another way: a list of requests, each with a state, and sums over it. Amounts are whole and half
 * lamports, so that limits are met exactly as often as they are missed by the least.
 */
interface Modelled {
  readonly id: number
  readonly key: string | null
  readonly amount: bigint
  cost: bigint | null
  day: number
}

function modelAllows(all: readonly Modelled[], next: Modelled, bounds: BudgetLimits, day: number): boolean {
  const used = (mine: (one: Modelled) => boolean): bigint =>
    all.filter(mine).reduce((sum, one) => sum + (one.cost === null ? one.amount : one.day === day ? one.cost : 0n), 0n)
  const within = (limit: SpendingLimit, mine: (one: Modelled) => boolean): boolean =>
    (limit.perRequest === null || next.amount <= limit.perRequest * MICRO) &&
    (limit.perDay === null || used(mine) + next.amount <= limit.perDay * MICRO)
  const own = (next.key === null ? undefined : bounds.keys.get(next.key)) ?? NONE
  return next.amount === 0n || (within(bounds.all, () => true) && within(own, (one) => one.key === next.key))
}

const small = fc.option(fc.nat(8).map((value) => lamports(BigInt(value))))
const limit = fc.record({ perRequest: small, perDay: small })
const halves = fc.nat(12).map((value) => (BigInt(value) * MICRO) / 2n)

test('parallel requests of several keys, over several days, never go beyond any limit', () => {
  const action = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        what: fc.constant('reserve' as const),
        key: fc.constantFrom(null, 'a', 'b'),
        amount: halves,
      }),
    },
    { weight: 3, arbitrary: fc.record({ what: fc.constant('settle' as const), nth: fc.nat(8), share: fc.nat(2) }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('midnight' as const) }) },
  )
  let refused = 0
  let taken = 0
  fc.assert(
    fc.property(limit, limit, fc.array(action, { maxLength: 30 }), (all, ofA, actions) => {
      const bounds: BudgetLimits = { all, keys: new Map([['a', ofA]]) }
      const model: Modelled[] = []
      let state = NO_SPENDING
      let day = 3
      actions.forEach((one, id) => {
        if (one.what === 'midnight') day++
        if (one.what === 'reserve') {
          const next: Modelled = { id, key: one.key, amount: one.amount, cost: null, day }
          const allowed = modelAllows(model, next, bounds, day)
          const left = leftFor(state, bounds, one.key, day)
          assert.equal(allowed, one.amount === 0n || left === null || one.amount <= left, 'what is left is what passes')
          const event = reserve(id, one.amount, one.key)
          if (allowed) {
            state = stepBudget(state, event, bounds, day)
            model.push(next)
            taken++
          } else {
            assert.throws(() => stepBudget(state, event, bounds, day), { code: 'BUDGET_EXCEEDED' })
            refused++
          }
        }
        const running = model.filter(({ cost }) => cost === null)
        const ending = one.what === 'settle' ? running[one.nth % Math.max(1, running.length)] : undefined
        if (one.what === 'settle' && ending) {
          ending.cost = (ending.amount * BigInt(one.share)) / 2n
          ending.day = day
          state = stepBudget(state, settle(ending.id, ending.cost), bounds, day)
        }
        const spent = model.reduce((sum, { cost, day: ended }) => sum + (ended === day ? (cost ?? 0n) : 0n), 0n)
        const now = onDay(state, day)
        assert.equal(now.spent, spent)
        if (all.perDay !== null) {
          // Only what was reserved yesterday may stand above today's limit.
          assert.ok(spent + reservedOf(now) <= all.perDay * MICRO || model.some(({ day: at }) => at < day))
        }
      })
    }),
    { numRuns: 1500 },
  )
  assert.ok(refused > 100 && taken > 100, `${refused} refused, ${taken} taken`)
})

test('a limit may be used up to its last microlamport', () => {
  const bounds = limits({ perDay: lamports(2n) })
  const state = run([reserve(1, MICRO), settle(1, MICRO), reserve(2, MICRO)], bounds)
  assert.equal(leftFor(state, bounds, null, 0), 0n)
  assert.throws(() => stepBudget(state, reserve(3, 1n), bounds, 0), { code: 'BUDGET_EXCEEDED' })
})

test('what costs nothing passes an empty budget', () => {
  const bounds = limits({ perDay: lamports(0n), perRequest: lamports(0n) })
  assert.equal(run([reserve(1, 0n)], bounds).held.size, 1)
  assert.throws(() => run([reserve(1, 1n)], bounds), { code: 'BUDGET_EXCEEDED' })
})

test('more than was reserved is written down as it was', () => {
  const bounds = limits({ perDay: lamports(2n) })
  const state = run([reserve(1, MICRO), settle(1, 9n * MICRO)], bounds)
  assert.equal(state.spent, 9n * MICRO)
  assert.equal(leftFor(state, bounds, null, 0), 0n)
})

test('a day begins at midnight UTC with nothing spent, and what runs over midnight stays reserved', () => {
  const bounds = limits({ perDay: lamports(4n) })
  const evening = run([reserve(1, 3n * MICRO), reserve(2, MICRO), settle(2, MICRO)], bounds)
  assert.equal(leftFor(evening, bounds, null, 0), 0n)
  assert.equal(leftFor(evening, bounds, null, 1), MICRO)
  const morning = stepBudget(evening, settle(1, 2n * MICRO), bounds, 1)
  assert.equal(morning.spent, 2n * MICRO)
})

test('a clock that goes back gives no second budget', () => {
  const bounds = limits({ perDay: lamports(1n) })
  const state = run([reserve(1, MICRO), settle(1, MICRO)], bounds, 5)
  assert.equal(leftFor(state, bounds, null, 4), 0n)
})

test('an id that is unknown or known already is refused and changes nothing', () => {
  const bounds = limits({})
  const state = run([reserve(1, 5n)], bounds)
  assert.throws(() => stepBudget(state, reserve(1, 5n), bounds, 0), { code: 'REQUEST_DUPLICATE' })
  assert.throws(() => stepBudget(state, settle(2, 5n), bounds, 0), { code: 'REQUEST_UNKNOWN' })
  assert.throws(() => stepBudget(state, { type: 'release', id: 2 }, bounds, 0), { code: 'REQUEST_UNKNOWN' })
})

test('a refusal says which limit, how much is left and what to do', () => {
  const bounds = limits({ perDay: lamports(1_000_000_000n) }, { laptop: { perDay: lamports(500_000_000n) } })
  const ask = (): BudgetState => run([reserve(1, 600_000_000n * MICRO, 'laptop')], bounds)
  assert.throws(ask, (error) => {
    assert.ok(error instanceof LedgerError)
    assert.match(error.message, /up to 0\.6 SOL.*per day of the API key "laptop" \(0\.5 SOL\) has 0\.5 SOL left/)
    assert.match(error.message, /swarmd budget/)
    return true
  })
})
