/** A consumer and a provider on a private DHT, their folders, and how they die and come back. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startLoopbackDht } from '../../swarm/bootstrap.js'
import type { LoopbackDht } from '../../swarm/bootstrap.js'
import { identityOf, NOTHING, readBooks, readVouchers } from './evidence.js'
import type { Books, Line, Promised } from './evidence.js'
import type { Pair } from './promises.js'
import type { Random } from './random.js'
import { Side } from './side.js'

export interface Money {
  /** Lamports per million tokens, of prompts and answers alike. */
  readonly price: bigint
  /** Lamports. */
  readonly credit: bigint
}

export interface Daemons extends Pair<Side> {
  readonly folder: string
  /** Of the living consumer's API, with `/v1`. */
  base: string | null
  close(): Promise<void>
}

/** Tokens per second of one life of the mock: at once, and slow enough to be caught in the middle. */
const SPEEDS = ['0', '0', '0', '2000', '500', '200'] as const

/** `money` null: a free swarm. Starts nothing yet but the DHT. */
export async function openPair(folder: string, money: Money | null, random: Random): Promise<Daemons> {
  const dht: LoopbackDht = await startLoopbackDht()
  for (const name of ['consumer', 'provider', 'home']) mkdirSync(join(folder, name), { recursive: true, mode: 0o700 })
  const config = join(folder, 'config.toml')
  writeFileSync(config, '')
  const env = {
    PATH: process.env['PATH'],
    HOME: join(folder, 'home'),
    XDG_CACHE_HOME: join(folder, 'home'),
    XDG_RUNTIME_DIR: join(folder, 'home'),
    SWARMD_CONFIG: config,
    SWARMD_LOG_LEVEL: 'error',
  }
  const common = [
    ...dht.bootstrap.flatMap(({ host, port }) => ['--bootstrap', `${host}:${port}`]),
    '--network',
    'crash',
  ]
  const credit = money === null ? [] : ['--credit', String(money.credit)]
  const prices = money === null ? [] : ['--price-in', String(money.price), '--price-out', String(money.price)]
  const provider = new Side(
    'provider',
    join(folder, 'provider'),
    () => {
      const [first, ...others] = SPEEDS
      return [
        'serve',
        'mock',
        '--no-api',
        '--tokens-per-second',
        random.pick(first, ...others),
        ...prices,
        ...common,
        ...credit,
      ]
    },
    env,
  )
  const consumer = new Side(
    'consumer',
    join(folder, 'consumer'),
    () => ['up', '--port', '0', ...common, ...credit],
    env,
  )
  return {
    folder,
    consumer,
    provider,
    base: null,
    async close() {
      await Promise.all([consumer.kill(), provider.kill()])
      await dht.close()
    },
  }
}

/** The channel on which this consumer pays this provider; null before both have an identity. */
export function lineOf({ consumer, provider }: Pair<Side>): Line | null {
  const seller = identityOf(provider.dataDir)
  const signer = seller && identityOf(consumer.dataDir)?.voucher(seller.node().publicKey).publicKey
  return signer ? { channel: signer, signer } : null
}

/** The provider first: a voucher is durable with the consumer before it travels, so what is read later is never less. */
export async function vouchersOf(daemons: Pair<Side>): Promise<Pair<Promised>> {
  const line = lineOf(daemons)
  const lines = line ? [line] : []
  const [provider = NOTHING] = await readVouchers(daemons.provider.dataDir, lines)
  const [consumer = NOTHING] = await readVouchers(daemons.consumer.dataDir, lines)
  return { provider, consumer }
}

/** Neither daemon may run. */
export async function booksOf(daemons: Pair<Side>): Promise<Pair<Books>> {
  const line = lineOf(daemons)
  const provider = await readBooks(daemons.provider.dataDir, line)
  return { provider, consumer: await readBooks(daemons.consumer.dataDir, line) }
}
