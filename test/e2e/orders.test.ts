/** Answers paid by orders on a chain, between whole nodes: published, locked, answered, claimed, taken back. */
import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { networkId, openIdentity } from '../../daemon/identity.js'
import type { ChainSettings } from '../../daemon/node-options.js'
import { bytesOf, openLink } from '../../daemon/chain/link.js'
import { ceilToLamports, lamports, microLamports } from '../../ledger/amount.js'
import { EMBEDDED_PROGRAM, startSwarmdChain } from '../../ledger/chain/embedded/swarmd-chain.js'
import { CHANNEL, CONFIG, ORDER, PROVIDER } from '../../ledger/chain/layout/accounts.js'
import type { OrderAccount } from '../../ledger/chain/layout/accounts.js'
import { cost, price } from '../../ledger/price.js'
import type { Prices } from '../../ledger/price.js'
import { grouped } from '../../bin/money.js'
import { CliHome } from '../helpers/cli.js'
import { HostilePeer } from '../helpers/hostile-peer.js'
import { chat, MODEL, nodes, until } from '../helpers/nodes.js'
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

test('a caller chooses an order for one request; a wallet without a deposit takes orders by itself', async (t) => {
  const { net, settings, wallet, balance, accounts, orders } = await sceneOf(t)
  await wallet('provider')
  const buyer = await wallet('thrifty', 8_000_000n)
  await net.provider('provider', { prices: PRICES, chain: settings })
  await until(() => accounts(PROVIDER.kind).length === 1)
  const thrifty = await net.consumer('thrifty', { chain: settings })
  const { status, body } = await chat(thrifty, 'hello there', { max_tokens: 10 })
  assert.equal(status, 200, body)
  await until(() => orders().length === 0)
  assert.deepEqual(accounts(CHANNEL.kind), [])
  assert.equal(balance(buyer), 8_000_000n - costOf(10) - 2n * SIGNATURE)
  const dear = await chat(thrifty, 'hello there', { max_tokens: 10, provider: { pay: 'order', max_cost: 100 } })
  assert.equal(dear.status, 402, dear.body)
  assert.match(dear.body, /cost_limit/)
  const proud = await chat(thrifty, 'hello there', { provider: { pay: 'order', min_reputation: '999999999' } })
  assert.equal(proud.status, 402, proud.body)
  assert.match(proud.body, /earned/)
  const odd = await chat(thrifty, 'hello there', { provider: { pay: 'cash' } })
  assert.equal(odd.status, 400, odd.body)
  const held = await chat(thrifty, 'hello there', { max_tokens: 10, provider: { pay: 'channel' } })
  assert.equal(held.status, 402, held.body)
  assert.match(held.body, /deposit/)
})

test('of two providers that may take an order the first is lost before it does: the second takes the same one', async (t) => {
  const { net, settings, wallet, balance, accounts, orders } = await sceneOf(t)
  const buyer = await wallet('consumer')
  await wallet('provider')
  const good = await net.provider('provider', { prices: PRICES, chain: settings })
  const { publicKey } = openIdentity(net.folder('provider')).node()
  const model = good.snapshot().models[0] ?? assert.fail()
  const genesis = bytesOf(await genesisOf(settings))
  const liar = new HostilePeer(net.bootstrap, networkId('test', genesis), {
    modelRoot: Buffer.from(model.root, 'hex'),
    modelName: model.id,
    prices: PRICES,
    features: ['chat', 'completion', 'mock'],
  })
  t.after(() => liar.close())
  await liar.announce()
  const folder = net.folder('liar')
  await mkdir(folder, { recursive: true })
  const keys = openIdentity(folder).wallet()
  await wallet('liar')
  const link = await openLink({ dataDir: folder, settings, genesis, wallet: keys, now: Date.now })
  t.after(() => link.outbox.close())
  await link.client.register(liar.keyPair, liar.box.publicKey, link.client.address, '1')
  await until(() => accounts(PROVIDER.kind).length === 2)
  // Says yes to the ask, and is gone; the other provider may connect as well.
  const lost = Promise.any(
    [1, 2, 3].map(async () => {
      const { line, ask } = await liar.asked()
      line.say('answer', { kind: 'accepted', id: ask.id, queuePosition: 0 })
      line.stream.destroy()
      return ask.payment
    }),
  )
  const consumer = await net.consumer('consumer', { chain: settings }, 2)
  const wished = [liar.keyPair.publicKey, publicKey].map((key) => Buffer.from(key).toString('hex'))
  const answer = chat(consumer, 'hello there', { max_tokens: 10, provider: { pay: 'order', order: wished } })
  const shown = await lost
  const { status, body } = await answer
  assert.equal(status, 200, body)
  await until(() => orders().length === 0)
  assert.equal(balance(buyer), SOL - costOf(10) - 2n * SIGNATURE, 'one order was opened, and one answer paid')
  await consumer.close()
  const [entry] = await net.entries('consumer')
  assert.ok(shown?.kind === 'order')
  assert.deepEqual(Buffer.from(shown.order), Buffer.from(entry?.transaction.statement.channel ?? []))
})

