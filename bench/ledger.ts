/**
 * Complete transactions a second: content encrypted and its key sealed twice, receipt signed and made durable, checked
 * and countersigned, the countersignature checked, appended with its content, synced to the disk and indexed. Consumer
 * and provider share one process here, so a node alone does less than this for each.
 */
import { complete, countersign } from '../ledger/receipt.js'
import { randomBytes } from '../ledger/crypto.js'
import { LedgerStore } from '../ledger/store/store.js'
import type { Bench, Figure } from './figure.js'
import { percentile } from './figure.js'
import { benchFolder, bytesIn, CONSUMER, CONTENT, PROVIDER, sealed } from './ledger-entries.js'

const WARM_UP = 500
const TRANSACTIONS = 6000
/** Requests that end at about the same time and so share a sync. */
const PARALLEL = 128

export const bench: Bench = {
  name: 'ledger',
  about: 'signed, sealed, durable and indexed transactions a second',
  async run({ note }): Promise<readonly Figure[]> {
    const folder = await benchFolder()
    const store = await LedgerStore.open(folder.path, randomBytes(32))
    try {
      await transact(store, WARM_UP, 0)
      const begun = performance.now()
      const latencies = await transact(store, TRANSACTIONS, WARM_UP)
      const seconds = (performance.now() - begun) / 1000
      const total = WARM_UP + TRANSACTIONS
      const size = (await bytesIn(folder.path)) / total
      const content = CONTENT.request.byteLength + CONTENT.response.byteLength
      note(`${TRANSACTIONS} transactions, ${PARALLEL} at a time, in ${seconds.toFixed(1)} s`)
      note(`${size.toFixed(0)} bytes on disk each before compaction, ${content} of them content`)
      return [
        { figure: 'ledger.rate', value: TRANSACTIONS / seconds, unit: 'per second', goal: 1000, better: 'higher' },
        { figure: 'ledger.durable.p50', value: percentile(latencies, 0.5), unit: 'ms', goal: null, better: 'lower' },
        { figure: 'ledger.disk', value: size, unit: 'bytes', goal: null, better: 'lower' },
      ]
    } finally {
      await store.close()
      await folder.remove()
    }
  },
}

/** Milliseconds that each took from the end of the answer to the disk. */
async function transact(store: LedgerStore, count: number, from: number): Promise<number[]> {
  const latencies: number[] = []
  let next = from
  const worker = async (): Promise<void> => {
    while (next < from + count) {
      const { statement, ciphertext } = sealed(next++)
      const asked = { ...statement, consumer: CONSUMER.publicKey }
      const begun = performance.now()
      const receipt = await store.issue(asked, PROVIDER.secretKey)
      const { consumerSignature } = countersign(
        receipt,
        { ...asked, cumulativeAtMost: asked.cumulative },
        CONSUMER.secretKey,
      )
      if (!consumerSignature) throw new Error('a countersignature is missing')
      const transaction = complete(receipt, consumerSignature)
      await store.append({ role: 'provider', times: asked.times, transaction, ciphertext })
      latencies.push(performance.now() - begun)
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, worker))
  return latencies
}
