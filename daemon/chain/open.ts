/** The chain's part of a node: channels for its purse and its till, and what it does with them by itself. */
import { setTimeout as sleep } from 'node:timers/promises'
import safetyCatch from 'safety-catch'
import type { Lamports } from '../../ledger/amount.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import type { KeyPair } from '../crypto.js'
import { codeOf } from '../errors.js'
import type { Identity } from '../identity.js'
import type { ChainSettings, NodeOptions } from '../node-options.js'
import type { Purse } from '../payment/purse.js'
import type { Till } from '../payment/till.js'
import { ChainChannels } from './channels.js'
import { objection } from './consent.js'
import { Deposits } from './deposits.js'
import { otherChain } from './genesis.js'
import type { Keeper } from './keeper.js'
import type { ChainLink } from './link.js'
import { Market, sells } from './market.js'
import { Orders } from './orders.js'
import { Registration } from './registration.js'
import type { Settler } from './settler.js'
import { Trouble } from './trouble.js'
import { every } from './turns.js'

/** Between two looks at the channels that pay this node: far below the shortest grace. */
const SETTLE_MS = 15_000
/** Between two looks at the channels that this node pays on. */
const KEEP_MS = 60_000
/** For the last settlement, when the node ends. What is not settled then is settled by the next start. */
const LAST_MS = 10_000

export interface ChainOptions {
  readonly settings: ChainSettings
  /** 32 bytes. */
  readonly genesis: Uint8Array
  readonly options: Pick<NodeOptions, 'dataDir' | 'models' | 'swarm'>
  /** 32 bytes: the id of the node's network. */
  readonly network: Uint8Array
  readonly identity: Identity
  /** The node key that providers are found by. */
  readonly keys: KeyPair
  readonly store: () => Promise<LedgerStore>
  /** Where channels are in use. */
  readonly accounts: () => { readonly purse: Purse; readonly till: Till }
  readonly budget: { readonly perDay: Lamports | null; readonly spent: () => boolean }
  /** What the owner must know. */
  readonly complain: (message: string) => void
  /** Unix milliseconds. */
  readonly now: () => number
}

export class Chain {
  readonly channels: ChainChannels
  /** Offers on chain: those of others, and its own. */
  readonly market: Market
  /** null where nothing is sold. */
  readonly registration: Registration | null
  readonly orders: Orders
  readonly #options: ChainOptions
  readonly #deposits: Deposits
  #opening: Promise<ChainLink> | null = null
  #settler: Settler | null = null
  readonly #stops: (() => void)[] = []
  #closed = false

