/**
 * Brings the log back from a copy: from the seed, which gives the keys of the log, and from a peer or a folder that holds
 * what a `Replica` keeps. The store takes no appends until all of it is here.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Replica } from '../../ledger/store/replica.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import { HistoryError } from './errors.js'
import type { HistoryItem } from './items.js'
import { watched } from './watched.js'

/** The node's connections, as far as copies of its log are concerned. */
export interface Copies {
  /**
   * Lets every connected peer that keeps a copy replicate with the store, until `signal` is aborted. Resolves with the
   * number of those that hold something.
   */
  attach(store: LedgerStore, signal: AbortSignal): Promise<number>
}

/** How long a body may take to arrive before it, and all older ones, count as pruned. */
const BODY_PATIENCE_MS = 5000

/** `from`: a folder; null = the connected peers. Throws `HISTORY_NO_COPY`, `STORE_FORKED`. */
export async function* restoreHistory(
  store: LedgerStore,
  from: string | null,
  copies: Copies | null,
  signal: AbortSignal,
): AsyncGenerator<HistoryItem> {
  const source = from === null ? await peersWith(copies, store, signal) : await folderWith(from, store)
  try {
    const { transactions, bodyBlocks } = yield* watched((tell) =>
      store.restore({ atLeast: 0, patienceMs: BODY_PATIENCE_MS, signal, onProgress: tell }),
    )
    if (transactions === 0) throw HistoryError.NO_COPY('The copy holds nothing of this log: is it of another seed?')
    yield { summary: { count: transactions, note: `${bodyBlocks} blocks of contents came along.` } }
  } finally {
    await source.end()
  }
}

interface Source {
  end(): Promise<void>
}

async function peersWith(copies: Copies | null, store: LedgerStore, signal: AbortSignal): Promise<Source> {
  if (!copies) {
    throw HistoryError.NO_COPY(
      'A log comes back from a peer that keeps a copy, and no node runs here that could be connected to one. Start it with "swarmd up", or name a folder with --from DIR.',
    )
  }
  const over = new AbortController()
  const holders = await copies.attach(store, AbortSignal.any([signal, over.signal]))
  if (holders === 0) {
    over.abort()
    throw HistoryError.NO_COPY(
      'None of the connected peers keeps a copy of this log. Connect to one that does, or name a folder with --from DIR.',
    )
  }
  return {
    end: () => {
      over.abort()
      return Promise.resolve()
    },
  }
}

/** A folder in which a replica, or a backup of another ledger folder, lies. */
async function folderWith(folder: string, store: LedgerStore): Promise<Source> {
  if (!existsSync(join(folder, 'cores'))) {
    throw HistoryError.NO_COPY(`The folder ${folder} holds no copy of a log: there is no "cores" in it.`)
  }
  const replica = await Replica.open(folder, null, store.keys)
  const ours = store.replicate(true)
  const theirs = replica.replicate(false)
  for (const stream of [ours, theirs]) stream.on('error', () => undefined)
  ours.pipe(theirs).pipe(ours)
  return {
    end: async () => {
      ours.destroy()
      theirs.destroy()
      await replica.close()
    },
  }
}
