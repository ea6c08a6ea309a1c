/** A channel's whole life between whole nodes on the embedded chain: opened, filled up, left, closed, and every lamport back. */
import assert from 'node:assert/strict'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { bytesOf } from '../../daemon/chain/link.js'
import { openIdentity } from '../../daemon/identity.js'
import type { ChainSettings } from '../../daemon/node-options.js'
import { lamports } from '../../ledger/amount.js'
import { EMBEDDED_PROGRAM, startSwarmdChain } from '../../ledger/chain/embedded/swarmd-chain.js'
import type { RunningChain } from '../../ledger/chain/embedded/start.js'
import { CHANNEL, CONFIG, PROVIDER } from '../../ledger/chain/layout/accounts.js'
import type { ChannelAccount } from '../../ledger/chain/layout/accounts.js'
import { FREE, price } from '../../ledger/price.js'
import type { Prices } from '../../ledger/price.js'
import { chat, nodes, until } from '../helpers/nodes.js'
import type { Nodes } from '../helpers/nodes.js'

const SOL = 1_000_000_000n
const SIGNATURE = 5_000n
const HOUR = 3_600_000
const PRICES: Prices = { input: price(100_000_000n), cached: price(100_000_000n), output: price(1_000_000_500n) }
const PROGRAM = bytesOf(EMBEDDED_PROGRAM)

interface Scene {
  readonly net: Nodes
  readonly chain: RunningChain
  readonly settings: ChainSettings
  readonly now: () => number
  wait(ms: number): void
  balance(address: Uint8Array): bigint
  of(layout: { readonly size: number; readonly kind: number }): readonly Uint8Array[]
  channels(): readonly ChannelAccount[]
  wallet(name: string): Promise<Uint8Array>
}

async function sceneOf(t: TestContext, deposit = 10_000_000n): Promise<Scene> {
  let ahead = 0
  const now = (): number => Date.now() + ahead
  const chain = await startSwarmdChain({ folder: null, port: 0, now })
  t.after(() => chain.close())
  const net = await nodes(t)
  const of: Scene['of'] = ({ size, kind }) =>
    chain.chain
      .accountsOf(PROGRAM)
      .map(({ account }) => account.data)
      .filter((data) => data.byteLength === size && data[0] === kind)
  const terms = { deposit: lamports(deposit), grace: 86_400n, leastGrace: 7_200n, idle: 43_200n, turnMs: 50 }
  return {
    net,
    chain,
    settings: { urls: [chain.url], program: EMBEDDED_PROGRAM, ...terms },
    now,
    wait: (ms) => void (ahead += ms),
    balance: (address) => chain.chain.account(address)?.lamports ?? 0n,
    of,
    channels: () => of(CHANNEL).map((data) => CHANNEL.decode(data)),
    async wallet(name) {
      await mkdir(net.folder(name), { recursive: true, mode: 0o700 })
      const { publicKey } = openIdentity(net.folder(name)).wallet()
      chain.chain.airdrop(publicKey, SOL)
      return publicKey
    },
  }
}

test('an idle channel comes back by itself, with a restart in each state, and paid = received + fee + what came back', async (t) => {
  const { net, settings, now, wait, wallet, balance, channels, of } = await sceneOf(t)
  const [seller, buyer] = [await wallet('provider'), await wallet('consumer')]
  const [config] = of(CONFIG)
  assert.ok(config)
  const treasury = CONFIG.decode(config).treasury.toBytes()
  const before = balance(treasury)
  const provider = await net.provider('provider', { prices: PRICES, chain: settings, now })
  const given = { chain: settings, now }
  let consumer = await net.consumer('consumer', given)
  assert.equal((await chat(consumer, 'hello there', { max_tokens: 200 })).status, 200)
  await consumer.close()
  wait(13 * HOUR)
  // Who has just come back may want to go on: a while later nobody has.
  consumer = await net.consumer('consumer', given)
  assert.equal(channels()[0]?.phase, 0)
  await provider.close()
  wait(HOUR)
  await until(() => channels()[0]?.phase === 1)
  await consumer.close()
  // The provider is back before the grace is over, is paid and ends it.
  const again = await net.provider('provider', { prices: PRICES, chain: settings, now })
  await until(() => channels().length === 0)
  consumer = await net.consumer('consumer', given)
  const [held] = await heldOf(net, consumer, again)
  const paid = held ?? 0n
  assert.ok(paid > 0n)
  const fee = paid / 10n
  assert.equal(balance(treasury) - before, fee)
  // Opening and asking to close.
  assert.equal(balance(buyer), SOL - 2n * SIGNATURE - paid)
  const registration = SOL - balance(seller) - 2n * SIGNATURE - 2n * SIGNATURE - SIGNATURE + (paid - fee)
  // Two signatures to register, two settle one voucher, one finishes; what is left is the rent of its entry.
  assert.equal(registration, 3_118_080n)
})

async function heldOf(net: Nodes, ...running: readonly { close(): Promise<void> }[]): Promise<readonly bigint[]> {
  for (const node of running) await node.close()
  return net.ledger('provider', (store) =>
    Promise.resolve(store.vouchers.allHeld().map((one) => one.voucher.cumulative)),
  )
}

