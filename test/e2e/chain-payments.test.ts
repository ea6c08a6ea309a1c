/** Answers paid on a chain, between whole nodes: deposit, vouchers, settlement, and every lamport accounted for. */
import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { openIdentity } from '../../daemon/identity.js'
import { KEYS } from '../../daemon/config-keys.js'
import type { ChainSettings } from '../../daemon/node-options.js'
import { ceilToLamports, lamports, microLamports } from '../../ledger/amount.js'
import { bytesOf } from '../../daemon/chain/link.js'
import { EMBEDDED_PROGRAM, startSwarmdChain } from '../../ledger/chain/embedded/swarmd-chain.js'
import type { RunningChain } from '../../ledger/chain/embedded/start.js'
import { CHANNEL, CONFIG, PROVIDER } from '../../ledger/chain/layout/accounts.js'
import type { ChannelAccount } from '../../ledger/chain/layout/accounts.js'
import { FREE, cost, price } from '../../ledger/price.js'
import type { Prices } from '../../ledger/price.js'
import { chat, nodes, until } from '../helpers/nodes.js'
import type { Nodes } from '../helpers/nodes.js'

const SOL = 1_000_000_000n
const DEPOSIT = 10_000_000n
const PRICES: Prices = { input: price(100_000_000n), cached: price(100_000_000n), output: price(1_000_000_500n) }
/** Of `hello there`, as the mock counts it. */
const PROMPT = 3
const SIGNATURE = 5_000n
const PROGRAM = bytesOf(EMBEDDED_PROGRAM)

interface Scene {
  readonly net: Nodes
  readonly chain: RunningChain
  readonly settings: ChainSettings
  balance(address: Uint8Array): bigint
  accounts(size: number, kind: number): readonly { readonly lamports: bigint; readonly data: Uint8Array }[]
  channels(): readonly ChannelAccount[]
  /** The address of a new node's wallet. */
  wallet(name: string, coins?: bigint): Promise<Uint8Array>
}

async function sceneOf(t: TestContext): Promise<Scene> {
  const chain = await startSwarmdChain({ folder: null, port: 0 })
  t.after(() => chain.close())
  const net = await nodes(t)
  const accounts: Scene['accounts'] = (size, kind) =>
    chain.chain
      .accountsOf(PROGRAM)
      .map(({ account }) => account)
      .filter(({ data }) => data.byteLength === size && data[0] === kind)
  return {
    net,
    chain,
    settings: {
      urls: [chain.url],
      program: EMBEDDED_PROGRAM,
      deposit: lamports(DEPOSIT),
      grace: 86_400n,
      leastGrace: 7_200n,
    },
    balance: (address) => chain.chain.account(address)?.lamports ?? 0n,
    accounts,
    channels: () => accounts(CHANNEL.size, CHANNEL.kind).map(({ data }) => CHANNEL.decode(data)),
    async wallet(name, coins = SOL) {
      await mkdir(net.folder(name), { recursive: true, mode: 0o700 })
      const { publicKey } = openIdentity(net.folder(name)).wallet()
      if (coins > 0n) chain.chain.airdrop(publicKey, coins)
      return publicKey
    },
  }
}

function costOf(...lengths: readonly number[]): bigint {
  return lengths.reduce((sum, output) => sum + cost(PRICES, { input: PROMPT, cached: 0, output }), 0n)
}

