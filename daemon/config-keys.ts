/**
 * Every setting, once: its place in the config file, its flag, its environment variable, what it may be and what it is
 * when nobody says. Parsing, `--help`, the commented template and docs/config.md all come from this table.
 */
import { lamports as lamportsOf } from '../ledger/amount.js'
import {
  amount,
  bytes32,
  hostPort,
  integer,
  listOf,
  mapOf,
  oneOf,
  origin,
  priorityFee,
  text,
  unsigned64,
  yesOrNo,
} from './config-kinds.js'
import type { Kind } from './config-kinds.js'

export interface Key<T, F> {
  /** Dotted place in the TOML file. */
  readonly file: string
  /** Commander's notation; null = not on the command line (secrets would show in the process list). */
  readonly flag: string | null
  /** The flag may be given several times. */
  readonly repeat?: boolean
  readonly env: string
  readonly kind: Kind<T>
  readonly fallback: F
  readonly about: string
  /** A TOML value for the template. */
  readonly example: string
  /** Never printed. */
  readonly secret?: boolean
  /** Relative to the config file's folder, or to the working folder when it comes from a flag or the environment. */
  readonly path?: boolean
}

function key<T, const F>(spec: Key<T, F>): Key<T, F> {
  return spec
}

const aPath = text('a path', /^[^\0]{1,4096}$/)
const lamports = unsigned64('lamports per million tokens')

