/**
 * The owner's window on the ledger: every question of `swarmd history`, whether it comes over the control socket of a
 * running node or from a command that holds the data folder itself.
 *
 * An answer is a stream of items that ends with its summary. The reader's pace is the back-pressure: nothing is read from
 * the log before the last item was taken, and at most one page of it is in memory.
 */
import { exportTransaction, verifyExport } from '../../ledger/proof.js'
import type { Disclosure } from '../../ledger/proof.js'
import { openContentKey } from '../../ledger/content.js'
import type { KeyPair } from '../../ledger/crypto.js'
import { LedgerError } from '../../ledger/errors.js'
import type { Entry } from '../../ledger/store/entry.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import { windowProofs } from '../../ledger/store/window-proofs.js'
import { conversationOf, excerptOf, exchangeJson, exchangeOf } from './contents.js'
import type { Exchange } from './contents.js'
import { CSV_HEADER, csvLine } from './csv.js'
import { HistoryError } from './errors.js'
import type { HistoryItem } from './items.js'
import type { ModelNames } from './model-names.js'
import { parseHistoryRequest } from './request.js'
import type { HistoryRequest } from './request.js'
import { restoreHistory } from './restore.js'
import type { Copies } from './restore.js'
import { findOne, select } from './selection.js'
import { detailOf, rowOf } from './views.js'
import { watched } from './watched.js'

/** The keys that the history reads with. */
export interface HistoryKeys {
  /** Content keys are sealed to it. */
  box(): KeyPair
  /** Signs checkpoints. */
  node(): KeyPair
}

export interface HistoryOptions {
  /** The open store; rejects with the reason why there is none. */
  readonly store: () => Promise<LedgerStore>
  readonly keys: HistoryKeys
  readonly names: ModelNames
  /** Peers that may hold a copy of the log; null = this node has no connections. */
  readonly copies: Copies | null
}

/** Characters of a text in one item. */
const PIECE = 64 * 1024
/** Entries between two items that say how far a search is. */
const TELL_EVERY = 256

export class History {
  readonly #options: HistoryOptions

  constructor(options: HistoryOptions) {
    this.#options = options
  }

  /** Throws `HISTORY_*`, `STORE_*`, or the reason of the abort. `raw`: a `HistoryRequest` as JSON. */
  async *run(raw: unknown, signal: AbortSignal): AsyncGenerator<HistoryItem> {
    const request = parseHistoryRequest(raw)
    yield* this.#answer(request, await this.#options.store(), signal)
  }

  #answer(request: HistoryRequest, store: LedgerStore, signal: AbortSignal): AsyncGenerator<HistoryItem> {
    switch (request.op) {
      case 'list':
        return this.#list(store, request, signal)
      case 'search':
        return this.#search(store, request, signal)
      case 'show':
        return this.#show(store, request.id)
      case 'proof':
        return this.#proof(store, request)
      case 'export':
        return request.format === 'csv'
          ? this.#csv(store, request, signal)
          : this.#conversations(store, request, signal)
      case 'prune':
        return prune(store, 'before' in request ? { before: request.before } : { keepBytes: request.keepBytes })
      case 'forget':
        return this.#forget(store, request.id)
      case 'verify':
        return this.#verify(store, signal)
      case 'restore':
        return restoreHistory(store, request, this.#options.copies, this.#options.keys, signal)
    }
  }

