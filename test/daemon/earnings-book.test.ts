/** Sums beside the log: always those of the log itself, whatever was interrupted, and never counted twice. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import fc from 'fast-check'
import { NodeDesk } from '../../daemon/chain/desk-node.js'
import { periodsOf } from '../../daemon/chain/desk-earnings.js'
import { EarningsBook, NOTHING_PAID, plus } from '../../daemon/payment/earnings-book.js'
import { microLamports } from '../../ledger/amount.js'
import type { Entry } from '../../ledger/store/entry.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import { draft, filled } from '../ledger/sample.js'

const DAY_MS = 86_400_000
/** Noon of day 20,000. */
const NOON = 20_000 * DAY_MS + DAY_MS / 2

interface Paid {
  readonly role: Entry['role']
  readonly done: number
  readonly model: number
  readonly cost: bigint
}

let serial = 0

function entry({ role, done, model, cost }: Paid): Entry {
  const times = { asked: done, firstToken: null, done }
  const statement = {
    ...draft(serial++, { modelRoot: filled(32, model), cost: microLamports(cost) }),
    counter: 0,
    previous: filled(32, 0),
  }
  return { role, times, body: null, transaction: { statement, providerSignature: null, consumerSignature: null } }
}

class FakeLog {
  readonly entries: Entry[] = []
  reads = 0

  get length(): number {
    return this.entries.length
  }

  bare(position: number): Promise<Entry> {
    this.reads++
    const found = this.entries[position]
    return found ? Promise.resolve(found) : Promise.reject(new Error(`nothing at ${position}`))
  }
}

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'swarmd-earnings-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function drain(book: EarningsBook, log: FakeLog, signal = new AbortController().signal): Promise<void> {
  for await (const _ of book.catchUp(log, signal));
}

/** The same by looking at everything. */
function naive(log: FakeLog, from: number, to: number): Record<string, unknown> {
  const sums = new Map<string, typeof NOTHING_PAID>()
  for (const { role, times, transaction } of log.entries) {
    const { cost, usage, modelRoot } = transaction.statement
    const day = Math.floor(times.done / DAY_MS)
    if (cost === 0n || day < from || day > to) continue
    const key = `${day} ${role} ${Buffer.from(modelRoot).toString('hex')}`
    const one = { requests: 1, inputTokens: usage.input + usage.cached, outputTokens: usage.output, cost }
    sums.set(key, plus(sums.get(key) ?? NOTHING_PAID, one))
  }
  return Object.fromEntries(sums)
}

function told(book: EarningsBook, from: number, to: number): Record<string, unknown> {
  return Object.fromEntries(
    [...book.between(from, to)].map(({ day, role, model, ...paid }) => [`${day} ${role} ${model}`, paid]),
  )
}

const PAID = fc.record({
  role: fc.constantFrom('consumer' as const, 'provider' as const),
  // Around two midnights.
  done: fc.integer({ min: -3, max: 3 }).chain((step) => fc.constantFrom(step, step + DAY_MS)),
  model: fc.integer({ min: 0, max: 1 }),
  cost: fc.bigInt({ min: 0n, max: 3n }),
})

test('the sums are those of the log after any mixture of appends, questions, starts and interruptions', async (t) => {
  const root = await folderOf(t)
  let number = 0
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.array(PAID, { maxLength: 5 }).map((paid) => ({ type: 'append' as const, paid })) },
    fc.constant({ type: 'ask' as const }),
    fc.constant({ type: 'start' as const }),
    fc.constant({ type: 'interrupt' as const }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const path = join(root, `book-${number++}`)
      const log = new FakeLog()
      let book = await EarningsBook.open(path)
      const base = 20_000 * DAY_MS
      for (const one of steps) {
        if (one.type === 'append')
          log.entries.push(...one.paid.map((paid) => entry({ ...paid, done: base + paid.done })))
        if (one.type === 'start') {
          await book.close()
          book = await EarningsBook.open(path)
        }
        if (one.type === 'interrupt') await drain(book, log, AbortSignal.abort()).catch(() => undefined)
        if (one.type !== 'ask') continue
        await drain(book, log)
        for (const [from, to] of [
          [19_999, 20_002],
          [20_000, 20_000],
          [20_001, 20_001],
        ] as const)
          assert.deepEqual(told(book, from, to), naive(log, from, to))
      }
      await book.close()
    }),
    { numRuns: 150 },
  )
})

