/** What the control socket of a running node answers about its ledger and its money: each part opened when asked. */
import { budgetViews } from '../budget-view.js'
import type { Budget } from '../budget.js'
import type { Stream } from '../control/server.js'
import type { NodeDesk, NodeDeskOptions } from '../chain/desk-node.js'
import type { NodeOptions } from '../node-options.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import { HistoryError } from './errors.js'
import { History } from './history.js'
import type { HistoryKeys } from './history.js'
import { ModelNames } from './model-names.js'
import { namesPath } from './open-history.js'
import type { Copies } from './restore.js'

export interface LedgerParts {
  readonly identity: HistoryKeys
  readonly books: { store(): Promise<LedgerStore> }
  readonly budget: Pick<Budget, 'view'> | null
  readonly chain: NodeDeskOptions['chain']
  readonly purse: NodeDeskOptions['purse']
  readonly till: NodeDeskOptions['till']
}

export interface LedgerStreamsOptions {
  readonly dataDir: string
  readonly terms: Pick<NodeOptions, 'dataDir' | 'credit' | 'chain'>
  /** null: not open yet. */
  readonly parts: () => LedgerParts | null
  /** The models that this node knows now. */
  readonly models: () => readonly { readonly root: string; readonly id: string }[]
  readonly copies: () => Copies | null
}

export class LedgerStreams {
  readonly streams: { readonly history: Stream; readonly budget: Stream; readonly desk: Stream }
  readonly #options: LedgerStreamsOptions
  #names: Promise<ModelNames> | null = null
  #desk: Promise<NodeDesk> | null = null
  #closed = false

  constructor(options: LedgerStreamsOptions) {
    this.#options = options
    this.streams = {
      history: (params, signal) => this.#history(params, signal),
      budget: () => this.#budget(),
      desk: (params, signal) => this.#atDesk(params, signal),
    }
  }

  /** Sums of what is earned and spent are kept level with the log from here on. */
  async keepEarnings(): Promise<void> {
    const desk = await this.#openDesk()
    if (!this.#closed) desk.keep()
  }

  /** Remembers under which names this node knows the models in its log. */
  async close(): Promise<void> {
    this.#closed = true
    await (await this.#desk)?.close()
    const parts = this.#options.parts()
    if (parts) await this.#learn(await parts.books.store())
    await (await this.#names)?.close()
  }

  async *#history(params: unknown, signal: AbortSignal): AsyncGenerator<unknown> {
    const { identity, books } = this.#parts()
    const store = await books.store()
    const names = await this.#learn(store)
    const copies = this.#options.copies()
    yield* new History({ store: () => Promise.resolve(store), keys: identity, names, copies }).run(params, signal)
  }

  async *#budget(): AsyncGenerator<unknown> {
    const { books } = this.#parts()
    await books.store()
    yield* budgetViews(this.#parts().budget?.view() ?? [])
  }

  async *#atDesk(params: unknown, signal: AbortSignal): AsyncGenerator<unknown> {
    yield* (await this.#openDesk()).run(params, signal)
  }

  async #openDesk(): Promise<NodeDesk> {
    const { chain, books, purse, till } = this.#parts()
    const names = await this.#learn(await books.store())
    return (this.#desk ??= import('../chain/desk-node.js').then(
      ({ NodeDesk }) =>
        new NodeDesk({
          terms: this.#options.terms,
          store: () => books.store(),
          chain,
          purse,
          till,
          nameOf: (root) => names.nameOf(root),
        }),
    ))
  }

  #parts(): LedgerParts {
    const parts = this.#options.parts()
    if (parts) return parts
    throw HistoryError.NOT_READY()
  }

  /** Only models that the log holds: names come from peers, and their number must not be theirs to choose. */
  async #learn(store: LedgerStore): Promise<ModelNames> {
    const names = await (this.#names ??= ModelNames.open(namesPath(this.#options.dataDir)))
    for (const { root, id } of this.#options.models()) {
      if (names.nameOf(root) === id) continue
      const [used] = await store.beginningWith('model', root, 1)
      if (used) await names.learn(root, id)
    }
    return names
  }
}
