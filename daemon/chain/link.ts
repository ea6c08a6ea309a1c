/** The connection of a node to its chain: RPC, outbox, client. Loads web3.js, so it is imported when first used. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fromBase58, toBase58 } from '../../ledger/chain/base58.js'
import { outboxChain, slotOf, wasClosed } from '../../ledger/chain/calls.js'
import { ChainClient } from '../../ledger/chain/client.js'
import { ChainError } from '../../ledger/chain/errors.js'
import { CHANNEL_PHASE } from '../../ledger/chain/layout/accounts.js'
import type { ChannelAccount, OfferAccount, ProviderAccount } from '../../ledger/chain/layout/accounts.js'
import { OrderClient } from '../../ledger/chain/order-client.js'
import { Outbox } from '../../ledger/chain/outbox.js'
import {
  channelsOfPayer,
  channelsOfProvider,
  offers,
  offersOfModel,
  offersOfProvider,
  providerOfNode,
  providers,
} from '../../ledger/chain/readings.js'
import type { Found } from '../../ledger/chain/readings.js'
import { Rpc } from '../../ledger/chain/rpc.js'
import { Transactor } from '../../ledger/chain/transactor.js'
import { Journal } from '../../ledger/store/journal.js'
import type { KeyPair } from '../crypto.js'
import type { ChainSettings } from '../node-options.js'

/** A question to the chain stands in the way of a request: not longer than its caller would wait. */
const TIMEOUT_MS = 5_000
const ROUNDS = 2

export interface ChainLinkOptions {
  readonly dataDir: string
  readonly settings: ChainSettings
  /** 32 bytes. */
  readonly genesis: Uint8Array
  readonly wallet: KeyPair
  /** Unix milliseconds. */
  readonly now: () => number
}

export interface ChainLink {
  readonly rpc: Rpc
  /** Base58. */
  readonly program: string
  readonly client: ChainClient
  /** The same without a priority fee: what it takes from the wallet is known to the lamport before it is signed. */
  readonly plain: ChainClient
  readonly outbox: Outbox
  readonly orders: OrderClient
  /** The provider with this node key. */
  providerOf(node: Uint8Array): Promise<Found<ProviderAccount> | null>
  /** That this wallet has opened. */
  channelsFrom(): Promise<readonly Found<ChannelAccount>[]>
  /** That were opened to this wallet's provider. */
  channelsTo(): Promise<readonly Found<ChannelAccount>[]>
  /** Did a channel (32 bytes) exist, and is it closed finally? */
  wasClosed(channel: Uint8Array): Promise<boolean>
  slot(): Promise<number>
  /** Every offer, and every provider, of the program. */
  offers(): Promise<readonly Found<OfferAccount>[]>
  providers(): Promise<readonly Found<ProviderAccount>[]>
  offersOf(model: Uint8Array): Promise<readonly Found<OfferAccount>[]>
  /** That this wallet's provider has set. */
  ownOffers(): Promise<readonly Found<OfferAccount>[]>
}

/** Asks nobody yet. The caller holds the folder's lock. Throws `STORE_CORRUPT`, `STORE_WRITE_FAILED`, `BAD_ADDRESS`. */
export async function openLink({ dataDir, settings, genesis, wallet, now }: ChainLinkOptions): Promise<ChainLink> {
  const { urls, program, priorityFee } = settings
  const rpc = new Rpc({ urls, genesisHash: toBase58(genesis), timeoutMs: TIMEOUT_MS, rounds: ROUNDS })
  const folder = join(dataDir, 'ledger')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const journal = await Journal.open(join(folder, 'outbox'))
  const outbox = new Outbox({ journal, chain: outboxChain(rpc), now })
  const { least = 0n, most = 0n } = priorityFee ?? {}
  const transactor = new Transactor({ rpc, outbox, priorityFee: least, maxPriorityFee: most })
  const client = new ChainClient({ rpc, transactor, program, wallet })
  return {
    rpc,
    program,
    client,
    plain: new ChainClient({ rpc, transactor: new Transactor({ rpc, outbox }), program, wallet }),
    outbox,
    orders: new OrderClient({ rpc, transactor, program, wallet }),
    providerOf: (node) => providerOfNode(rpc, program, node),
    channelsFrom: () => channelsOfPayer(rpc, program, client.address),
    channelsTo: () => channelsOfProvider(rpc, program, client.provider),
    wasClosed: (channel) => wasClosed(rpc, toBase58(channel)),
    slot: () => slotOf(rpc),
    offers: () => offers(rpc, program),
    providers: () => providers(rpc, program),
    offersOf: (model) => offersOfModel(rpc, program, model),
    ownOffers: () => offersOfProvider(rpc, program, client.provider),
  }
}

/** 32 bytes. */
export function bytesOf(address: string): Uint8Array {
  const bytes = fromBase58(address, 32)
  if (!bytes) throw ChainError.BAD_ADDRESS(address)
  return bytes
}

export function isOpen({ phase }: ChannelAccount): boolean {
  return phase === CHANNEL_PHASE.open
}

export function phaseOf({ phase }: ChannelAccount): 'open' | 'closing' | 'ended' {
  if (phase === CHANNEL_PHASE.open) return 'open'
  return phase === CHANNEL_PHASE.closing ? 'closing' : 'ended'
}

export { toBase58 as addressOf } from '../../ledger/chain/base58.js'
