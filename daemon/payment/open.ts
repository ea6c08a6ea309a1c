/**
 * The daemon's dealings, put together: everything that needs keys, a ledger or sodium, loaded once the local API answers.
 */
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { sealEvidence } from '../../ledger/evidence.js'
import { EvidenceKeeper } from '../../ledger/store/evidence-keeper.js'
import { evidenceFolder, LedgerStore } from '../../ledger/store/store.js'
import { receiptHash } from '../../ledger/transaction.js'
import type { Statement } from '../../ledger/transaction.js'
import type { Swarm } from '../../swarm/port.js'
import { Budget } from '../budget.js'
import type { KeyPair } from '../crypto.js'
import { Chain } from '../chain/open.js'
import { networkId, openIdentity } from '../identity.js'
import type { Identity } from '../identity.js'
import type { NodeOptions } from '../node-options.js'
import { earlierKeys, nextRunKey } from '../run-keys.js'
import { Books } from './books.js'
import { CreditChannels } from './channels.js'
import { Earnings } from './earnings.js'
import { Payer } from './payer.js'
import { Purchases } from './purchase.js'
import { Purse } from './purse.js'
import { Sales } from './sale.js'
import type { Patience } from './sale.js'
import { Till } from './till.js'

/** The audit window: how long evidence of an answer is kept. */
const EVIDENCE_MS = 86_400_000

export interface PaymentsOptions {
  readonly options: Pick<
    NodeOptions,
    'dataDir' | 'models' | 'swarm' | 'credit' | 'budget' | 'identity' | 'chain' | 'evidenceMs'
  >
  /** Genesis hash of the chain (32 bytes); only with `options.chain`. */
  readonly genesis?: Uint8Array | null
  readonly swarm: () => Swarm | null
  /** What the owner must know. */
  readonly complain: (message: string) => void
  /** Unix milliseconds. */
  readonly now: () => number
  readonly patience?: Patience
  /** A peer signed what is not so. */
  readonly onLie?: (peer: Uint8Array, what: string) => void
}

export interface Payments {
  readonly identity: Identity
  /** Noise key pair of this run: the node key of a provider, a fresh one where nothing is served. */
  readonly keys: KeyPair
  /** Those that earlier runs can have had, the newest first. */
  earlier(): Iterable<KeyPair>
  readonly books: Books
  readonly purse: Purse
  readonly till: Till
  readonly earnings: Earnings
  readonly purchases: Purchases
  readonly sales: Sales
  /** 32 bytes: mixed into topics and transactions. */
  readonly network: Uint8Array
  readonly chain: Chain | null
  /** Can this node pay anybody? */
  readonly pays: boolean
  /** null before the ledger is open. */
  readonly budget: Budget | null
  /** After the swarm: what is under way is written first. Idempotent. */
  close(): Promise<void>
}

/** Reads or makes the seed: throws as `openIdentity` does. The ledger opens with its first use, or with `books.store()`. */
export function openPayments({
  options,
  genesis = null,
  swarm,
  complain,
  now,
  patience,
  onLie,
}: PaymentsOptions): Payments {
  const { dataDir, credit } = options
  const identity = options.identity ?? openIdentity(dataDir)
  const serves = options.models.length > 0
  const keys = serves ? identity.node() : nextRunKey(dataDir, identity, now(), (below) => randomInt(below))
  const network = networkId(options.swarm?.network ?? '', genesis)
  const earnings = new Earnings(now)
  let budget: Budget | null = null
  const books = new Books(async () => {
    const store = await LedgerStore.open(join(dataDir, 'ledger'), identity.store())
    try {
      await earnings.read(store)
      budget = await Budget.open({ path: join(dataDir, 'ledger', 'budget'), limits: options.budget, now })
    } catch (error) {
      await store.close()
      throw error
    }
    return store
  }, complain)
  const store = (): Promise<LedgerStore> => books.store()
  const settings = options.chain ?? null
  const limits = { perDay: options.budget.all.perDay, spent: () => budget?.left(null) === 0n }
  const given = { options, network, identity, keys, store, complain, now }
  const accounts = (): { readonly purse: Purse; readonly till: Till } => ({ purse, till })
  const chain = settings && genesis ? new Chain({ settings, genesis, ...given, accounts, budget: limits }) : null
  const channels = chain?.channels ?? new CreditChannels(credit, (provider) => identity.voucher(provider))
  const failed = (error: unknown): void => books.fail(error)
  const purse = new Purse({ channels, store, swarm, background: (work) => books.add(work), now })
  const till = new Till({ channels, store, failed, now })
  const evidence = new EvidenceKeeper({
    folder: evidenceFolder(join(dataDir, 'ledger')),
    keepMs: options.evidenceMs ?? EVIDENCE_MS,
    now,
    complain,
  })
  const keep = (statement: Statement, contentKey: Uint8Array, positions: Uint8Array): Promise<void> => {
    const receipt = receiptHash(statement)
    return evidence.add(receipt, sealEvidence(contentKey, receipt, positions))
  }
  const orders = chain?.orders ?? null
  const payer = new Payer({ purse, orders, by: settings?.pay ?? 'auto' })
  const spending = {
    left: (caller: string | null) => budget?.left(caller) ?? null,
    reserve: (...args: Parameters<Budget['reserve']>) => {
      if (!budget) throw new TypeError('the budget opens with the ledger')
      return budget.reserve(...args)
    },
  }
  return {
    identity,
    keys,
    earlier: () => earlierKeys(dataDir, identity, now()),
    books,
    purse,
    till,
    earnings,
    purchases: new Purchases({
      books,
      purse,
      payer,
      budget: spending,
      network,
      keys,
      box: identity.box().publicKey,
      now,
    }),
    sales: new Sales({ books, till, orders, earnings, network, keys, now, patience, keep, onLie }),
    network,
    chain,
    pays: channels.pays,
    get budget() {
      return budget
    },
    async close() {
      await chain?.close()
      await books.close()
      await evidence.close()
      await budget?.close()
    },
  }
}
