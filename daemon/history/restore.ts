/**
 * Brings back what was lost: the whole log from a folder that holds a copy of it (a `Replica`'s, or a backup), or from the
 * connected peers the transactions that each shares with this node.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Replica } from '../../ledger/store/replica.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import { HistoryError } from './errors.js'
import type { HistoryItem } from './items.js'
import { watched } from './watched.js'

/** The node's connections, as far as what peers share with this node is concerned. */
export interface Copies {
  /** Takes back every transaction that a connected peer holds of this node, and this log has not. */
  recover(
    store: LedgerStore,
    signal: AbortSignal,
    tell: (done: number, total: number) => void,
  ): Promise<{ readonly peers: number; readonly adopted: number }>
}

/** How long a body may take to arrive before it, and all older ones, count as pruned. */
const BODY_PATIENCE_MS = 5000

/** `from`: a folder with a whole copy; null = the connected peers, each of which has its part. Throws `HISTORY_NO_COPY`. */
export async function* restoreHistory(
  store: LedgerStore,
  from: string | null,
  copies: Copies | null,
  signal: AbortSignal,
): AsyncGenerator<HistoryItem> {
  yield* from === null ? fromPeers(store, copies, signal) : fromFolder(store, from, signal)
}

async function* fromPeers(store: LedgerStore, copies: Copies | null, signal: AbortSignal): AsyncGenerator<HistoryItem> {
  if (!copies) {
    throw HistoryError.NO_COPY(
      'No node runs here that could ask its peers. Start it with "swarmd serve" or "swarmd up", or name a folder with --from DIR.',
    )
  }
  const { peers, adopted } = yield* watched((tell) => copies.recover(store, signal, tell))
  if (peers === 0) {
    throw HistoryError.NO_COPY(
      'No connected peer answers for what it shares with this node. Wait for one ("swarmd peers"), or name a folder with --from DIR.',
    )
  }
  yield {
    summary: {
      count: adopted,
      note: `Answered by ${peers} connected ${peers === 1 ? 'peer' : 'peers'}, each with its own part.`,
    },
  }
}

async function* fromFolder(store: LedgerStore, from: string, signal: AbortSignal): AsyncGenerator<HistoryItem> {
  const source = await folderWith(from, store)
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