test('a deposit pays for answers, the provider settles at its end, and every lamport is accounted for', async (t) => {
  const { net, settings, wallet, balance, accounts, channels } = await sceneOf(t)
  const [seller, buyer] = [await wallet('provider'), await wallet('consumer')]
  const [config] = accounts(CONFIG.size, CONFIG.kind)
  assert.ok(config)
  const treasury = CONFIG.decode(config.data).treasury.toBytes()
  const before = balance(treasury)
  const provider = await net.provider('provider', { prices: PRICES, chain: settings })
  await until(() => accounts(PROVIDER.size, PROVIDER.kind).length === 1)
  const consumer = await net.consumer('consumer', { chain: settings })
  for (const length of [100, 200]) {
    const { status, body } = await chat(consumer, 'hello there', { max_tokens: length })
    assert.equal(status, 200, body)
  }
  await consumer.close()
  const again = await net.consumer('consumer', { chain: settings })
  assert.equal((await chat(again, 'hello there', { max_tokens: 50 })).status, 200)
  await again.close()
  await provider.close()

  const [channel, ...others] = channels()
  assert.ok(channel)
  assert.deepEqual(others, [], 'the channel was used again after a start')
  const [held] = await net.ledger('provider', (store) => Promise.resolve(store.vouchers.allHeld()))
  const paid = held?.voucher.cumulative ?? 0n
  const due = ceilToLamports(microLamports(costOf(100, 200, 50)))
  // Each start rounds up once.
  assert.ok(paid >= due && paid <= due + 1n, `${paid} for ${due}`)
  assert.equal(channel.deposit, DEPOSIT)
  assert.equal(channel.settled, paid)

  const fee = (paid * BigInt(channel.feeBps)) / 10_000n
  const [inChannel] = accounts(CHANNEL.size, CHANNEL.kind)
  const [inProvider] = accounts(PROVIDER.size, PROVIDER.kind)
  assert.ok(inChannel && inProvider)
  assert.equal(balance(treasury) - before, fee)
  // Rent and the deposit's rest lie in the channel.
  assert.equal(balance(buyer), SOL - SIGNATURE - inChannel.lamports - paid)
  // Two signatures to register (wallet and node key), and one settlement of one voucher.
  assert.equal(balance(seller), SOL - 2n * SIGNATURE - inProvider.lamports - 2n * SIGNATURE + paid - fee)
})

test('channels that cannot be enforced, wallets without money and chains that are away are told, and free models go on', async (t) => {
  const { net, chain, settings, wallet, accounts, channels } = await sceneOf(t)
  await wallet('provider')
  await wallet('hasty')
  await wallet('poor', 0n)
  await net.provider('provider', { prices: PRICES, chain: settings })
  await until(() => accounts(PROVIDER.size, PROVIDER.kind).length === 1)
  const poor = await net.consumer('poor', { chain: settings })
  const broke = await chat(poor, 'hello there', { max_tokens: 10 })
  assert.equal(broke.status, 402, broke.body)
  assert.match(broke.body, /wallet/)
  assert.deepEqual(channels(), [])
  const hasty = await net.consumer('hasty', { chain: { ...settings, grace: 60n } })
  const refused = await chat(hasty, 'hello there', { max_tokens: 10 })
  assert.equal(refused.status, 402, refused.body)
  assert.match(refused.body, /grace/)
  const free = await net.provider('free', { prices: FREE, chain: settings })
  await until(() => poor.snapshot().models[0]?.providers === 2)
  assert.equal((await chat(poor, 'hello there', { max_tokens: 10 })).status, 200, 'what is free needs no wallet')
  await chain.close()
  assert.equal((await chat(poor, 'hello there', { max_tokens: 10 })).status, 200, 'and no chain')
  await free.close()
  await until(() => poor.snapshot().models[0]?.providers === 1)
  const away = await chat(poor, 'hello there', { max_tokens: 10 })
  assert.equal(away.status, 402, away.body)
  assert.match(away.body, /chain cannot be asked/)
})

test('a data folder keeps to its chain: a later start waits for no node, and another chain is refused', async (t) => {
  const { net, settings, wallet } = await sceneOf(t)
  const other = await startSwarmdChain({ folder: null, port: 0 })
  t.after(() => other.close())
  await wallet('provider')
  const first = await net.provider('provider', { prices: PRICES, chain: settings })
  await first.close()
  const offline = await net.provider('provider', { prices: FREE, chain: { ...settings, urls: ['http://127.0.0.1:9'] } })
  await offline.close()
  const moved = await net.provider('provider', { prices: PRICES, chain: { ...settings, urls: [other.url] } })
  await until(() => moved.snapshot().warnings.some((warning) => /another chain.*--data/.test(warning)))
})

test("the settings' program is that of the embedded chain", () => {
  assert.equal(KEYS.chainProgram.fallback, EMBEDDED_PROGRAM)
})
