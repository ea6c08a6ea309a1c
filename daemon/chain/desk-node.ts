/** The desk inside a running node: the same as without one, on what the node has open already. */
import { setTimeout as sleep } from 'node:timers/promises'
import safetyCatch from 'safety-catch'
import { fromBase58, toBase58 } from '../../ledger/chain/base58.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import type { NodeOptions } from '../node-options.js'
import { CALM, EarningsBook, earningsPath } from '../payment/earnings-book.js'
import type { DeskItem } from './desk-items.js'
import { withoutChain } from './desk-errors.js'
import { chainGenesis } from './genesis.js'
import type { Chain } from './open.js'
import type { ChannelUse } from './desk-closing.js'
import type { Purse } from '../payment/purse.js'
import type { Till } from '../payment/till.js'

/** Between two batches that are behind, and two looks when there is nothing to do. */
const BREATH_MS = 200
const REST_MS = 60_000

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
  readonly #closing = new AbortController()
  #book: Promise<EarningsBook> | null = null
  #keeping: Promise<void> | null = null

  constructor(options: NodeDeskOptions) {
    this.#options = options
  }

  async *run(params: unknown, signal: AbortSignal): AsyncGenerator<DeskItem> {
    const { terms, store, chain, nameOf } = this.#options
    const genesis = chain && terms.chain ? toBase58(await chainGenesis(terms.dataDir, terms.chain)) : null
    // Solana's libraries come with it: not before somebody asks.
    const { Desk } = await import('./desk.js')
    const desk = new Desk({
      store,
      book: () => this.#opened(),
      credit: terms.credit,
      chain: chain && genesis !== null ? { genesis, link: () => chain.link(), use: useOf(this.#options, chain) } : null,
      withoutChain: withoutChain(terms),
      nameOf,
      now: Date.now,
    })
    yield* desk.run(params, signal)
  }

  /** Keeps the sums level with the log while the node runs, so that nobody waits for them. Idempotent. */
  keep(): void {
    this.#keeping ??= this.#keep().catch(safetyCatch)
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#keeping
    await (await this.#book)?.close()
  }

  async #keep(): Promise<void> {
    const { signal } = this.#closing
    const [store, book] = [await this.#options.store(), await this.#opened()]
    while (!signal.aborted) {
      for await (const _ of book.catchUp(store, signal, CALM));
      const behind = book.position < store.length
      await sleep(behind ? BREATH_MS : REST_MS, null, { signal, ref: false }).catch(() => null)
    }
  }

  #opened(): Promise<EarningsBook> {
    return (this.#book ??= EarningsBook.open(earningsPath(this.#options.terms.dataDir)))
  }
}

/** As the keeper of channels does it (keeper.ts): first no new hand-outs, then no account in use. */
function useOf(
  { purse, till }: Pick<NodeDeskOptions, 'purse' | 'till'>,
  { channels, deposits }: Pick<Chain, 'channels' | 'deposits'>,
): ChannelUse {
  return {
    leave(channel, direction) {
      const id = fromBase58(channel, 32) ?? new Uint8Array(32)
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
