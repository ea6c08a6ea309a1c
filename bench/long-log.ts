/**
 * A long log as a provider's node writes it: every transaction issued, countersigned, appended, synced and indexed. Content
 * is left out, or kept for the newest ones, as on a node that prunes.
 *
 * `SWARMD_BENCH_FOLDER` keeps the log between runs, as a data folder that the commands can open too.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { openIdentity } from '../daemon/identity.js'
import type { Identity } from '../daemon/identity.js'
import { randomBytes, signingKeyPair } from '../ledger/crypto.js'
import { complete, countersign } from '../ledger/receipt.js'
import type { LedgerStore } from '../ledger/store/store.js'
import { benchFolder, sealed, varied } from './ledger-entries.js'

/** Requests that end at about the same time: they share groups and syncs. */
const GROUP = 1024
const CONSUMERS = Array.from({ length: 200 }, () => signingKeyPair(randomBytes(32)))

export interface LongLog {
  readonly identity: Identity
  /** The data folder, and the ledger's in it. */
  readonly dataDir: string
  readonly ledger: string
  remove(): Promise<void>
}

export async function longLogFolder(): Promise<LongLog> {
  const kept = process.env['SWARMD_BENCH_FOLDER']
  const folder = kept === undefined ? await benchFolder() : { path: kept, remove: () => Promise.resolve() }
  await mkdir(folder.path, { recursive: true, mode: 0o700 })
  return {
    identity: openIdentity(folder.path),
    dataDir: folder.path,
    ledger: join(folder.path, 'ledger'),
    remove: () => folder.remove(),
  }
}

/** Appends transactions until there are `to`; those from `contentFrom` on with their content. */
export async function lengthen(
  store: LedgerStore,
  identity: Identity,
  to: number,
  contentFrom: number,
  note: (text: string) => void,
): Promise<void> {
  const { publicKey: provider, secretKey } = identity.node()
  const box = identity.box().publicKey
  const append = async (n: number): Promise<void> => {
    const consumer = CONSUMERS[(n * 31) % CONSUMERS.length] ?? signingKeyPair(randomBytes(32))
    const content = n >= contentFrom ? sealed(n, box) : null
    const drawn = content?.statement ?? { ...varied(n), id: randomBytes(16) }
    const asked = { ...drawn, provider, consumer: consumer.publicKey, channel: consumer.publicKey }
    const receipt = await store.issue(asked, secretKey)
    const { consumerSignature } = countersign(
      receipt,
      { ...asked, cumulativeAtMost: asked.cumulative },
      consumer.secretKey,
    )
    if (!consumerSignature) throw new Error('a countersignature is missing')
    const transaction = complete(receipt, consumerSignature)
    await store.append({ role: 'provider', times: asked.times, transaction, ciphertext: content?.ciphertext ?? null })
  }
  let told = performance.now()
  for (let n = store.length; n < to; n += GROUP) {
    await Promise.all(Array.from({ length: Math.min(GROUP, to - n) }, (_, i) => append(n + i)))
    if (performance.now() - told < 30_000) continue
    told = performance.now()
    note(`${store.length} of ${to} appended`)
  }
}
