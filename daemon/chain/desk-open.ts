/** The desk of a data folder that no node runs on: everything is opened when it is first needed, and closed at the end. */
import { join } from 'node:path'
import { toBase58 } from '../../ledger/chain/base58.js'
import { LedgerStore } from '../../ledger/store/store.js'
import { ModelNames } from '../history/model-names.js'
import { namesPath } from '../history/open-history.js'
import type { Identity } from '../identity.js'
import type { NodeOptions } from '../node-options.js'
import { EarningsBook, earningsPath } from '../payment/earnings-book.js'
import { Desk } from './desk.js'
import { withoutChain } from './desk-errors.js'
import { chainGenesis } from './genesis.js'
import { openLink } from './link.js'
import type { ChainLink } from './link.js'

export interface OpenDesk {
  readonly desk: Desk
  close(): Promise<void>
}

/** No node runs: nothing is under way. */
const NOT_IN_USE = { leave: () => true, comeBack: () => undefined }

type Terms = Pick<NodeOptions, 'dataDir' | 'credit' | 'chain'>

/** The caller holds the folder's lock. Throws `STORE_*`, and what asking for the chain throws. */
export async function openDesk(terms: Terms, identity: Identity): Promise<OpenDesk> {
  const { dataDir, credit, chain: settings = null } = terms
  const closing: (() => Promise<void>)[] = []
  const once = <T extends { close(): Promise<void> }>(open: () => Promise<T>): (() => Promise<T>) => {
    let opened: Promise<T> | null = null
    return () =>
      (opened ??= open().then((one) => {
        closing.push(() => one.close())
        return one
      }))
  }
  const store = once(() => LedgerStore.open(join(dataDir, 'ledger'), identity.store()))
  const names = await ModelNames.open(namesPath(dataDir)).catch(() => null)
  if (names) closing.push(() => names.close())
  // A look must not tie the folder to whatever chain a mistyped address leads to: that is for the first start of a node.
  const genesis = settings && (await chainGenesis(dataDir, settings, false))
  let link: Promise<ChainLink> | null = null
  const linked = (): Promise<ChainLink> => {
    if (!settings || !genesis) return Promise.reject(new TypeError('there is no chain to open'))
    return (link ??= openLink({ dataDir, settings, genesis, wallet: identity.wallet(), now: Date.now }).then((one) => {
      closing.push(() => one.outbox.close())
      return one
    }))
  }
  return {
    desk: new Desk({
      store,
      book: once(async () => {
        await store()
        return EarningsBook.open(earningsPath(dataDir))
      }),
      credit,
      chain: genesis && { link: linked, genesis: toBase58(genesis), use: NOT_IN_USE },
      withoutChain: withoutChain(terms),
      nameOf: (root) => names?.nameOf(root) ?? null,
      now: Date.now,
    }),
    async close() {
      for (const step of closing.toReversed()) await step()
    },
  }
}
