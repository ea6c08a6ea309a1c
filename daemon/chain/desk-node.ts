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
import { bytesOf } from './link.js'
import type { ChannelUse } from './desk-closing.js'
import type { Purse } from '../payment/purse.js'
import type { Till } from '../payment/till.js'

export interface NodeDeskOptions {
  readonly terms: Pick<NodeOptions, 'dataDir' | 'credit' | 'chain'>
  readonly store: () => Promise<LedgerStore>
  readonly chain: Pick<Chain, 'link' | 'channels' | 'deposits'> | null
  readonly purse: Pick<Purse, 'retire'>
  readonly till: Pick<Till, 'busy'>
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
      chain: chain && genesis !== null ? { genesis, link: () => chain.link(), use: useOf(this.#options, chain) } : null,
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

/** As the keeper of channels does it (keeper.ts): first no new hand-outs, then no account in use. */
function useOf(
  { purse, till }: Pick<NodeDeskOptions, 'purse' | 'till'>,
  { channels, deposits }: Pick<Chain, 'channels' | 'deposits'>,
): ChannelUse {
  return {
    leave(channel, direction) {
      const id = bytesOf(channel)
      if (direction === 'in') {
        if (till.busy(id)) return false
        channels.close(id)
        return true
      }
      if (!deposits.leave(channel)) return false
      if (purse.retire(id)) return true
      deposits.comeBack(channel)
      return false
    },
    comeBack: (channel) => deposits.comeBack(channel),
  }
}
