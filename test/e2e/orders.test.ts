/** Answers paid by orders on a chain, between whole nodes: published, locked, answered, claimed, taken back. */
import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { openIdentity } from '../../daemon/identity.js'
import type { ChainSettings } from '../../daemon/node-options.js'
import { bytesOf } from '../../daemon/chain/link.js'
import { ceilToLamports, lamports, microLamports } from '../../ledger/amount.js'
import { EMBEDDED_PROGRAM, startSwarmdChain } from '../../ledger/chain/embedded/swarmd-chain.js'
import { CHANNEL, CONFIG, ORDER, PROVIDER } from '../../ledger/chain/layout/accounts.js'
import type { OrderAccount } from '../../ledger/chain/layout/accounts.js'
import { cost, price } from '../../ledger/price.js'
import type { Prices } from '../../ledger/price.js'
import { chat, nodes, until } from '../helpers/nodes.js'
import type { Nodes } from '../helpers/nodes.js'

const SOL = 1_000_000_000n
const SIGNATURE = 5_000n
const PRICES: Prices = { input: price(100_000_000n), cached: price(100_000_000n), output: price(1_000_000_500n) }
/** Of `hello there`, as the mock counts it. */
const PROMPT = 3
const PROGRAM = bytesOf(EMBEDDED_PROGRAM)
const ORDERED = { provider: { pay: 'order' } }

interface Scene {
  readonly net: Nodes
  readonly settings: ChainSettings
  balance(address: Uint8Array): bigint
  accounts(kind: number): readonly { readonly lamports: bigint; readonly data: Uint8Array }[]
  orders(): readonly OrderAccount[]
  /** The address of a new node's wallet. */
  wallet(name: string, coins?: bigint): Promise<Uint8Array>
}

async function sceneOf(t: TestContext): Promise<Scene> {
  const { chain, close, url } = await startSwarmdChain({ folder: null, port: 0 })
  t.after(close)
  const net = await nodes(t)
  const accounts: Scene['accounts'] = (kind) =>
    chain
      .accountsOf(PROGRAM)
      .map(({ account }) => account)
      .filter(({ data }) => data[0] === kind)
  return {
    net,
    settings: {
      urls: [url],
      program: EMBEDDED_PROGRAM,
      deposit: lamports(10_000_000n),
      grace: 86_400n,
      leastGrace: 7_200n,
      turnMs: 500,
    },
    balance: (address) => chain.account(address)?.lamports ?? 0n,
    accounts,
    orders: () => accounts(ORDER.kind).map(({ data }) => ORDER.decode(data)),
    async wallet(name, coins = SOL) {
      await mkdir(net.folder(name), { recursive: true, mode: 0o700 })
      const { publicKey } = openIdentity(net.folder(name)).wallet()
      if (coins > 0n) chain.airdrop(publicKey, coins)
      return publicKey
    },
  }
}

function costOf(output: number): bigint {
  return ceilToLamports(cost(PRICES, { input: PROMPT, cached: 0, output }))
}

test('an answer paid by an order: what was paid is received, fees, remainder and rent to the lamport', async (t) => {
  const { net, settings, wallet, balance, accounts, orders } = await sceneOf(t)
  const [seller, buyer] = [await wallet('provider'), await wallet('consumer')]
  const config = accounts(CONFIG.kind)[0] ?? assert.fail()
  const treasury = CONFIG.decode(config.data).treasury.toBytes()
  const before = balance(treasury)
  const provider = await net.provider('provider', { prices: PRICES, chain: settings })
  await until(() => accounts(PROVIDER.kind).length === 1)
  const consumer = await net.consumer('consumer', { chain: settings })
  const { status, body } = await chat(consumer, 'hello there', { max_tokens: 100, ...ORDERED })
  assert.equal(status, 200, body)
  await until(() => orders().length === 0)
  assert.deepEqual(accounts(CHANNEL.kind), [], 'no deposit was made')
  const paid = costOf(100)
  const fee = paid / 10n
  assert.equal(balance(buyer), SOL - paid - 2n * SIGNATURE, 'the rest and the rent came back')
  assert.equal(balance(treasury) - before, fee)
  const { lamports: rent, data } = accounts(PROVIDER.kind)[0] ?? assert.fail()
  assert.equal(balance(seller), SOL - rent + paid - fee - 4n * SIGNATURE, 'registered with two keys, locked, claimed')
  const { settled, ordersClaimed, ordersRefunded, openOrders } = PROVIDER.decode(data)
  assert.deepEqual([settled, ordersClaimed, ordersRefunded, openOrders], [paid, 1n, 0n, 0n])
  await consumer.close()
  await provider.close()
  const [ours] = await net.entries('consumer')
  const [theirs] = await net.entries('provider')
  assert.deepEqual(ours?.transaction, theirs?.transaction, 'both have signed the receipt')
  assert.equal(ceilToLamports(microLamports(ours?.transaction.statement.cost ?? 0n)), paid)
})
