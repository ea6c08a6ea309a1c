/** A consumer and a provider that pay on an embedded chain, each through its own address of a hostile RPC node. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openIdentity } from '../../../daemon/identity.js'
import { bytesOf } from '../../../daemon/chain/link.js'
import { toBase58 } from '../../../ledger/chain/base58.js'
import { EMBEDDED_PROGRAM } from '../../../ledger/chain/embedded/swarmd-chain.js'
import { CHANNEL, CHANNEL_PHASE } from '../../../ledger/chain/layout/accounts.js'
import type { ChannelAccount } from '../../../ledger/chain/layout/accounts.js'
import { startLoopbackDht } from '../../../swarm/bootstrap.js'
import { ChainBooks } from '../../helpers/chain-books.js'
import { ForkingChain } from '../../helpers/forking-chain.js'
import { HostileRpc } from '../../helpers/hostile-rpc.js'
import type { HostileRpcOptions } from '../../helpers/hostile-rpc.js'
import { NOTHING, readVouchers } from '../evidence.js'
import type { Line, Promised } from '../evidence.js'
import type { Pair } from '../promises.js'
import type { Random } from '../random.js'
import { Side } from '../side.js'
import type { Facts, Seen } from './promises.js'

export interface World extends Pair<Side> {
  readonly chain: ForkingChain
  readonly rpc: HostileRpc
  readonly books: ChainBooks
  /** Of the living consumer's API, with `/v1`. */
  base: string | null
  /** Chain and disks at this moment. The daemons may run. */
  facts(): Promise<Facts>
  /** Drops the fork, if there is one; what it has shown of channels is not forgotten. */
  join(again: boolean): Promise<void>
  /** The vouchers of channels that only a fork has ever had. */
  lostChannels(): Promise<readonly (Pair<Promised> & { readonly address: string })[]>
  close(): Promise<void>
}

/** Lamports per million tokens: no round number, so that sums end in fractions of a lamport. */
export const PRICE = 77_777_777_777n
/** Lamports: six thousand tokens, so that a channel is used up within a few dozen answers. */
const DEPOSIT = 466_666_667n
const COINS = 2_000_000_000_000n
const SPEEDS = ['0', '0', '2000', '500'] as const

/** Starts nothing yet but DHT and chain. */
export async function openWorld(folder: string, random: Random, at: HostileRpcOptions['at']): Promise<World> {
  for (const name of ['consumer', 'provider', 'home', 'chain'])
    mkdirSync(join(folder, name), { recursive: true, mode: 0o700 })
  const dht = await startLoopbackDht()
  const chain = await ForkingChain.open(join(folder, 'chain'))
  const rpc = await HostileRpc.listen({ chain, random, ...(at ? { at } : {}) })
  const wallets = new Map(
    ['consumer', 'provider'].map((name) => [name, openIdentity(join(folder, name)).wallet().publicKey]),
  )
  for (const wallet of wallets.values()) chain.main.airdrop(wallet, COINS)
  await chain.main.durable()
  const books = new ChainBooks(chain.main, chain.faucet, wallets)

  const config = join(folder, 'config.toml')
  writeFileSync(config, '')
  const env = {
    PATH: process.env['PATH'],
    HOME: join(folder, 'home'),
    XDG_CACHE_HOME: join(folder, 'home'),
    XDG_RUNTIME_DIR: join(folder, 'home'),
    SWARMD_CONFIG: config,
    SWARMD_LOG_LEVEL: 'error',
    SWARMD_CHAIN_DEPOSIT: String(DEPOSIT),
    SWARMD_CHAIN_IDLE_MINUTES: '1',
  }
  const common = [
    '--network',
    'crash',
    ...dht.bootstrap.flatMap(({ host, port }) => ['--bootstrap', `${host}:${port}`]),
  ]
  const side = (name: string, args: () => readonly string[]): Side =>
    new Side(
      name,
      join(folder, name),
      () => {
        rpc.born(name)
        return [...args(), ...common, '--chain', rpc.urlOf(name)]
      },
      env,
    )
  const prices = ['--price-in', String(PRICE), '--price-out', String(PRICE)]
  const consumer = side('consumer', () => ['up', '--port', '0'])
  const provider = side('provider', () => {
    const [first, ...others] = SPEEDS
    return ['serve', 'mock', '--no-api', '--tokens-per-second', random.pick(first, ...others), ...prices]
  })

  const onForks = new Map<string, ChannelAccount>()
  const program = bytesOf(EMBEDDED_PROGRAM)
  const join_ = async (again: boolean): Promise<void> => {
    for (const { key, account } of chain.onFork(program)) {
      if (account.data[0] !== CHANNEL.kind) continue
      const [address, seen] = [toBase58(key), CHANNEL.decode(account.data)]
      const known = onForks.get(address)
      if (!known || known.deposit < seen.deposit) onForks.set(address, seen)
    }
    await chain.join(again)
  }
  /** The provider's disk first: its payer's never knows less. */
  const vouchers = async (channels: readonly (readonly [address: string, signer: Uint8Array])[]) => {
    const lines: Line[] = channels.map(([address, signer]) => ({ channel: bytesOf(address), signer }))
    const held = await readVouchers(provider.dataDir, lines)
    const signed = await readVouchers(consumer.dataDir, lines)
    return channels.map(([address], i) => ({ address, provider: held[i] ?? NOTHING, consumer: signed[i] ?? NOTHING }))
  }
  const facts = async (): Promise<Facts> => {
    await chain.main.durable()
    const known = books.channels()
    const found = await vouchers(known.map(({ address, account }) => [address, account.signer]))
    return {
      channels: known.map((channel, i) =>
        seenOf(channel, found[i]?.consumer ?? NOTHING, found[i]?.provider ?? NOTHING),
      ),
      shown: new Map([...onForks].map(([address, { deposit }]) => [address, deposit])),
      sums: books.broken(),
    }
  }
  return {
    chain,
    rpc,
    books,
    consumer,
    provider,
    base: null,
    facts,
    join: join_,
    lostChannels() {
      const real = new Set(books.channels().map(({ address }) => address))
      return vouchers([...onForks].filter(([address]) => !real.has(address)).map(([a, { signer }]) => [a, signer]))
    },
    async close() {
      await Promise.all([consumer.kill(), provider.kill()])
      books.close()
      await rpc.close()
      await chain.close()
      await dht.close()
    },
  }
}

function seenOf(
  { address, account, lamports }: ReturnType<ChainBooks['channels']>[number],
  consumerHas: Promised,
  providerHas: Promised,
): Seen {
  const { phase, payer, provider, deposit, settled } = account
  return {
    address,
    payer: payer.toBase58(),
    provider: provider.toBase58(),
    phase: phase === CHANNEL_PHASE.open ? 'open' : phase === CHANNEL_PHASE.closing ? 'closing' : 'ended',
    deposit,
    settled,
    lamports,
    consumerHas,
    providerHas,
  }
}
