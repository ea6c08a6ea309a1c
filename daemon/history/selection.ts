/** From what a person names to positions in the log, newest first, a page at a time. */
import b4a from 'b4a'
import type { Entry } from '../../ledger/store/entry.js'
import type { Filter, Named } from '../../ledger/store/index-keys.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import { HistoryError } from './errors.js'
import type { ModelNames } from './model-names.js'
import type { Selection } from './request.js'

/** Entries read at once: what a listing holds in memory. */
const PAGE = 50

export interface Found {
  readonly position: number
  readonly entry: Entry
}

type Store = Pick<LedgerStore, 'query' | 'beginningWith' | 'find' | 'get'>

/** At most `limit` (null = all). Stops between two pages when `signal` is aborted, with its reason. */
export async function* select(
  store: Store,
  names: ModelNames,
  selection: Selection,
  limit: number | null,
  signal: AbortSignal,
): AsyncGenerator<Found> {
  const { role } = selection
  const filter = await filterOf(store, names, selection)
  let before: number | null = null
  let left = limit ?? Infinity
  while (left > 0) {
    signal.throwIfAborted()
    const page: Found[] = await store.query(before === null ? filter : { ...filter, before }, PAGE)
    for (const found of page) {
      before = found.position
      if (role !== undefined && found.entry.role !== role) continue
      yield found
      if (--left === 0) return
    }
    if (page.length < PAGE) return
  }
}

/** The newest entry of the one transaction whose id begins so. Throws `HISTORY_NOT_FOUND` or `HISTORY_AMBIGUOUS`. */
export async function findOne(store: Store, given: string): Promise<Found> {
  const positions = await store.find(await named(store, 'id', 'transaction', given))
  const position = positions.at(-1)
  if (position === undefined) throw HistoryError.NOT_FOUND('transaction', given)
  return { position, entry: await store.get(position) }
}

async function filterOf(store: Store, names: ModelNames, selection: Selection): Promise<Filter> {
  const { model, peer, kind, since, until } = selection
  return {
    ...(model === undefined ? {} : { model: names.rootOf(model) ?? (await named(store, 'model', 'model', model)) }),
    ...(peer === undefined ? {} : { counterparty: await named(store, 'counterparty', 'peer', peer) }),
    ...(kind === undefined ? {} : { kind }),
    ...(since === undefined ? {} : { from: since }),
    ...(until === undefined ? {} : { to: until }),
  }
}

async function named(store: Store, what: Named, noun: string, given: string): Promise<Uint8Array> {
  const digits = given.toLowerCase()
  const most = what === 'id' ? 32 : 64
  if (!/^[0-9a-f]+$/.test(digits) || digits.length > most) throw HistoryError.NOT_FOUND(noun, given)
  const [first, second] = await store.beginningWith(what, digits, 2)
  if (!first) throw HistoryError.NOT_FOUND(noun, given)
  if (second) throw HistoryError.AMBIGUOUS(noun, given)
  return b4a.from(first)
}
