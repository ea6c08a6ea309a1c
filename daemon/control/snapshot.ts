/**
 * One picture of a running node, as the control socket sends it and as `swarmd status --json` prints it.
 *
 * JSON values only: keys are hex, amounts are decimal strings, times are Unix milliseconds. A snapshot never holds a
 * prompt, an answer, a secret key, an API key or an invite. Fields may be added; none is ever re-meant.
 */
export interface NodeSnapshot {
  readonly version: string
  readonly pid: number
  readonly started: number
  readonly dataDir: string
  readonly state: 'starting' | 'ready' | 'stopping'
  /** null = started with `--no-api`. */
  readonly api: ApiView | null
  readonly network: NetworkView
  /** Hex ed25519 key that peers see. A pure consumer's changes at each start. */
  readonly nodeKey: string
  readonly served: readonly ServedModelView[]
  /** Everything that can be asked now, here or in the swarm. */
  readonly models: readonly ModelView[]
  /** What was read of the chain's offers, and when; absent where no chain is used. */
  readonly market?: { readonly offers: number; readonly readAt: number | null }
  readonly peers: readonly PeerSummary[]
  /** As a consumer: what came in through the local API. */
  readonly requests: RequestCounts
  /** As a provider: what peers asked of this node. */
  readonly provided: RequestCounts
  readonly ledger: LedgerView
  /** Sentences for a person, newest last, at most 32. */
  readonly warnings: readonly string[]
}

/** What this node has written down. */
export interface LedgerView {
  readonly state: 'opening' | 'open' | 'failed'
  /** Transactions in the log; 0 before it is open. */
  readonly transactions: number
  /** null where nothing is paid: this node neither asks a price nor has means. */
  readonly money: MoneyView | null
}

/** Microlamports in decimal, but for deposits and vouchers, which are whole lamports. Days are UTC. */
export interface MoneyView {
  readonly spentToday: string
  readonly earnedToday: string
  /** A deposit that a person in a terminal should be asked about first; absent = there is nothing to ask. */
  readonly askDeposit?: string
  /** Channels used since this node started. */
  readonly channels: readonly ChannelView[]
}

export interface ChannelView {
  /** Hex. */
  readonly channel: string
  /** The same as an address of the chain (base58), which is how `swarmd channels` names it; null on credit. */
  readonly address: string | null
  readonly direction: 'out' | 'in'
  /** Hex node key of the provider; null on the side that is paid, whose payer has another key at each start. */
  readonly peer: string | null
  readonly deposit: string
  /** Cumulative voucher. */
  readonly paid: string
  /** Cost of everything that counts as delivered. */
  readonly accrued: string
}

export interface ApiView {
  readonly url: string
  readonly keyed: boolean
  readonly state: 'listening' | 'closed'
}

export interface NetworkView {
  readonly name: string
  readonly state: 'offline' | 'joining' | 'joined'
  /** `host:port` each; null = the public bootstrap nodes. */
  readonly bootstrap: readonly string[] | null
  /** `host:port` as others see this node; null before they said so. */
  readonly address: string | null
  /** `open`: anybody can dial in; `consistent`: hole punching works; `random`: it is a lottery; `unknown`: too early. */
  readonly nat: 'open' | 'consistent' | 'random' | 'unknown'
  readonly invited: boolean
  /** Number of keys on the allow-list; null = open to all. */
  readonly allowed: number | null
}

export interface ServedModelView {
  /** As given on the command line or in the config file. */
  readonly source: string
  /** null until the file has been read. */
  readonly name: string | null
  readonly root: string | null
  readonly state: 'downloading' | 'hashing' | 'loading' | 'ready' | 'restarting' | 'failed' | 'closed'
  /** 0..1000 of the present state; null where there is nothing to count. */
  readonly progressMilli: number | null
  /** Why it failed, with what to do; null otherwise. */
  readonly error: string | null
  readonly active: number
  readonly queued: number
  readonly slots: number
  readonly contextLength: number | null
  readonly prices: PriceView
  /** Announced to the swarm. */
  readonly offered: boolean
}

/** Lamports per million tokens, decimal. */
export interface PriceView {
  readonly input: string
  readonly cached: string
  readonly output: string
}

export interface ModelView {
  readonly id: string
  readonly root: string
  readonly aliases: readonly string[]
  readonly contextLength: number
  readonly quantisation: string
  /** Number of weights; 0 = unknown. */
  readonly parameters: number
  readonly features: readonly string[]
  /** Lowest among the providers; null = computed here. */
  readonly price: PriceView | null
  readonly providers: number
  readonly local: boolean
  readonly tokensPerSecond: number | null
  readonly ttftMs: number | null
  readonly notice: string | null
  /** Providers that only the chain speaks of, so that nobody knows whether they are there; absent without a chain. */
  readonly onChainOnly?: number
}

/** What the chain knows of a provider: amounts in lamports and counts as decimal strings, the time in Unix seconds. */
export interface StandingView {
  readonly registeredAt: number
  readonly settled: string
  readonly settlements: string
  readonly channelsOpened: string
  readonly channelsClosed: string
  readonly ordersClaimed: string
  readonly ordersRefunded: string
}

export interface PeerSummary {
  readonly key: string
  /** Whether this node dialled. */
  readonly client: boolean
  readonly since: number
  readonly software: string
  readonly roles: readonly string[]
  readonly offers: number
  readonly asksIn: number
  readonly asksOut: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly strikes: number
  /** null = it is no provider there; absent where no chain is used. */
  readonly standing?: StandingView | null
}

export interface RequestCounts {
  readonly active: number
  /** Ended, in whichever way. */
  readonly total: number
  readonly failed: number
  /** Ended because the asker went away or changed its mind: nobody's failure. */
  readonly cancelled: number
  readonly promptTokens: number
  readonly outputTokens: number
}
