/** The desk inside a running node: the same as without one, on what the node has open already. */
import { toBase58 } from '../../ledger/chain/base58.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import type { NodeOptions } from '../node-options.js'
import { EarningsBook } from '../payment/earnings-book.js'
import { Desk } from './desk.js'
import type { DeskItem } from './desk-items.js'
import { earningsPath, withoutChain } from './desk-open.js'
import { chainGenesis } from './genesis.js'
import type { Chain } from './open.js'

export interface NodeDeskOptions {
  readonly terms: Pick<NodeOptions, 'dataDir' | 'credit' | 'chain'>
  readonly store: () => Promise<LedgerStore>
  readonly chain: Pick<Chain, 'link' | 'channels'> | null
  /** A model's name by its hex root. */
  readonly nameOf: (root: string) => string | null
}

export class NodeDesk {
  readonly #options: NodeDeskOptions
  #book: Promise<EarningsBook> | null = null

  constructor(options: NodeDeskOptions) {
    this.#options = options
  }

  async *run(params: unknown, signal: AbortSignal): AsyncGenerator<DeskItem> {
    const { terms, store, chain, nameOf } = this.#options
    const genesis = chain && terms.chain ? toBase58(await chainGenesis(terms.dataDir, terms.chain)) : null
    const desk = new Desk({
      store,
      book: () => (this.#book ??= EarningsBook.open(earningsPath(terms.dataDir))),
      credit: terms.credit,
      chain:
        chain && genesis !== null
          ? { genesis, link: () => chain.link(), closing: (channel) => chain.channels.close(channel) }
          : null,
      withoutChain: withoutChain(terms),
      nameOf,
      now: Date.now,
    })
    yield* desk.run(params, signal)
  }

  async close(): Promise<void> {
    await (await this.#book)?.close()
  }
}
