/**
 * What starts a node, and what a running node offers to its starter: the contract between `bin/` (argv, config) and
 * `daemon/node.ts` (composition).
 *
 * Everything here is settled: defaults filled in, values checked. Names stay names (a network's 32-byte id is derived by
 * `networkId` of identity.ts), so that nothing native has to load before the local API answers.
 */
import type { Lamports } from '../ledger/amount.js'
import type { BudgetLimits } from '../ledger/budget.js'
import type { Prices } from '../ledger/price.js'
import type { NodeSnapshot } from './control/snapshot.js'
import type { Identity } from './identity.js'
import type { PayBy } from './payment/orders.js'

export interface NodeOptions {
  readonly version: string
  /** Absolute. Holds the lock, the seed, the control socket; created 0700 when missing. */
  readonly dataDir: string
  /** Absolute. Downloaded models and cached model roots; may be deleted at any time. */
  readonly cacheDir: string
  /** Served to the swarm (and locally); empty = pure consumer, which uses a fresh Noise key each start. */
  readonly models: readonly ModelOptions[]
  /** null = no local API (`--no-api`). */
  readonly api: ApiOptions | null
  /** null = never touches the network (`--offline`). */
  readonly swarm: SwarmSettings | null
  /** Alias → model name; the key `*` catches every unknown name. */
  readonly aliases: Readonly<Record<string, string>>
  /** Opened already, because its seed is sealed; absent = the data folder's, made when there is none. */
  readonly identity?: Identity
  /** What may be spent. */
  readonly budget: BudgetLimits
  /** The most to owe one provider, and to let one channel run up. null = neither pays nor is paid. */
  readonly credit: Lamports | null
  /** Channels on a chain instead of credit; null or absent = none. */
  readonly chain?: ChainSettings | null
  /** How long a provider keeps the evidence of an answer, milliseconds; 0 = not at all; absent = a day. */
  readonly evidenceMs?: number
}

export interface ChainSettings {
  /** http(s), at least one: the next stands in for one that fails. May hold access keys, so only hosts are ever printed. */
  readonly urls: readonly string[]
  /** Base58. */
  readonly program: string
  /** Of each new channel. */
  readonly deposit: Lamports
  /** Seconds, of new channels. */
  readonly grace: bigint
  /** Seconds: channels with less are refused. */
  readonly leastGrace: bigint
  /** May coins be put into deposits? `ask`: as a person has answered (daemon/chain/consent.ts). Absent = yes. */
  readonly consent?: 'ask' | 'yes' | 'no'
  /** Seconds without a payment after which a channel is closed; 0 or absent = never. */
  readonly idle?: bigint
  /** Milliseconds between two looks at the channels; absent = a quarter of a minute for what is earned, a minute for the rest. */
  readonly turnMs?: number
  /** Absent = none is offered. */
  readonly priorityFee?: PriorityFee
  /** By what providers are paid; absent = `auto`. */
  readonly pay?: PayBy
  /** Does a provider tell the chain what it serves at which price? Absent = no. */
  readonly publishOffers?: boolean
}

/** Microlamports per compute unit. */
export interface PriorityFee {
  readonly least: bigint
  /** Where above 0: what others paid of late counts, up to this. */
  readonly most: bigint
}

export interface ModelOptions {
  /** As the person wrote it: a path (absolute by now), an http(s) URL, `hf:user/repo:quant`, or `mock`. */
  readonly source: string
  /** Shown name instead of the one in the file's metadata; null = the file's. */
  readonly name: string | null
  readonly prices: Prices
  /** Requests decoded together; null = the engine's default. */
  readonly slots: number | null
  /** Tokens per slot; null = what the model and the memory allow. */
  readonly contextLength: number | null
  /** Compute threads; null = physical cores minus one, shared between the loaded models. */
  readonly threads: number | null
  /** Requests that may wait for a slot; more are refused as busy. null = the engine's default. */
  readonly queueLimit: number | null
  /** Only for `source: 'mock'`. `tokensPerSecond` 0 = instantly. */
  readonly mock: { readonly tokensPerSecond: number } | null
}

export interface ApiOptions {
  readonly host: string
  /** 0 = any free port. */
  readonly port: number
  /** Never printed. null = no key (loopback only). */
  readonly key: string | null
  /** Further keys by name, never printed; only beside `key`. */
  readonly keys: ReadonlyMap<string, string>
  /** Origins beyond localhost that browsers may call from, e.g. `https://chat.example`. */
  readonly allowOrigins: readonly string[]
  /** Names in the `Host` header beyond this machine's own, e.g. a reverse proxy's; without them DNS rebinding is refused. */
  readonly allowHosts: readonly string[]
  /** Bytes. */
  readonly bodyLimit: number
}

export interface SwarmSettings {
  /** null = Hyperswarm's public bootstrap nodes. */
  readonly bootstrap: readonly { readonly host: string; readonly port: number }[] | null
  /** Address the DHT binds to; null = all interfaces. */
  readonly host: string | null
  /** `public`, or the name of a private network. Mock models never join `public`. */
  readonly network: string
  /** 32 bytes mixed into every topic; null = open. Secret. */
  readonly invite: Uint8Array | null
  /** 32-byte node keys that may connect; null = all. */
  readonly allow: readonly Uint8Array[] | null
}

/** Something a person waits for. Sent at most ten times a second for one (kind, model), and once at its end. */
export interface Progress {
  readonly kind: 'download' | 'hash' | 'load'
  /** The model's source as given, or its name once known. */
  readonly model: string
  /** Bytes for download and hash; thousandths for load. */
  readonly done: number
  /** null = unknown (a server that does not say). */
  readonly total: number | null
  readonly finished: boolean
}

/** Structured log lines. Fields never hold a prompt, an answer or a key. */
export interface NodeLog {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void
  info(fields: Readonly<Record<string, unknown>>, message: string): void
  warn(fields: Readonly<Record<string, unknown>>, message: string): void
  error(fields: Readonly<Record<string, unknown>>, message: string): void
}

export interface NodeHooks {
  readonly onProgress: (progress: Progress) => void
  readonly log: NodeLog
  /** Unix milliseconds, for what is paid; absent = the machine's clock. */
  readonly now?: () => number
}

/**
 * `startNode(options, hooks): Promise<Node>` of node.ts takes the lock (lock.ts), listens (API and control socket) and
 * resolves then, within 300 ms of process start; swarm and models follow in the background. Rejects, with everything
 * undone, when the lock is held (`DATA_LOCKED`), the address cannot be listened on (`EADDRINUSE` and the like) or the data folder is unusable.
 */
export interface Node {
  /** `http://127.0.0.1:8080`; null without an API. */
  readonly apiUrl: string | null
  snapshot(): NodeSnapshot
  /**
   * Resolves when the swarm is joined and every model serves. Rejects with the first error of a model that was asked for and
   * cannot be served; the node itself goes on.
   */
  ready(): Promise<void>
  /** Resolves once closed, whoever asked for it (`swarmd stop` comes in through the control socket). */
  readonly closed: Promise<void>
  /** Lets nothing new in, ends what runs, closes in reverse order of opening. Idempotent. */
  close(): Promise<void>
}

export type StartNode = (options: NodeOptions, hooks: NodeHooks) => Promise<Node>
