/**
 * Brings back what was lost: the whole log from a folder that holds a copy of it (a `Replica`'s, or a backup), or from the
 * connected peers the transactions that each shares with this node.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isProven } from '../../ledger/store/shared-checks.js'
import type { SharedEntry } from '../../ledger/store/shared.js'
import { Replica } from '../../ledger/store/replica.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import { HistoryError } from './errors.js'
import type { HistoryKeys } from './history.js'
import type { HistoryItem } from './items.js'
import type { HistoryRequest } from './request.js'
import { watched } from './watched.js'

/** The node's connections, as far as what peers share with this node is concerned. */
export interface Copies {
  /** Takes back every transaction that a connected peer holds of this node, and this log has not. */
  recover(store: LedgerStore, options: RecoverOptions): Promise<Recovered>
}

export interface RecoverOptions {
  /** The first hexadecimal digits of the keys of those who are asked; null = everybody. */
  readonly peer: string | null
  /** Throws for what is forged; false = the peer alone has signed it, and nothing else speaks for it. */
  readonly isProven: (entry: SharedEntry) => boolean
  readonly signal: AbortSignal
  readonly tell: (done: number, total: number, doing?: string) => void
}

export interface Recovered {
  /** Peers that answered to the end. */
  readonly peers: number
  readonly adopted: number
  /** Left out, because nothing but the peer's own signature speaks for them. */
  readonly unproven: number
}

/** How long a body may take to arrive before it, and all older ones, count as pruned. */
const BODY_PATIENCE_MS = 5000

/** Throws `HISTORY_NO_COPY`, and what the store throws. */
export async function* restoreHistory(
  store: LedgerStore,
  { from, peer }: Extract<HistoryRequest, { op: 'restore' }>,
  copies: Copies | null,
  keys: Pick<HistoryKeys, 'box'>,
  signal: AbortSignal,
): AsyncGenerator<HistoryItem> {
  yield* from === null ? fromPeers(store, peer, copies, keys, signal) : fromFolder(store, from, signal)
}

async function* fromPeers(
  store: LedgerStore,
  peer: string | null,
  copies: Copies | null,
  keys: Pick<HistoryKeys, 'box'>,
  signal: AbortSignal,
): AsyncGenerator<HistoryItem> {
  if (!copies) {
    throw HistoryError.NO_COPY(
      'No node runs here that could ask its peers. Start it with "swarmd serve" or "swarmd up", or name a folder with --from DIR.',
    )
  }
  const box = keys.box()
  const { peers, adopted, unproven } = yield* watched((tell) =>
    copies.recover(store, {
      peer,
      isProven: (entry) => isProven(entry, box),
      signal,
      tell,
    }),
  )
  if (peers === 0 && adopted === 0) {
    throw HistoryError.NO_COPY(
      `No connected peer${peer === null ? '' : ` whose key begins with ${peer}`} answers for what it shares with this node. Wait for one ("swarmd peers"), or name a folder with --from DIR.`,
    )
  }
  const answered = `Answered by ${peers} connected ${peers === 1 ? 'peer' : 'peers'}, each with its own part.`
  const left = unproven === 0 ? '' : ` Left out: ${unproven} that nothing but the peer's own signature speaks for.`
  yield { summary: { count: adopted, note: `${answered}${left}` } }
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