  constructor(options: ChainOptions) {
    const { settings, identity, store, options: node, keys, network, complain, now, budget } = options
    const chain = (): Promise<ChainLink> => this.link()
    this.#options = options
    this.#deposits = new Deposits({
      settings,
      link: chain,
      store,
      signer: (provider) => identity.voucher(provider),
      allowance: { ...budget, objection: () => objection(settings, node.dataDir) },
      now,
    })
    const wrongChain = (error: Error): string => otherChain(node.dataDir, error)
    this.channels = new ChainChannels({ settings, link: chain, deposits: this.#deposits, wrongChain })
    const asks = sells(node.models)
    this.orders = new Orders({
      dataDir: node.dataDir,
      link: chain,
      wallet: identity.wallet(),
      sells: asks,
      objection: () => objection(settings, node.dataDir),
      wrongChain,
      failed: new Trouble((error) => this.#complain(error)).failed,
      complain,
      now,
      turnMs: settings.turnMs,
    })
    const client = async (): Promise<ChainLink['client']> => (await this.link()).client
    this.registration = asks ? new Registration({ client, keys, box: () => identity.box().publicKey }) : null
    // What only invited ones can use is nobody else's business.
    const open = node.swarm !== null && node.swarm.invite === null && node.swarm.allow === null
    const publishes = open && settings.publishOffers === true
    this.market = new Market({ chain, network, self: keys.publicKey, sells: asks, publishes, complain, now })
  }

  /** For whoever closes a channel by hand. */
  get deposits(): Pick<Deposits, 'leave' | 'comeBack'> {
    return this.#deposits
  }

  /** A provider with prices registers and settles from here on; deposits are looked after by everybody. */
  start(): void {
    this.market.start()
    this.orders.start()
    void this.#keep().catch((error: unknown) => this.#complain(error))
    if (this.registration) void this.#sell(this.registration).catch((error: unknown) => this.#complain(error))
  }

  /** Settles what is worth it, for at most a while. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.market.close()
    for (const stop of this.#stops) stop()
    const orders = this.orders.close()
    const late = new AbortController()
    const last = this.#settler?.run(true)
    if (last) await Promise.race([last, sleep(LAST_MS, null, { signal: late.signal }).catch(() => null)])
    late.abort()
    await orders
    const link = await this.#opening?.catch(() => null)
    await link?.outbox.close()
  }

  /** Opened with its first use. Throws as `openLink` does; the next call tries again. */
  link(): Promise<ChainLink> {
    if (this.#opening) return this.#opening
    const { settings, genesis, options, identity, now } = this.#options
    const opening = import('./link.js').then(({ openLink }) =>
      openLink({ dataDir: options.dataDir, settings, genesis, wallet: identity.wallet(), now }),
    )
    this.#opening = opening
    opening.catch(() => (this.#opening = null))
    return opening
  }

  /** Deposits come back by themselves. */
  async #keep(): Promise<void> {
    const { settings, store, accounts, now } = this.#options
    const [{ Keeper }, link] = await Promise.all([import('./keeper.js'), this.link()])
    if (this.#closed) return
    const { purse } = accounts()
    const { idle = 0n, turnMs = KEEP_MS } = settings
    const trouble = new Trouble((error) => this.#complain(error))
    const { failed } = trouble
    const keeper: Keeper = new Keeper({ link, store, deposits: this.#deposits, purse, idle, failed, now })
    // Who has no channel does not ask a chain about any.
    const turn = async (): Promise<void> => {
      if (keeper.channels !== 0 || this.#deposits.used) await trouble.during(() => keeper.run())
    }
    this.#stops.push(every(turnMs, turn))
    await turn()
  }

  async #sell(registration: Registration): Promise<void> {
    const { settings, store, accounts, keys, now } = this.#options
    const [{ Settler }, { Anchor }] = await Promise.all([import('./settler.js'), import('./anchor.js')])
    const link = await this.link()
    if (this.#closed) return
    const { till } = accounts()
    const anchor = new Anchor({ client: link.client, store, secretKey: keys.secretKey })
    const closing = (channel: Uint8Array): void => this.channels.close(channel)
    const trouble = new Trouble((error) => this.#complain(error))
    const { failed } = trouble
    const settler = new Settler({ link, store, till, anchor, closing, failed, now })
    this.#settler = settler
    const settle = async (): Promise<void> => {
      await registration.run()
      await settler.run()
    }
    const turn = (): Promise<void> => trouble.during(settle)
    this.#stops.push(every(settings.turnMs ?? SETTLE_MS, turn))
    await turn()
  }

  #complain(error: unknown): void {
    if (this.#closed) return
    void this.#words(error).then((words) => this.#options.complain(words), safetyCatch)
  }

  async #words(error: unknown): Promise<string> {
    const message = error instanceof Error ? error.message : String(error)
    const code = codeOf(error)
    if (code === 'WRONG_CHAIN' && error instanceof Error) return otherChain(this.#options.options.dataDir, error)
    const unknown = this.registration && !this.registration.done
    const hidden = unknown ? ' What has a price is not offered before this provider is registered there.' : ''
    if (code !== 'INSUFFICIENT_FUNDS') return `The chain: ${message} It is tried again.${hidden}`
    const { client } = await this.link()
    const who = this.registration ? "This provider's wallet" : 'The wallet'
    const so = unknown ? ', so nobody can pay this provider yet' : ''
    return `${who} ${client.address} cannot pay what the chain takes${so}: send it some SOL. ${message}`
  }
}