export const KEYS = {
  dataDir: key({
    file: 'data',
    flag: '--data <dir>',
    env: 'SWARMD_DATA',
    kind: aPath,
    fallback: null,
    about: 'data folder: seed, lock, control socket; one running node each',
    example: '"~/.local/share/swarmd"',
    path: true,
  }),
  passphraseFile: key({
    file: 'passphrase_file',
    flag: null,
    env: 'SWARMD_PASSPHRASE_FILE',
    kind: aPath,
    fallback: null,
    about: 'file whose first line opens a sealed seed ("swarmd keys seal"); a terminal asks when not given',
    example: '"~/.config/swarmd/passphrase"',
    path: true,
  }),
  cacheDir: key({
    file: 'cache',
    flag: null,
    env: 'SWARMD_CACHE',
    kind: aPath,
    fallback: null,
    about: 'cache folder: downloaded models, hashes of model files; may be deleted at any time',
    example: '"~/.cache/swarmd"',
    path: true,
  }),
  api: key({
    file: 'api.enabled',
    flag: '--no-api',
    env: 'SWARMD_API',
    kind: yesOrNo,
    fallback: true,
    about: 'without the local HTTP API',
    example: 'true',
  }),
  host: key({
    file: 'api.host',
    flag: '--host <address>',
    env: 'SWARMD_HOST',
    kind: text('a host name or an IP address', /^[A-Za-z0-9.:_-]{1,253}$/),
    fallback: '127.0.0.1',
    about: 'address the local API listens on; anything but loopback needs an API key',
    example: '"127.0.0.1"',
  }),
  port: key({
    file: 'api.port',
    flag: '--port <n>',
    env: 'SWARMD_PORT',
    kind: integer(0, 65535, 'any free port, printed'),
    fallback: 8080,
    about: 'port of the local API; 0 = any free port, printed',
    example: '8080',
  }),
  apiKeyFile: key({
    file: 'api.key_file',
    flag: '--api-key-file <file>',
    env: 'SWARMD_API_KEY_FILE',
    kind: aPath,
    fallback: null,
    about: 'file whose first line is the key that callers of the API must send',
    example: '"api.key"',
    path: true,
  }),
  apiKey: key({
    file: 'api.key',
    flag: null,
    env: 'SWARMD_API_KEY',
    kind: text('8 to 256 printable characters without spaces', /^[\x21-\x7e]{8,256}$/),
    fallback: null,
    about: 'the key itself; prefer key_file',
    example: '"a-long-random-string"',
    secret: true,
  }),
  allowOrigins: key({
    file: 'api.allow_origins',
    flag: '--allow-origin <origin>',
    repeat: true,
    env: 'SWARMD_ALLOW_ORIGINS',
    kind: listOf(origin, 64),
    fallback: [],
    about: 'web pages beyond localhost that may call the API from a browser',
    example: '["https://chat.example"]',
  }),
  allowHosts: key({
    file: 'api.allow_hosts',
    flag: '--allow-host <name>',
    repeat: true,
    env: 'SWARMD_ALLOW_HOSTS',
    kind: listOf(text('a host name without a port', /^([A-Za-z0-9._-]{1,253}|\[[0-9a-fA-F:.]{2,45}\])$/), 64),
    fallback: [],
    about: 'names beyond localhost under which callers may reach the API, e.g. that of a reverse proxy',
    example: '["gateway.example"]',
  }),
  bodyLimitMb: key({
    file: 'api.body_limit_mb',
    flag: null,
    env: 'SWARMD_BODY_LIMIT_MB',
    kind: integer(1, 1024),
    fallback: 20,
    about: 'largest request body in MB',
    example: '20',
  }),
  network: key({
    file: 'swarm.network',
    flag: '--network <name>',
    env: 'SWARMD_NETWORK',
    kind: text('1 to 64 letters, digits, dots, dashes or underscores', /^[A-Za-z0-9._-]{1,64}$/),
    fallback: 'public',
    about: 'name of the network to join; nodes meet only those of the same name',
    example: '"public"',
  }),
  bootstrap: key({
    file: 'swarm.bootstrap',
    flag: '--bootstrap <host:port>',
    repeat: true,
    env: 'SWARMD_BOOTSTRAP',
    kind: listOf(hostPort, 32),
    fallback: [],
    about: 'DHT nodes to start from instead of the public ones; repeatable',
    example: '["192.0.2.7:49737"]',
  }),
  swarmHost: key({
    file: 'swarm.host',
    flag: '--swarm-host <address>',
    env: 'SWARMD_SWARM_HOST',
    kind: text('an IP address', /^[0-9a-fA-F.:]{2,45}$/),
    fallback: null,
    about: 'address the swarm binds to; 127.0.0.1 for nodes on one machine only',
    example: '"127.0.0.1"',
  }),
  offline: key({
    file: 'swarm.offline',
    flag: '--offline',
    env: 'SWARMD_OFFLINE',
    kind: yesOrNo,
    fallback: false,
    about: 'never touch the network: only models served by this node',
    example: 'false',
  }),
  invite: key({
    file: 'swarm.invite',
    flag: null,
    env: 'SWARMD_INVITE',
    kind: bytes32,
    fallback: null,
    about: 'secret shared by a group: only nodes with the same one find each other (openssl rand -hex 32)',
    example: '"64 hexadecimal digits"',
    secret: true,
  }),
  allow: key({
    file: 'swarm.allow',
    flag: '--allow <key>',
    repeat: true,
    env: 'SWARMD_ALLOW',
    kind: listOf(bytes32, 4096),
    fallback: null,
    about: 'node keys that may connect; repeatable; everybody when not given',
    example: '["64 hexadecimal digits"]',
  }),
  threads: key({
    file: 'engine.threads',
    flag: '--threads <n>',
    env: 'SWARMD_THREADS',
    kind: integer(1, 1024),
    fallback: null,
    about: 'compute threads for all models together; physical cores minus one when not given',
    example: '4',
  }),
  slots: key({
    file: 'engine.slots',
    flag: '--slots <n>',
    env: 'SWARMD_SLOTS',
    kind: integer(1, 64),
    fallback: null,
    about: 'requests a model answers at the same time',
    example: '4',
  }),
  context: key({
    file: 'engine.context',
    flag: '--context <tokens>',
    env: 'SWARMD_CONTEXT',
    kind: integer(64, 16_777_216),
    fallback: null,
    about: 'context length of each slot in tokens; what model and memory allow when not given',
    example: '8192',
  }),
  queue: key({
    file: 'engine.queue',
    flag: '--queue <n>',
    env: 'SWARMD_QUEUE',
    kind: integer(0, 65_536),
    fallback: null,
    about: 'requests that may wait for a model; more are refused as busy; 64 when not given',
    example: '64',
  }),
  priceIn: key({
    file: 'prices.input',
    flag: '--price-in <lamports>',
    env: 'SWARMD_PRICE_IN',
    kind: lamports,
    fallback: 0n,
    about: 'lamports per million prompt tokens',
    example: '0',
  }),
  priceCached: key({
    file: 'prices.cached',
    flag: '--price-cached <lamports>',
    env: 'SWARMD_PRICE_CACHED',
    kind: lamports,
    fallback: null,
    about: 'lamports per million prompt tokens found in the cache; the input price when not given',
    example: '0',
  }),
  priceOut: key({
    file: 'prices.output',
    flag: '--price-out <lamports>',
    env: 'SWARMD_PRICE_OUT',
    kind: lamports,
    fallback: 0n,
    about: 'lamports per million generated tokens',
    example: '0',
  }),
  credit: key({
    file: 'payment.credit',
    flag: '--credit <amount>',
    env: 'SWARMD_CREDIT',
    kind: amount,
    fallback: null,
    about: 'the most that this node may owe one provider, and lets one payer run up in all, where there is no chain',
    example: '"0.001 SOL"',
  }),
  chainUrl: key({
    file: 'chain.url',
    flag: '--chain <url>',
    repeat: true,
    env: 'SWARMD_CHAIN',
    kind: listOf(text('an http(s) address of a Solana RPC node', /^https?:\/\/[^\s\0,]{1,2000}$/), 8),
    fallback: [],
    about:
      'Solana RPC node: providers are paid on this chain instead of on credit; repeatable: the next stands in for one that fails',
    example: '["http://127.0.0.1:8899"]',
    // Paths and queries of such addresses are often access keys.
    secret: true,
  }),
  chainProgram: key({
    file: 'chain.program',
    flag: null,
    env: 'SWARMD_CHAIN_PROGRAM',
    kind: text('an address of the chain (base58)', /^[1-9A-HJ-NP-Za-km-z]{32,44}$/),
    fallback: 'SwarmdSett1ement111111111111111111111111111',
    about: "address of swarmd's program on the chain",
    example: '"SwarmdSett1ement111111111111111111111111111"',
  }),
  chainDeposit: key({
    file: 'chain.deposit',
    flag: null,
    env: 'SWARMD_CHAIN_DEPOSIT',
    kind: amount,
    fallback: lamportsOf(10_000_000n),
    about: 'what is put into a channel with a provider when it is first paid',
    example: '"0.01 SOL"',
  }),
  chainConsent: key({
    file: 'chain.consent',
    flag: null,
    env: 'SWARMD_CHAIN_CONSENT',
    kind: oneOf('ask', 'yes', 'no'),
    fallback: 'ask',
    about: 'may deposits be made: ask = a terminal asks once, and where nobody can be asked it is yes',
    example: '"ask"',
  }),
  chainIdle: key({
    file: 'chain.idle_minutes',
    flag: null,
    env: 'SWARMD_CHAIN_IDLE_MINUTES',
    kind: integer(0, 525_600, 'never'),
    fallback: 1_440,
    about: 'a channel on which nothing was paid for so long is closed, and its deposit comes back; 0 = never',
    example: '1440',
  }),
  chainGrace: key({
    file: 'chain.grace_minutes',
    flag: null,
    env: 'SWARMD_CHAIN_GRACE_MINUTES',
    kind: integer(1, 43_200),
    fallback: 1_440,
    about: 'how long a provider can still settle after this node has asked to close a channel, in minutes',
    example: '1440',
  }),
  chainLeastGrace: key({
    file: 'chain.least_grace_minutes',
    flag: null,
    env: 'SWARMD_CHAIN_LEAST_GRACE_MINUTES',
    kind: integer(1, 43_200),
    fallback: 120,
    about: 'channels with a shorter grace are refused by this provider, in minutes',
    example: '120',
  }),
  chainPay: key({
    file: 'chain.pay',
    flag: null,
    env: 'SWARMD_CHAIN_PAY',
    kind: oneOf('auto', 'channel', 'order'),
    fallback: 'auto',
    about:
      'by what providers are paid: a channel with a deposit, an order for each request, or an order where no deposit can be made (auto)',
    example: '"auto"',
  }),
  chainPriorityFee: key({
    file: 'chain.priority_fee',
    flag: null,
    env: 'SWARMD_CHAIN_PRIORITY_FEE',
    kind: priorityFee,
    fallback: 'auto 50000',
    about:
      'what is offered beyond the base fee, in microlamports per compute unit: always the same, or what others paid of late',
    example: '"auto 50000"',
  }),
  chainPublishOffers: key({
    file: 'chain.publish_offers',
    flag: null,
    env: 'SWARMD_CHAIN_PUBLISH_OFFERS',
    kind: yesOrNo,
    fallback: true,
    about: 'tell the chain which models this provider serves at which prices; costs a refundable rent for each model',
    example: 'true',
  }),
  evidenceHours: key({
    file: 'ledger.evidence_hours',
    flag: null,
    env: 'SWARMD_EVIDENCE_HOURS',
    kind: integer(0, 8_760),
    fallback: 24,
    about: 'how long a provider can show how it computed an answer, in hours; 0 = it keeps nothing for audits',
    example: '24',
  }),
  budgetPerRequest: key({
    file: 'budget.per_request',
    flag: null,
    env: 'SWARMD_BUDGET_PER_REQUEST',
    kind: amount,
    fallback: null,
    about: 'the most that one request may cost; more is refused with 402 before anything is sent',
    example: '"0.001 SOL"',
  }),
  budgetPerDay: key({
    file: 'budget.per_day',
    flag: null,
    env: 'SWARMD_BUDGET_PER_DAY',
    kind: amount,
    fallback: null,
    about: 'the most that this node may spend in a day (UTC)',
    example: '"0.05 SOL"',
  }),
  aliases: key({
    file: 'aliases',
    flag: '--alias <name=model>',
    repeat: true,
    env: 'SWARMD_ALIASES',
    kind: mapOf(256),
    fallback: {},
    about: 'further names for models; "*" catches every name that nothing else matches',
    example: '{ "gpt-4o-mini" = "qwen3-8b:q4_k_m" }',
  }),
  logLevel: key({
    file: 'log.level',
    flag: '--log-level <level>',
    env: 'SWARMD_LOG_LEVEL',
    kind: oneOf('debug', 'info', 'warn', 'error', 'silent'),
    fallback: 'info',
    about: 'how much the daemon logs: debug, info, warn, error or silent',
    example: '"info"',
  }),
  logFile: key({
    file: 'log.file',
    flag: null,
    env: 'SWARMD_LOG_FILE',
    kind: aPath,
    fallback: null,
    about: 'file for the log (JSON lines); standard error when not given',
    example: '"swarmd.log"',
    path: true,
  }),
}

export type ConfigKey = keyof typeof KEYS
type ValueOf<K> = K extends Key<infer T, infer F> ? T | F : never

/** Every setting with its value; null = not given and without a fixed default. */
export type Config = { readonly [K in ConfigKey]: ValueOf<(typeof KEYS)[K]> }

export const CONFIG_KEYS = Object.keys(KEYS) as readonly ConfigKey[]
