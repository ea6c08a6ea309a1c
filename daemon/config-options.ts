/**
 * From the effective configuration to the node's options: the checks that concern more than one setting live here.
 */
import type { BudgetLimits } from '../ledger/budget.js'
import { price } from '../ledger/price.js'
import type { Prices } from '../ledger/price.js'
import type { LoadedConfig } from './config.js'
import { readKeyFile } from './config-api-keys.js'
import { settleSource } from './config-models.js'
import type { ConfiguredModel } from './config-models.js'
import { DaemonError } from './errors.js'
import type {
  ApiOptions,
  ChainSettings,
  ModelOptions,
  NodeOptions,
  PriorityFee,
  SwarmSettings,
} from './node-options.js'

export interface Served {
  /** From the command line; empty = the config file's `[[models]]`. */
  readonly sources: readonly string[]
  /** `--name`; only with one source. */
  readonly name: string | null
  /** `--tokens-per-second`, for `mock`. */
  readonly tokensPerSecond: number
  readonly cwd: string
}

const PUBLIC = 'public'
/** Microlamports per compute unit: a thousand lamports for a settlement, a fifth of a signature. */
const USUAL_MOST_FEE = 50_000

/** Throws `CONFIG_INVALID`. `served` null = none, whatever the config file says. */
export function nodeOptions(loaded: LoadedConfig, served: Served | null, version: string): NodeOptions {
  const swarm = swarmSettings(loaded)
  const models = served === null ? [] : modelOptions(loaded, served)
  if (swarm?.network === PUBLIC && models.some((model) => model.mock !== null)) {
    throw DaemonError.CONFIG_INVALID(
      'A mock model never joins the public network. Give a private one with --network NAME, or --offline.',
    )
  }
  const api = loaded.config.api ? apiOptions(loaded) : null
  return {
    version,
    dataDir: loaded.dataDir,
    cacheDir: loaded.cacheDir,
    models,
    api,
    swarm,
    aliases: loaded.config.aliases,
    budget: budgetLimits(loaded),
    credit: loaded.config.credit,
    chain: chainSettings(loaded),
    evidenceMs: loaded.config.evidenceHours * 3_600_000,
  }
}

/** null: none is used. Throws `CONFIG_INVALID`. */
export function chainSettings({ config }: Pick<LoadedConfig, 'config'>): ChainSettings | null {
  if (config.chainUrl.length === 0) return null
  if (config.credit !== null)
    throw DaemonError.CONFIG_INVALID(
      '--chain and --credit exclude each other: a chain holds deposits, credit is trust.',
    )
  return {
    urls: config.chainUrl,
    program: config.chainProgram,
    deposit: config.chainDeposit,
    grace: BigInt(config.chainGrace) * 60n,
    leastGrace: BigInt(config.chainLeastGrace) * 60n,
    consent: config.chainConsent,
    idle: BigInt(config.chainIdle) * 60n,
    priorityFee: priorityFeeOf(config.chainPriorityFee),
    publishOffers: config.chainPublishOffers,
    pay: config.chainPay,
  }
}

/** From what `priorityFee` of config-kinds.ts lets through. */
function priorityFeeOf(text: string): PriorityFee {
  const [first = '', most] = text.split(' ')
  return first === 'auto' ? { least: 0n, most: BigInt(most ?? USUAL_MOST_FEE) } : { least: BigInt(first), most: 0n }
}

