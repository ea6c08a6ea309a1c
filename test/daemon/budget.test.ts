import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { lamports, microLamports } from '../../ledger/amount.js'
import type { BudgetLimits } from '../../ledger/budget.js'
import { Budget } from '../../daemon/budget.js'
import { folderOf } from '../ledger/folder.js'

const DAY = 86_400_000
const NOON = 20_000 * DAY + DAY / 2
const LIMITS: BudgetLimits = {
  all: { perRequest: lamports(6n), perDay: lamports(8n) },
  keys: new Map([['laptop', { perRequest: null, perDay: lamports(3n) }]]),
}
const sol = (whole: bigint): ReturnType<typeof microLamports> => microLamports(whole * 1_000_000n)

function opened(path: string, clock: { now: number }, limits = LIMITS): Promise<Budget> {
  return Budget.open({ path, limits, now: () => clock.now })
}

test('what was spent today is known after a restart, by API key, and forgotten tomorrow', async (t) => {
  const path = join(folderOf(t), 'budget')
  const clock = { now: NOON }
  const first = await opened(path, clock)
  const one = first.reserve(sol(3n), 'laptop')
  one.settle(sol(2n))
  one.settle(sol(1n))
  const two = first.reserve(sol(5n), null)
  two.release()
  first.reserve(sol(1n), null).settle(sol(1n))
  await first.close()

  const again = await opened(path, clock)
  assert.deepEqual(
    again.view().map(({ key, spent, reserved }) => [key, spent, reserved]),
    [
      [null, sol(3n), 0n],
      ['laptop', sol(2n), 0n],
    ],
  )
  assert.equal(again.left('laptop'), sol(1n))
  assert.throws(() => again.reserve(sol(2n), 'laptop'), { code: 'BUDGET_EXCEEDED' })
  clock.now += DAY
  assert.equal(again.left('laptop'), sol(3n))
  await again.close()
  const tomorrow = await opened(path, clock)
  assert.equal(tomorrow.view()[0]?.spent, 0n)
  await tomorrow.close()
})

test('what a killed daemon had reserved counts as spent in full', async (t) => {
  const path = join(folderOf(t), 'budget')
  const clock = { now: NOON }
  const killed = await opened(path, clock)
  const done = killed.reserve(sol(1n), null)
  done.settle(sol(1n))
  await killed.reserve(sol(4n), null).durable()
  await killed.reserve(sol(2n), 'laptop').durable()
  // No close: the next one finds what the disk has.
  const next = await opened(path, clock)
  assert.equal(next.view()[0]?.spent, sol(7n))
  assert.equal(next.left('laptop'), sol(1n))
  next.reserve(sol(1n), 'laptop').settle(sol(1n))
  await next.close()
  const third = await opened(path, clock)
  assert.equal(third.view()[0]?.spent, sol(8n), 'the leftovers were settled once')
  await third.close()
  await killed.close()
})

test('what nothing was signed for is forgotten; what was paid is not, however soon it ends', async (t) => {
  const path = join(folderOf(t), 'budget')
  const killed = await opened(path, { now: NOON })
  killed.reserve(sol(2n), null)
  const short = killed.reserve(sol(2n), null)
  short.settle(sol(1n))
  await short.durable()
  const nothing = killed.reserve(sol(2n), null)
  nothing.release()
  await nothing.durable()
  const next = await opened(path, { now: NOON })
  assert.equal(next.view()[0]?.spent, sol(1n))
  await next.close()
  await killed.close()
})

test('a clock that went back between two starts gives no second budget', async (t) => {
  const path = join(folderOf(t), 'budget')
  const late = await opened(path, { now: NOON + DAY })
  late.reserve(sol(6n), null).settle(sol(6n))
  await late.close()
  const early = await opened(path, { now: NOON })
  assert.equal(early.left(null), sol(2n))
  await early.close()
})

test('requests that cost nothing leave nothing on the disk', async (t) => {
  const path = join(folderOf(t), 'budget')
  const budget = await opened(path, { now: NOON }, { all: { perRequest: lamports(0n), perDay: null }, keys: new Map() })
  const free = budget.reserve(sol(0n), null)
  await free.durable()
  free.settle(sol(0n))
  await budget.close()
  assert.equal(statSync(path).size, 0)
})

test('a closed budget takes reservations that may not be paid on', async (t) => {
  const budget = await opened(join(folderOf(t), 'budget'), { now: NOON })
  await budget.close()
  await assert.rejects(budget.reserve(sol(1n), null).durable(), { code: 'STORE_CLOSED' })
})
