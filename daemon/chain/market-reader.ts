/**
 * The chain's offers as this node last read them: in the background, once in a while, never while a request waits; but for
 * a model that nobody has heard of, whose caller waits for the swarm's answer anyway.
 */
import b4a from 'b4a'
import safetyCatch from 'safety-catch'
import type { OfferAccount, ProviderAccount } from '../../ledger/chain/layout/accounts.js'
import type { Found } from '../../ledger/chain/readings.js'
import type { ChainStanding } from '../../proxy/port.js'
import { listingsOf, MAX_LISTINGS, standingsOf } from './listings.js'
import type { Listing, ListingView } from './listings.js'

/** A public RPC node does not like to be asked for all accounts of a program more often. */
const TURN_MS = 300_000
/** After a failure: the chain may be about to start, as in a demo. */
const AGAIN_MS = 15_000
/** After the start, so that the local API has the processor first. */
const FIRST_MS = 1_000

/** What the market asks of a chain. */
export interface MarketChain {
  offers(): Promise<readonly Found<OfferAccount>[]>
  offersOf(model: Uint8Array): Promise<readonly Found<OfferAccount>[]>
  providers(): Promise<readonly Found<ProviderAccount>[]>
}

export interface MarketReaderOptions extends ListingView {
  readonly chain: () => Promise<MarketChain>
  /** What is known changed. */
  readonly changed: () => void
  /** Unix milliseconds. */
  readonly now: () => number
}

export class MarketReader {
  readonly #options: MarketReaderOptions
  #listings: readonly Listing[] = []
  #standings: ReadonlyMap<string, ChainStanding> = new Map()
  #readAt: number | null = null
  #timer: NodeJS.Timeout | null = null
  #reading: Promise<void> | null = null
  #closed = false

  constructor(options: MarketReaderOptions) {
    this.#options = options
  }

  /** The better known providers first. */
  get listings(): readonly Listing[] {
    return this.#listings
  }

  /** Unix milliseconds of the last reading; null = none yet. */
  get readAt(): number | null {
    return this.#readAt
  }

  /** What the chain knows of the provider with this node key (hex), whether it has offers there or not. */
  standing(node: string): ChainStanding | null {
    return this.#standings.get(node) ?? null
  }

  start(): void {
    this.#after(FIRST_MS)
  }

  close(): void {
    this.#closed = true
    if (this.#timer) clearTimeout(this.#timer)
  }

  /** All offers, once more; those who ask meanwhile share it. Throws `RPC_*`, `WRONG_CHAIN`. */
  read(): Promise<void> {
    return (this.#reading ??= this.#read().finally(() => (this.#reading = null)))
  }

  /** The offers for one model, added to what is known. Throws as `read` does. */
  async look(model: Uint8Array): Promise<void> {
    const chain = await this.#options.chain()
    const offers = await chain.offersOf(model)
    if (offers.length === 0) return
    const found = listingsOf(offers, await chain.providers(), this.#options)
    const others = this.#listings.filter(({ modelRoot }) => !b4a.equals(modelRoot, model))
    this.#set([...found, ...others].slice(0, MAX_LISTINGS))
  }

  async #read(): Promise<void> {
    const chain = await this.#options.chain()
    const [offers, providers] = await Promise.all([chain.offers(), chain.providers()])
    this.#readAt = this.#options.now()
    this.#standings = standingsOf(providers)
    this.#set(listingsOf(offers, providers, this.#options))
  }

  #set(listings: readonly Listing[]): void {
    this.#listings = listings
    if (!this.#closed) this.#options.changed()
  }

  #after(ms: number): void {
    if (this.#closed) return
    const turn = this.read.bind(this)
    this.#timer = setTimeout(() => {
      turn()
        .then(
          () => this.#after(TURN_MS),
          () => this.#after(AGAIN_MS),
        )
        .catch(safetyCatch)
    }, ms).unref()
  }
}