test('swarmd order shows the answer, its cost and what came back, and lists and takes back orders', async (t) => {
  const { net, settings, wallet, accounts, balance } = await sceneOf(t)
  await wallet('provider')
  const buyer = await wallet('consumer')
  await net.provider('provider', { prices: PRICES, chain: settings })
  await until(() => accounts(PROVIDER.kind).length === 1)
  await net.consumer('consumer', { chain: settings })
  const home = new CliHome(t)
  const env = { XDG_RUNTIME_DIR: process.env['XDG_RUNTIME_DIR'] ?? '' }
  const order = (...args: readonly string[]): ReturnType<CliHome['run']> =>
    home.run(['order', ...args, '--data', net.folder('consumer')], { env })
  const limits = ['-m', MODEL, '--max-tokens', '10'] as const
  const { code, stdout, stderr } = await order(...limits, '--max-cost', '0.001SOL', 'hello there')
  assert.equal(code, 0, stderr)
  const paid = costOf(10)
  assert.match(stdout, new RegExp(`cost .*\\(${grouped(paid)} lamports\\) of \\d+ lamports at most`))
  assert.match(stdout, /back .*SOL \(.* lamports\), and the rent of/)
  assert.match(stdout, /fees .*10 000 lamports/)
  assert.equal(balance(buyer), SOL - paid - 2n * SIGNATURE)
  assert.match((await order('list')).stdout, /No order is out there/)
  const unasked = await order(...limits, 'hello there')
  assert.deepEqual([unasked.code, /--max-cost/.test(unasked.stderr)], [2, true], unasked.stderr)
  const poor = await order(...limits, '--max-cost', '5lamports', 'hello there')
  assert.match(poor.stderr, /cost ceiling/)
  const listed = JSON.parse((await order('list', '--json')).stdout) as {
    readonly order: string
    readonly state: string
  }
  assert.equal(listed.state, 'open', 'nobody has locked what does not cover the prompt')
  const early = await order('refund', listed.order.slice(0, 8))
  assert.match(early.stdout, /not before its deadline/)
  assert.match((await order('refund', 'zzz')).stderr, /begins with "zzz"/)
})

test('without a chain there is nothing to publish an order on', async (t) => {
  const net = await nodes(t)
  await net.provider('provider', { prices: PRICES, credit: SOL })
  const consumer = await net.consumer('consumer', { credit: SOL })
  const { status, body } = await chat(consumer, 'hello there', { max_tokens: 5, ...ORDERED })
  assert.equal(status, 402, body)
  assert.match(body, /chain/)
})

async function genesisOf({ urls }: ChainSettings): Promise<string> {
  const response = await fetch(urls[0] ?? '', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'getGenesisHash' }),
  })
  return String(((await response.json()) as { readonly result: unknown }).result)
}