test('what was summed once is not read again, and two that ask at once count nothing twice', async (t) => {
  const path = join(await folderOf(t), 'book')
  const log = new FakeLog()
  const more = (count: number): void => {
    for (let i = 0; i < count; i++) log.entries.push(entry({ role: 'provider', done: NOON, model: 1, cost: 7n }))
  }
  more(20_000)
  const book = await EarningsBook.open(path)
  await Promise.all([drain(book, log), drain(book, log)])
  assert.deepEqual(told(book, 0, 30_000), naive(log, 0, 30_000))
  await book.close()
  const again = await EarningsBook.open(path)
  log.reads = 0
  more(10)
  await drain(again, log)
  assert.ok(log.reads <= 12, `${log.reads} reads for ten new transactions`)
  assert.deepEqual(told(again, 0, 30_000), naive(log, 0, 30_000))
  await again.close()
})

test('a log that is another one than before is summed anew', async (t) => {
  const path = join(await folderOf(t), 'book')
  const [first, second] = [new FakeLog(), new FakeLog()]
  first.entries.push(...[1n, 2n, 3n].map((cost) => entry({ role: 'provider', done: NOON, model: 1, cost })))
  second.entries.push(...[5n, 5n, 5n, 5n].map((cost) => entry({ role: 'consumer', done: NOON, model: 2, cost })))
  const book = await EarningsBook.open(path)
  await drain(book, first)
  await drain(book, second)
  assert.deepEqual(told(book, 0, 30_000), naive(second, 0, 30_000))
  const shorter = new FakeLog()
  shorter.entries.push(...second.entries.slice(0, 2))
  await drain(book, shorter)
  assert.deepEqual(told(book, 0, 30_000), naive(shorter, 0, 30_000))
  await book.close()
})

test('periods are whole days of UTC, sums beyond 2^53 are exact, and groups come in order', async (t) => {
  const book = await EarningsBook.open(join(await folderOf(t), 'book'))
  const log = new FakeLog()
  const huge = 2n ** 60n
  const midnight = 20_000 * DAY_MS
  log.entries.push(
    entry({ role: 'provider', done: midnight, model: 1, cost: huge }),
    entry({ role: 'provider', done: midnight - 1, model: 2, cost: huge + 1n }),
    entry({ role: 'provider', done: midnight - 6 * DAY_MS, model: 2, cost: 1n }),
    entry({ role: 'provider', done: midnight - 6 * DAY_MS - 1, model: 1, cost: 10n }),
    entry({ role: 'consumer', done: midnight + 5, model: 1, cost: 100n }),
  )
  await drain(book, log)
  const ask = (since: number | null, by: 'model' | 'day' | null): ReturnType<typeof periodsOf> =>
    periodsOf(book, { since, by, now: NOON, nameOf: (root) => (root.startsWith('01') ? 'one' : null) })
  const { periods } = ask(midnight - 7 * DAY_MS + 5, null)
  assert.deepEqual(
    periods.map(({ name, from, to, earned, spent }) => [name, from, to, earned.cost, spent.cost]),
    [
      ['today', '2024-10-04', '2024-10-04', String(huge), '100'],
      ['week', '2024-09-28', '2024-10-04', String(2n * huge + 2n), '100'],
      ['since', '2024-09-27', '2024-10-04', String(2n * huge + 12n), '100'],
    ],
  )
  assert.deepEqual(
    ask(null, 'day').groups.map(({ key, earned }) => [key, earned.cost]),
    [
      ['2024-10-04', String(huge)],
      ['2024-10-03', String(huge + 1n)],
      ['2024-09-28', '1'],
    ],
  )
  assert.deepEqual(
    ask(null, 'model').groups.map(({ name, earned }) => [name, earned.requests]),
    [
      ['one', 1],
      [null, 2],
    ],
    'by what was paid, on both sides',
  )
  await book.close()
})

test('a running node keeps the sums level with its log, a batch at a time, and stops when it ends', async (t) => {
  const folder = await folderOf(t)
  await mkdir(join(folder, 'ledger'))
  const log = new FakeLog()
  for (let i = 0; i < 9_000; i++) log.entries.push(entry({ role: 'provider', done: NOON, model: 1, cost: 1n }))
  const terms = { dataDir: folder, credit: null, chain: null }
  const desk = new NodeDesk({
    terms,
    store: () => Promise.resolve(log as unknown as LedgerStore),
    chain: null,
    purse: { retire: () => true },
    till: { busy: () => false },
    nameOf: () => null,
  })
  desk.keep()
  while (log.reads < 9_000) await new Promise((resolve) => setImmediate(resolve))
  await desk.close()
  const book = await EarningsBook.open(join(folder, 'ledger', 'earnings'))
  assert.equal(book.position, 9_000)
  assert.deepEqual(told(book, 0, 30_000), naive(log, 0, 30_000))
  await book.close()
})