function modelOptions(loaded: LoadedConfig, served: Served): readonly ModelOptions[] {
  const { config } = loaded
  if (served.name !== null && served.sources.length !== 1) {
    throw DaemonError.CONFIG_INVALID('--name goes with exactly one model on the command line.')
  }
  // A source named on the command line takes what the config file says of it; flags win over both.
  const wanted: readonly ConfiguredModel[] =
    served.sources.length === 0
      ? loaded.models
      : served.sources.map((given) => {
          const source = settleSource(given, served.cwd)
          return loaded.models.find((model) => model.source === source) ?? { ...NOTHING_SAID, source }
        })
  const flagged = (key: 'slots' | 'context' | 'threads' | 'queue' | 'priceIn' | 'priceCached' | 'priceOut'): boolean =>
    loaded.origins[key].from === 'flag'
  return wanted.map((model) => ({
    source: model.source,
    name: served.name ?? model.name,
    prices: pricesOf(
      flagged('priceIn') ? config.priceIn : (model.priceIn ?? config.priceIn),
      flagged('priceCached') ? config.priceCached : (model.priceCached ?? config.priceCached),
      flagged('priceOut') ? config.priceOut : (model.priceOut ?? config.priceOut),
    ),
    slots: flagged('slots') ? config.slots : (model.slots ?? config.slots),
    contextLength: flagged('context') ? config.context : (model.context ?? config.context),
    threads: flagged('threads') ? config.threads : (model.threads ?? config.threads),
    queueLimit: flagged('queue') ? config.queue : (model.queue ?? config.queue),
    mock: model.source === 'mock' ? { tokensPerSecond: served.tokensPerSecond } : null,
  }))
}

const NOTHING_SAID: Omit<ConfiguredModel, 'source'> = {
  name: null,
  slots: null,
  context: null,
  threads: null,
  queue: null,
  priceIn: null,
  priceCached: null,
  priceOut: null,
}

/** Cached ones cost what input does unless they are said. */
export function pricesOf(input: bigint, cached: bigint | null, output: bigint): Prices {
  return { input: price(input), cached: price(cached ?? input), output: price(output) }
}

function apiOptions(loaded: LoadedConfig): ApiOptions {
  const { config } = loaded
  const key = readApiKey(loaded)
  if (key === null && !isLoopback(config.host)) {
    throw DaemonError.CONFIG_INVALID(
      `The API would listen on ${config.host}, where others can reach it and spend: that needs a key. ` +
        'Give one with --api-key-file FILE or SWARMD_API_KEY, or listen on 127.0.0.1.',
    )
  }
  return {
    host: config.host,
    port: config.port,
    key,
    keys: readNamedKeys(loaded, key),
    allowOrigins: config.allowOrigins,
    allowHosts: config.allowHosts,
    bodyLimit: config.bodyLimitMb * 1_048_576,
  }
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)
}

/** The key that callers must send; null = none is set. Throws `CONFIG_UNREADABLE` or `CONFIG_INVALID` for its file. */
export function readApiKey({ config }: LoadedConfig): string | null {
  return config.apiKey ?? (config.apiKeyFile === null ? null : readKeyFile(config.apiKeyFile))
}

/** What may be spent. */
export function budgetLimits({ config, apiKeys }: LoadedConfig): BudgetLimits {
  return {
    all: { perRequest: config.budgetPerRequest, perDay: config.budgetPerDay },
    keys: new Map(apiKeys.map(({ name, perRequest, perDay }) => [name, { perRequest, perDay }])),
  }
}

/** Name → key. Throws `CONFIG_INVALID` when one opens nothing, or two doors. */
function readNamedKeys({ apiKeys }: LoadedConfig, key: string | null): ReadonlyMap<string, string> {
  if (apiKeys.length > 0 && key === null) {
    throw DaemonError.CONFIG_INVALID(
      'The [[keys]] of the config file limit nobody as long as callers without a key are served: set api.key or api.key_file too.',
    )
  }
  const named = new Map<string, string>()
  for (const { name, source } of apiKeys) {
    const value = 'key' in source ? source.key : readKeyFile(source.file)
    if (value === key || [...named.values()].includes(value)) {
      throw DaemonError.CONFIG_INVALID(`The API key "${name}" is the same as another one: each needs its own.`)
    }
    named.set(name, value)
  }
  return named
}

function swarmSettings(loaded: LoadedConfig): SwarmSettings | null {
  const { config } = loaded
  if (config.offline) return null
  if (config.invite !== null && config.network === PUBLIC) {
    throw DaemonError.CONFIG_INVALID(
      'An invite closes a private network: give that network a name with --network NAME (any but "public").',
    )
  }
  return {
    bootstrap: config.bootstrap.length === 0 ? null : config.bootstrap,
    host: config.swarmHost,
    network: config.network,
    invite: config.invite,
    allow: config.allow,
  }
}
