/**
 * Opening a long log and listing its newest transactions. `SWARMD_BENCH_TRANSACTIONS` sets the length; the goals are
 * meant for 1,000,000, and the default is short enough to run every time.
 */
import { randomBytes } from '../ledger/crypto.js'
import { LedgerStore } from '../ledger/store/store.js'
import type { Filter } from '../ledger/store/index-keys.js'
import type { Bench, Figure } from './figure.js'
import { percentile } from './figure.js'
import { benchFolder, bytesIn, PROVIDER, varied } from './ledger-entries.js'

const DEFAULT = 20_000
const ROWS = 50
const RUNS = 21
const GROUP = 2048

export const bench: Bench = {
  name: 'query',
  about: 'newest 50 of many transactions, all, by model, by peer, by hour; opening the log',
  async run({ note }): Promise<readonly Figure[]> {
    const count = Number(process.env['SWARMD_BENCH_TRANSACTIONS'] ?? DEFAULT)
    if (!Number.isSafeInteger(count) || count < ROWS)
      throw new Error('SWARMD_BENCH_TRANSACTIONS is no number of transactions')
    const folder = await benchFolder()
    const primaryKey = randomBytes(32)
    let store = await LedgerStore.open(folder.path, primaryKey)
    try {
      const begun = performance.now()
      for (let n = 0; n < count; n += GROUP) await fill(store, n, Math.min(count, n + GROUP))
      note(`${count} transactions without content appended in ${((performance.now() - begun) / 1000).toFixed(0)} s`)
      await store.close()
      const opening = performance.now()
      store = await LedgerStore.open(folder.path, primaryKey)
      const opened = performance.now() - opening
      note(`${((await bytesIn(folder.path)) / count).toFixed(0)} bytes on disk each`)
      const { entry } = (await store.query({}, 1))[0] ?? {}
      if (!entry) throw new Error('the log is empty')
      const { statement } = entry.transaction
      const figures: Figure[] = [{ figure: 'query.open', value: opened, unit: 'ms', goal: 1000, better: 'lower' }]
      const filters: readonly (readonly [string, Filter])[] = [
        ['newest', {}],
        ['model', { model: statement.modelRoot }],
        ['peer', { counterparty: statement.consumer }],
        ['hour', { from: entry.times.done - 3_600_000, to: entry.times.done }],
      ]
      for (const [name, filter] of filters) {
        const value = await measure(store, filter)
        figures.push({ figure: `query.${name}.p50`, value, unit: 'ms', goal: 20, better: 'lower' })
      }
      return figures
    } finally {
      await store.close()
      await folder.remove()
    }
  },
}

async function fill(store: LedgerStore, from: number, to: number): Promise<void> {
  const appends = Array.from({ length: to - from }, (_, i) => {
    const statement = { ...varied(from + i), id: randomBytes(16), counter: from + i, previous: PROVIDER.publicKey }
    const transaction = { statement, providerSignature: null, consumerSignature: null }
    return store.append({ role: 'provider', times: statement.times, transaction, ciphertext: null })
  })
  await Promise.all(appends)
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
