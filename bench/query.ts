/**
 * Opening a long log, listing its newest transactions, reading it by pages. `SWARMD_BENCH_TRANSACTIONS` sets the length;
 * the goals are meant for 1,000,000, and the default is short enough to run every time. `SWARMD_BENCH_FOLDER` keeps the log
 * for the next run, which only adds what is missing.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { LedgerStore } from '../ledger/store/store.js'
import type { Filter } from '../ledger/store/index-keys.js'
import type { Bench, Figure } from './figure.js'
import { percentile } from './figure.js'
import { bytesIn } from './ledger-entries.js'
import { lengthen, longLogFolder } from './long-log.js'
import type { LongLog } from './long-log.js'

const DEFAULT = 20_000
const ROWS = 50
const RUNS = 21
const READ = 10_000

export const bench: Bench = {
  name: 'query',
  about: 'newest 50 of many transactions, all, by model, by peer, by hour; opening the log',
  async run({ note }): Promise<readonly Figure[]> {
    const count = Number(process.env['SWARMD_BENCH_TRANSACTIONS'] ?? DEFAULT)
    if (!Number.isSafeInteger(count) || count < ROWS)
      throw new Error('SWARMD_BENCH_TRANSACTIONS is no number of transactions')
    const log = await longLogFolder()
    try {
      await filled(log, count, note)
      await killedAfter(log)
      const killed = await opened(log)
      await killed.store.close()
      const clean = await opened(log)
      note(`${((await bytesIn(log.ledger)) / clean.store.length).toFixed(0)} bytes on disk each`)
      const before = process.memoryUsage.rss()
      const figures: Figure[] = [
        { figure: 'query.open', value: clean.ms, unit: 'ms', goal: 1000, better: 'lower' },
        { figure: 'query.open.killed', value: killed.ms, unit: 'ms', goal: 1000, better: 'lower' },
        ...(await listings(clean.store)),
        await reading(clean.store),
      ]
      note(
        `${(before / 1e6).toFixed(0)} MB resident when open, ${(process.memoryUsage.rss() / 1e6).toFixed(0)} MB after`,
      )
      await clean.store.close()
      return figures
    } finally {
      await log.remove()
    }
  },
}

async function filled(log: LongLog, count: number, note: (text: string) => void): Promise<void> {
  const store = await LedgerStore.open(log.ledger, log.identity.store())
  const begun = performance.now()
  const missing = count - store.length
  await lengthen(store, log.identity, count, Infinity, note)
  if (missing > 0) note(`${missing} transactions appended in ${((performance.now() - begun) / 1000).toFixed(0)} s`)
  await store.close()
}

/** Another process appends some and kills itself. */
async function killedAfter({ dataDir }: LongLog): Promise<void> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./long-log-killed.js', import.meta.url))], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, SWARMD_BENCH_FOLDER: dataDir },
  })
  const [, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  if (signal !== 'SIGKILL') throw new Error('the other process did not kill itself')
}

async function opened({ ledger, identity }: LongLog): Promise<{ readonly store: LedgerStore; readonly ms: number }> {
  const begun = performance.now()
  const store = await LedgerStore.open(ledger, identity.store())
  return { store, ms: performance.now() - begun }
}

async function listings(store: LedgerStore): Promise<Figure[]> {
  const { entry } = (await store.query({}, 1))[0] ?? {}
  if (!entry) throw new Error('the log is empty')
  const { statement } = entry.transaction
  const { done } = entry.times
  const filters: readonly (readonly [string, Filter])[] = [
    ['newest', {}],
    ['model', { model: statement.modelRoot }],
    ['peer', { counterparty: statement.consumer }],
    ['hour', { from: done - 3_600_000, to: done }],
    ['month', { from: done - 30 * 86_400_000 }],
  ]
  const figures: Figure[] = []
  for (const [name, filter] of filters) {
    const value = await measure(store, filter)
    figures.push({ figure: `query.${name}.p50`, value, unit: 'ms', goal: 20, better: 'lower' })
  }
  return figures
}

async function measure(store: LedgerStore, filter: Filter): Promise<number> {
  const samples: number[] = []
  for (let run = 0; run < RUNS; run++) {
    const begun = performance.now()
    const rows = await store.query(filter, ROWS)
    samples.push(performance.now() - begun)
    if (rows.length === 0) throw new Error('a query found nothing')
  }
  return percentile(samples, 0.5)
}

/** As an export or a search reads it. */
async function reading(store: LedgerStore): Promise<Figure> {
  const begun = performance.now()
  let read = 0
  for (let before = store.length; read < READ && before > 0; read += ROWS) {
    const rows = await store.query({ before }, ROWS)
    before = rows.at(-1)?.position ?? 0
  }
  const value = read / ((performance.now() - begun) / 1000)
  return { figure: 'query.read', value, unit: 'per second', goal: null, better: 'higher' }
}
