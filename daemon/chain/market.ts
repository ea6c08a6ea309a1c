/** The chain's market as a node sees it: what others offer there, and what this node offers itself. */
import safetyCatch from 'safety-catch'
import { isFree } from '../../ledger/price.js'
import { codeOf } from '../errors.js'
import type { ChainStanding } from '../../proxy/port.js'
import type { Listing } from './listings.js'
import { MarketReader } from './market-reader.js'
import type { MarketChain } from './market-reader.js'
import { publish } from './market-publisher.js'
import type { PublisherChain, Served } from './market-publisher.js'

/** Until the chain says what is served: registration comes first, and a wallet may have to be filled. Doubles. */
const AGAIN_MS = 1_000
const MAX_AGAIN_MS = 30_000

export interface MarketOptions {
  readonly chain: () => Promise<MarketChain & PublisherChain>
  /** 32 bytes. */
  readonly network: Uint8Array
  /** This node's key. */
  readonly self: Uint8Array
  /** Does this node ever ask for money? Only then it has offers to set or to close. */
  readonly sells: boolean
  /** false: what was published is closed. */
  readonly publishes: boolean
  /** What the owner must know. */
  readonly complain: (message: string) => void
  /** Unix milliseconds. */
  readonly now: () => number
}

const NOTHING: Served = { terms: [], complete: true }

export class Market {
  readonly #options: MarketOptions
  readonly #reader: MarketReader
  readonly #listeners = new Set<() => void>()
  #served: Served | null = null
  #timer: NodeJS.Timeout | null = null
  #publishing: Promise<void> | null = null
  #pause = AGAIN_MS
  #closed = false
  /** What was complained of last: said once while it lasts. */
  #trouble: string | null = null

  constructor(options: MarketOptions) {
    this.#options = options
    const { chain, network, self, now } = options
    const changed = (): void => {
      for (const listener of this.#listeners) listener()
    }
    this.#reader = new MarketReader({ chain, network, self, now, changed })
  }

  /** Offers of others, those of the better known providers first; as they were read last. */
  get listings(): readonly Listing[] {
    return this.#reader.listings
  }

  /** Unix milliseconds; null = the chain was not read yet. */
  get readAt(): number | null {
    return this.#reader.readAt
  }

  /** What the chain knows of the provider with this node key (hex). */
  standing(node: string): ChainStanding | null {
    return this.#reader.standing(node)
  }

  /** Reads from here on, in the background. */
  start(): void {
    this.#reader.start()
  }

  /** What this node serves has changed. */
  serves(served: Served): void {
    const { sells, publishes } = this.#options
    if (!sells) return
    this.#served = publishes ? served : NOTHING
    this.#pause = AGAIN_MS
    this.#again(0)
  }

  /** Looks for offers of one model. Never throws: the chain is a second source. */
  async look(model: Uint8Array): Promise<void> {
    await this.#reader.look(model).catch(safetyCatch)
  }

  onChange(listener: () => void): void {
    this.#listeners.add(listener)
  }

  /** What is being set goes on in the outbox. Idempotent. */
  close(): void {
    this.#closed = true
    this.#reader.close()
    if (this.#timer) clearTimeout(this.#timer)
    this.#listeners.clear()
  }

  #later(): void {
    this.#again(this.#pause)
    this.#pause = Math.min(MAX_AGAIN_MS, 2 * this.#pause)
  }

  #again(ms: number): void {
    if (this.#closed) return
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#publishing ??= this.#publish().finally(() => (this.#publishing = null))
      this.#publishing.catch(safetyCatch)
    }, ms).unref()
  }

  async #publish(): Promise<void> {
    const served = this.#served
    if (!served) return
    try {
      const { chain, network } = this.#options
      const done = await publish(await chain(), served, network)
      this.#trouble = null
      if (!done || served !== this.#served) this.#later()
    } catch (error) {
      this.#later()
      this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    const code = codeOf(error) ?? 'unknown'
    if (this.#closed || this.#trouble === code) return
    this.#trouble = code
    const message = error instanceof Error ? error.message : String(error)
    const what = "This provider's offers are not on the chain as they should be, which costs it callers only"
    this.#options.complain(`${what}: ${message} It is tried again.`)
  }
}

/** Does a node with these models ever ask for money? */
export function sells(models: readonly { readonly prices: Parameters<typeof isFree>[0] }[]): boolean {
  return models.some(({ prices }) => !isFree(prices))
}
