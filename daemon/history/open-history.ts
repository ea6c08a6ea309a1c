/** The history of a data folder that no node runs on: opened under the folder's lock, and closed after one question. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { LedgerStore } from '../../ledger/store/store.js'
import type { Identity } from '../identity.js'
import { History } from './history.js'
import { ModelNames } from './model-names.js'

export interface OpenHistory {
  readonly history: History
  close(): Promise<void>
}

/** Has this data folder ever recorded anything? */
export function hasLedger(dataDir: string): boolean {
  return existsSync(join(dataDir, 'ledger', 'cores'))
}

/** Names that a node of this data folder knew models by. */
export function namesPath(dataDir: string): string {
  return join(dataDir, 'ledger', 'model-names')
}

/** The caller holds the folder's lock. Throws `STORE_*`. */
export async function openHistory(dataDir: string, identity: Identity): Promise<OpenHistory> {
  const store = await LedgerStore.open(join(dataDir, 'ledger'), identity.store())
  try {
    const names = await ModelNames.open(namesPath(dataDir))
    return {
      history: new History({ store: () => Promise.resolve(store), keys: identity, names, copies: null }),
      async close() {
        await names.close()
        await store.close()
      },
    }
  } catch (error) {
    await store.close()
    throw error
  }
}
