/** The chain's part of a node: channels for its purse and its till, and what a provider does by itself. */
import { setTimeout as sleep } from 'node:timers/promises'
import b4a from 'b4a'
import safetyCatch from 'safety-catch'
import type { LedgerStore } from '../../ledger/store/store.js'
import type { KeyPair } from '../crypto.js'
import { codeOf } from '../errors.js'
import type { Identity } from '../identity.js'
import type { ChainSettings, NodeOptions } from '../node-options.js'
import { ChainChannels } from './channels.js'
import { otherChain } from './genesis.js'
import type { ChainLink } from './link.js'
import { Market, sells } from './market.js'
import type { Settler } from './settler.js'

/** Between two looks at the channels: far below the shortest grace. */
const TURN_MS = 15_000
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
  /** What the owner must know. */
  readonly complain: (message: string) => void
  /** Unix milliseconds. */
  readonly now: () => number
}

export class Chain {
  readonly channels: ChainChannels
  /** Offers on chain: those of others, and its own. */
  readonly market: Market
  readonly #options: ChainOptions
  #opening: Promise<ChainLink> | null = null
  #settler: Settler | null = null
  #stop: (() => void) | null = null
  #closed = false
  /** What was complained of last: said once while it lasts. */
  #trouble: string | null = null

  constructor(options: ChainOptions) {
    const { settings, identity, store, options: node } = options
    this.#options = options
    this.channels = new ChainChannels({
      settings,
      link: () => this.link(),
      store,
      signer: (provider) => identity.voucher(provider),
      wrongChain: (error) => otherChain(node.dataDir, error),
    })
    const { keys, network, complain, now } = options
    // What only invited ones can use is nobody else's business.
    const open = node.swarm !== null && node.swarm.invite === null && node.swarm.allow === null
    const publishes = open && settings.publishOffers === true
    const asks = sells(node.models)
    const chain = (): Promise<ChainLink> => this.link()
    this.market = new Market({ chain, network, self: keys.publicKey, sells: asks, publishes, complain, now })
  }

  /** A provider with prices registers and settles from here on; everybody else waits for the first payment. */
  start(): void {
    this.market.start()
    if (!sells(this.#options.options.models)) return
    void this.#start().catch((error: unknown) => this.#failed(error))
  }

  /** Settles what is worth it, for at most a while. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.market.close()
    this.#stop?.()
    const late = new AbortController()
    const last = this.#settler?.run(true)
    if (last) await Promise.race([last, sleep(LAST_MS, null, { signal: late.signal }).catch(() => null)])
    late.abort()
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

  async #start(): Promise<void> {
    const { store, now } = this.#options
    const { Settler, every } = await import('./settler.js')
    const link = await this.link()
    if (this.#closed) return
    const closing = (channel: Uint8Array): void => this.channels.close(channel)
    const settler = new Settler({ link, store, closing, failed: (error) => this.#failed(error), now })
    this.#settler = settler
    let registered = false
    const turn = async (): Promise<void> => {
      if (!registered) {
        registered = await this.#register(link).catch((error: unknown) => this.#failed(error))
        if (!registered) return
        this.#trouble = null
      }
      await settler.run()
    }
    let busy: Promise<void> | null = null
    const once = (): Promise<void> => (busy ??= turn().finally(() => (busy = null)))
    this.#stop = every(TURN_MS, once)
    await once()
  }

  /** Node key, box key and payout as this node has them. */
  async #register({ client }: ChainLink): Promise<true> {
    const { keys, identity, now } = this.#options
    const box = identity.box().publicKey
    const known = await client.providerAt(client.provider)
    const right =
      known !== null &&
      b4a.equals(known.account.node, keys.publicKey) &&
      b4a.equals(known.account.box, box) &&
      known.account.payout.toBase58() === client.address
    if (!right) await client.register(keys, box, client.address, String(now()))
    return true
  }

  #failed(error: unknown): false {
    if (this.#closed) return false
    const code = codeOf(error) ?? 'unknown'
    if (this.#trouble === code) return false
    this.#trouble = code
    void this.#words(error).then((words) => this.#options.complain(words), safetyCatch)
    return false
  }

  async #words(error: unknown): Promise<string> {
    const message = error instanceof Error ? error.message : String(error)
    const code = codeOf(error)
    if (code === 'WRONG_CHAIN' && error instanceof Error) return otherChain(this.#options.options.dataDir, error)
    if (code !== 'INSUFFICIENT_FUNDS') return `The chain: ${message} It is tried again.`
    const { client } = await this.link()
    return `This provider's wallet ${client.address} cannot pay what the chain takes, so nobody can pay this provider yet: send it some SOL. ${message}`
  }
}