  async *#list(
    store: LedgerStore,
    { selection, limit }: Extract<HistoryRequest, { op: 'list' }>,
    signal: AbortSignal,
  ): AsyncGenerator<HistoryItem> {
    const { names } = this.#options
    let count = 0
    for await (const found of select(store, names, selection, limit, signal)) {
      count++
      yield { row: rowOf(found, names) }
    }
    yield { summary: { count } }
  }

  async *#search(
    store: LedgerStore,
    { text, selection, limit }: Extract<HistoryRequest, { op: 'search' }>,
    signal: AbortSignal,
  ): AsyncGenerator<HistoryItem> {
    const { names } = this.#options
    const wanted = text.toLowerCase()
    let done = 0
    let count = 0
    for await (const found of select(store, names, selection, null, signal)) {
      const exchange = await this.#exchange(store, found.entry)
      const excerpt = exchange && excerptOf(exchange, wanted)
      if (++done % TELL_EVERY === 0) yield { progress: { done, total: store.length } }
      if (excerpt === null) continue
      count++
      yield { row: { ...rowOf(found, names), excerpt } }
      if (count === limit) break
    }
    yield { summary: { count } }
  }

  async *#show(store: LedgerStore, id: string): AsyncGenerator<HistoryItem> {
    const found = await findOne(store, id)
    const disclosure = await this.#disclosure(store, found.entry)
    const verdict = verifyExport({ transaction: found.entry.transaction, disclosure, windows: [] })
    yield { detail: detailOf(found, this.#options.names, await store.contentState(found.entry), verdict) }
    if (disclosure) yield* pieces(exchangeJson(exchangeOf(disclosure.content)))
    yield { summary: { count: 1 } }
  }

  async *#proof(
    store: LedgerStore,
    { id, content, windows = null }: Extract<HistoryRequest, { op: 'proof' }>,
  ): AsyncGenerator<HistoryItem> {
    const { entry } = await findOne(store, id)
    const shown = windows && (await windowProofs(store, entry, this.#options.keys.box(), windows))
    if (windows && !shown) throw HistoryError.NO_EVIDENCE()
    const disclosure = content ? await this.#disclosure(store, entry) : null
    if (content && !disclosure) throw HistoryError.NO_CONTENT(await store.contentState(entry))
    yield* pieces(exportTransaction({ transaction: entry.transaction, disclosure, windows: shown ?? [] }))
    yield { summary: { count: 1 } }
  }

  async *#csv(
    store: LedgerStore,
    { selection, limit }: Extract<HistoryRequest, { op: 'export' }>,
    signal: AbortSignal,
  ): AsyncGenerator<HistoryItem> {
    const { names } = this.#options
    let count = 0
    let text = CSV_HEADER
    for await (const found of select(store, names, selection, limit, signal)) {
      count++
      text += csvLine(found, names)
      if (text.length < PIECE) continue
      yield { text }
      text = ''
    }
    if (text !== '') yield { text }
    yield { summary: { count } }
  }

  async *#conversations(
    store: LedgerStore,
    { selection, limit }: Extract<HistoryRequest, { op: 'export' }>,
    signal: AbortSignal,
  ): AsyncGenerator<HistoryItem> {
    const skipped: Record<string, number> = {}
    let count = 0
    // What others asked is theirs: it is exported only when that side was named.
    const mine = { role: 'consumer', ...selection } as const
    for await (const { entry } of select(store, this.#options.names, mine, null, signal)) {
      const exchange = await this.#exchange(store, entry)
      const line = exchange ? conversationOf(exchange) : `content ${await store.contentState(entry)}`
      if (typeof line === 'string') {
        skipped[line] = (skipped[line] ?? 0) + 1
        continue
      }
      yield* pieces(`${JSON.stringify(line)}\n`)
      if (++count === limit) break
    }
    yield { summary: { count, skipped } }
  }

  async *#forget(store: LedgerStore, id: string): AsyncGenerator<HistoryItem> {
    const found = await findOne(store, id)
    // An id is chosen by the consumer, so several entries may claim it: all of them are meant.
    await store.forget(await store.find(found.entry.transaction.statement.id))
    yield { row: rowOf(found, this.#options.names) }
    yield { summary: { count: 1 } }
  }

  async *#verify(store: LedgerStore, signal: AbortSignal): AsyncGenerator<HistoryItem> {
    const { publicKey } = this.#options.keys.node()
    const report = yield* watched((tell) => store.verify(publicKey, tell, signal))
    yield { summary: { count: report.transactions, report } }
  }

  /** null when there is no content to decrypt, or when it cannot be read by this version. */
  async #exchange(store: LedgerStore, entry: Entry): Promise<Exchange | null> {
    try {
      const content = await store.content(entry, this.#options.keys.box())
      return content && exchangeOf(content)
    } catch (error) {
      if (error instanceof LedgerError) return null
      throw error
    }
  }

  async #disclosure(store: LedgerStore, entry: Entry): Promise<Disclosure | null> {
    const box = this.#options.keys.box()
    const content = await store.content(entry, box)
    if (!content) return null
    const { sealedForConsumer, sealedForProvider } = entry.transaction.statement
    const sealed = entry.role === 'consumer' ? sealedForConsumer : sealedForProvider
    return { contentKey: openContentKey(sealed, box), content }
  }
}

async function* prune(store: LedgerStore, what: Parameters<LedgerStore['prune']>[0]): AsyncGenerator<HistoryItem> {
  const count = await store.prune(what)
  yield { summary: { count } }
}

function* pieces(text: string): Generator<HistoryItem> {
  for (let at = 0; at < text.length; at += PIECE) yield { text: text.slice(at, at + PIECE) }
}