test('without its provider the payer finishes alone after the grace, in the life in which that is over', async (t) => {
  const { net, settings, now, wait, wallet, balance, channels } = await sceneOf(t)
  const [, buyer] = [await wallet('provider'), await wallet('consumer')]
  const provider = await net.provider('provider', { prices: PRICES, chain: settings, now })
  const consumer = await net.consumer('consumer', { chain: settings, now })
  assert.equal((await chat(consumer, 'hello there', { max_tokens: 200 })).status, 200)
  await provider.close()
  const [{ settled } = { settled: 0n }] = channels()
  wait(13 * HOUR)
  await until(() => channels()[0]?.phase === 1)
  await consumer.close()
  wait(24 * HOUR)
  const later = await net.consumer('consumer', { chain: settings, now }, 0)
  await until(() => channels().length === 0)
  assert.equal(balance(buyer), SOL - 3n * SIGNATURE - settled)
  await later.close()
})

test('a channel that runs low is filled up while it is used, and both sides go on with it', async (t) => {
  const { net, settings, wallet, channels } = await sceneOf(t, 200_000n)
  await wallet('provider')
  await wallet('consumer')
  await net.provider('provider', { prices: PRICES, chain: settings })
  const consumer = await net.consumer('consumer', { chain: settings })
  for (let answer = 0; answer < 8; answer++) {
    const { status, body } = await chat(consumer, 'hello there', { max_tokens: 64 })
    assert.equal(status, 200, body)
    const [paid] = consumer.snapshot().ledger.money?.channels ?? []
    assert.ok(paid)
  }
  const [channel, ...others] = channels()
  assert.deepEqual(others, [])
  assert.ok(channel && channel.deposit > 400_000n, `${channel?.deposit}`)
})

test('a price is told when it can be paid: before, the provider is not refused but not there, and free ones are', async (t) => {
  const { net, chain, settings, wallet, of } = await sceneOf(t)
  await wallet('consumer')
  await mkdir(net.folder('provider'), { recursive: true, mode: 0o700 })
  const { publicKey } = openIdentity(net.folder('provider')).wallet()
  const provider = await net.provider('provider', { prices: PRICES, chain: settings })
  await net.provider('free', { prices: FREE, chain: settings })
  const consumer = await net.consumer('consumer', { chain: settings })
  await until(() => provider.snapshot().warnings.some((text) => /cannot pay what the chain takes/.test(text)))
  assert.equal(provider.snapshot().served[0]?.offered, false)
  assert.equal((await chat(consumer, 'hello there', { max_tokens: 4 })).status, 200)
  chain.chain.airdrop(publicKey, SOL)
  await until(() => consumer.snapshot().models[0]?.providers === 2)
  assert.equal(of(PROVIDER).length, 1)
  await until(() => provider.snapshot().served[0]?.offered === true)
})

test('a chain that is silent at the very first start delays the network only', async (t) => {
  const { net, settings } = await sceneOf(t)
  const other = await sceneOf(t)
  const { port } = new URL(other.chain.url)
  await other.chain.close()
  const urls = [`http://127.0.0.1:${port}`]
  const node = await net.provider('local', { prices: FREE, chain: { ...settings, urls } })
  assert.match(node.snapshot().warnings.join(' '), /joined once the chain has said/)
  assert.equal(node.snapshot().network.state, 'joining')
  assert.equal(node.snapshot().served[0]?.state, 'ready')
  const [consumer] = [await net.consumer('consumer', { chain: settings }, 0)]
  const late = await startSwarmdChain({ folder: null, port: Number(port) })
  t.after(() => late.close())
  await until(() => node.snapshot().network.state === 'joined')
  assert.equal(consumer.snapshot().models.length, 0, 'it is on another chain')
  const friend = await net.consumer('friend', { chain: { ...settings, urls: [late.url] } })
  assert.equal((await chat(friend, 'hello there', { max_tokens: 4 })).status, 200)
})

test('a provider that has lost its ledger goes on with a channel that it has settled, and is paid for what it does now', async (t) => {
  const { net, settings, wallet, channels } = await sceneOf(t)
  await wallet('provider')
  await wallet('consumer')
  const first = await net.provider('provider', { prices: PRICES, chain: settings })
  const consumer = await net.consumer('consumer', { chain: settings })
  assert.equal((await chat(consumer, 'hello there', { max_tokens: 200 })).status, 200)
  await first.close()
  const before = channels()[0]?.settled ?? 0n
  assert.ok(before > 0n)
  await rm(join(net.folder('provider'), 'ledger'), { recursive: true })
  const second = await net.provider('provider', { prices: PRICES, chain: settings })
  await until(() => consumer.snapshot().models[0]?.providers === 1)
  const { status, body } = await chat(consumer, 'hello there', { max_tokens: 100 })
  assert.equal(status, 200, body)
  await second.close()
  const [channel, ...others] = channels()
  assert.deepEqual(others, [])
  assert.ok(channel && channel.settled > before + 100_000n, `${channel?.settled} after ${before}`)
})
