/** The life of an order through the client, over HTTP, on the embedded chain with the real program. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { lamports, microLamports } from '../../ledger/amount.js'
import { accountOf, airdrop, outboxChain } from '../../ledger/chain/calls.js'
import { ChainClient } from '../../ledger/chain/client.js'
import { EMBEDDED_PROGRAM, startSwarmdChain } from '../../ledger/chain/embedded/swarmd-chain.js'
import { ORDER_PHASE } from '../../ledger/chain/layout/accounts.js'
import type { OrderAccount } from '../../ledger/chain/layout/accounts.js'
import { OrderClient } from '../../ledger/chain/order-client.js'
import type { OpenOrder } from '../../ledger/chain/order-client.js'
import {
  isOpenFor,
  orderAt,
  ordersOfModel,
  ordersOfPayer,
  ordersOfProvider,
} from '../../ledger/chain/order-readings.js'
import { Outbox } from '../../ledger/chain/outbox.js'
import type { Found } from '../../ledger/chain/readings.js'
import { Rpc } from '../../ledger/chain/rpc.js'
import { Transactor } from '../../ledger/chain/transactor.js'
import { randomBytes, signingKeyPair } from '../../ledger/crypto.js'
import { claimOf, newOrderSalt, requestCommitment } from '../../ledger/order.js'
import { Journal } from '../../ledger/store/journal.js'
import { folderOf } from './folder.js'
import { filled } from './sample.js'

const SOL = 1_000_000_000n
const SIGNATURE = 5_000n
const MAX = 1_000_001n
const START = 1_800_000_000n
const MODEL = filled(32, 5)
const TERMS: OpenOrder = {
  model: MODEL,
  requestHash: filled(32, 6),
  maxCost: lamports(MAX),
  deadline: START + 600n,
  minReputation: lamports(0n),
  context: 100,
  allowed: [],
}

interface Party {
  readonly client: ChainClient
  readonly orders: OrderClient
  readonly rpc: Rpc
}

interface Scene {
  wait(seconds: number): void
  party(): Promise<Party>
  provider(): Promise<Party>
  at(address: string): Promise<Found<OrderAccount>>
}

async function sceneOf(t: TestContext): Promise<Scene> {
  let ms = Number(START) * 1000
  const chain = await startSwarmdChain({ folder: null, port: 0, now: () => ms })
  t.after(() => chain.close())
  const party = async (): Promise<Party> => {
    const wallet = signingKeyPair(randomBytes(32))
    const rpc = new Rpc({ urls: [chain.url], genesisHash: chain.genesisHash })
    const journal = await Journal.open(join(folderOf(t), 'outbox'))
    const outbox = new Outbox({ journal, chain: outboxChain(rpc), now: () => ms })
    t.after(() => outbox.close())
    const given = { rpc, transactor: new Transactor({ rpc, outbox }), program: EMBEDDED_PROGRAM, wallet }
    const client = new ChainClient(given)
    await airdrop(rpc, client.address, lamports(SOL))
    return { client, orders: new OrderClient(given), rpc }
  }
  const { rpc } = await party()
  return {
    wait: (seconds) => void (ms += seconds * 1_000),
    party,
    async provider() {
      const one = await party()
      await one.client.register(signingKeyPair(randomBytes(32)), filled(32, 8), one.client.address, '1')
      return one
    },
    at: async (address) => (await orderAt(rpc, EMBEDDED_PROGRAM, address)) ?? assert.fail('no such order'),
  }
}

test('opened, locked, claimed, refunded: what was paid is received, fees, rent and remainder to the lamport', async (t) => {
  const { party, provider, at } = await sceneOf(t)
  const [payer, seller] = [await party(), await provider()]
  const { treasury } = await payer.client.config()
  const treasuryHeld = await held(payer, treasury.toBase58())
  const sellerHeld = await seller.client.balance()
  const { order } = await payer.orders.open(TERMS, 'first')
  assert.equal((await payer.orders.open(TERMS, 'first')).order, order, 'the same intention is the same order')
  const rent = (await at(order)).lamports - MAX
  assert.equal(await payer.client.balance(), SOL - MAX - rent - SIGNATURE)
  assert.deepEqual((await ordersOfPayer(payer.rpc, EMBEDDED_PROGRAM, payer.client.address)).map(address), [order])
  assert.deepEqual((await ordersOfModel(payer.rpc, EMBEDDED_PROGRAM, MODEL)).map(address), [order])
  assert.ok(isOpenFor((await at(order)).account, seller.client.provider, 0n, START))
  await seller.orders.lock(await at(order))
  assert.equal((await at(order)).account.phase, ORDER_PHASE.locked)
  assert.ok(!isOpenFor((await at(order)).account, seller.client.provider, 0n, START))
  assert.deepEqual((await ordersOfProvider(payer.rpc, EMBEDDED_PROGRAM, seller.client.provider)).map(address), [order])
  await assert.rejects(payer.orders.refund(await at(order)), { code: 'TX_REJECTED' })
  const cost = claimOf(microLamports(123_455_000_001n))
  assert.equal(cost, 123_456n)
  await assert.rejects(seller.orders.claim(await at(order), filled(32, 9), lamports(MAX + 1n)), {
    code: 'TX_REJECTED',
    message: /COST_TOO_HIGH/,
  })
  await seller.orders.claim(await at(order), filled(32, 9), cost)
  const { account } = await at(order)
  assert.deepEqual([account.phase, account.cost, account.responseHash], [ORDER_PHASE.claimed, cost, filled(32, 9)])
  await payer.orders.refund(await at(order))
  assert.equal(await orderAt(payer.rpc, EMBEDDED_PROGRAM, order), null)
  const fee = cost / 10n
  assert.equal(await payer.client.balance(), SOL - cost - 2n * SIGNATURE)
  assert.equal((await seller.client.balance()) - sellerHeld, cost - fee - 2n * SIGNATURE)
  assert.equal((await held(payer, treasury.toBase58())) - treasuryHeld, fee)
})

test('nobody answers: all of it comes back after the deadline, locked or not, by whoever asks', async (t) => {
  const { party, provider, at, wait } = await sceneOf(t)
  const [payer, seller, stranger] = [await party(), await provider(), await party()]
  const { order: left } = await payer.orders.open(TERMS, 'left alone')
  const { order: kept } = await payer.orders.open(TERMS, 'locked and kept')
  await seller.orders.lock(await at(kept))
  for (const order of [left, kept]) await assert.rejects(payer.orders.refund(await at(order)), { code: 'TX_REJECTED' })
  wait(601)
  await assert.rejects(seller.orders.claim(await at(kept), filled(32, 9), lamports(1n)), { code: 'TX_REJECTED' })
  await payer.orders.refund(await at(left))
  await stranger.orders.refund(await at(kept))
  assert.equal(await payer.client.balance(), SOL - 3n * SIGNATURE, 'two to open, one to take back')
  const own = (await seller.client.providerAt(seller.client.provider))?.account
  assert.deepEqual([own?.ordersRefunded, own?.openOrders], [1n, 0n])
})

test('an order for named providers, or for a reputation, is taken by nobody else', async (t) => {
  const { party, provider, at } = await sceneOf(t)
  const [payer, first, second] = [await party(), await provider(), await provider()]
  const named = await payer.orders.open({ ...TERMS, allowed: [first.client.provider] }, 'named')
  const famed = await payer.orders.open({ ...TERMS, minReputation: lamports(1n) }, 'famed')
  const { account } = await at(named.order)
  assert.deepEqual(
    [first, second].map(({ client }) => isOpenFor(account, client.provider, 0n, START)),
    [true, false],
  )
  await assert.rejects(second.orders.lock(await at(named.order)), { code: 'TX_REJECTED', message: /NOT_ALLOWED/ })
  await first.orders.lock(await at(named.order))
  assert.ok(!isOpenFor((await at(famed.order)).account, first.client.provider, 0n, START))
  await assert.rejects(first.orders.lock(await at(famed.order)), { code: 'TX_REJECTED', message: /REPUTATION/ })
})

test('a commitment says nothing without its salt, and names prompt, sampling and length', () => {
  const body = { kind: 'embed', inputs: ['one'] } as const
  const [salt, other] = [newOrderSalt(), newOrderSalt()]
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
  const same = hex(requestCommitment(salt, body, null))
  assert.equal(hex(requestCommitment(salt, { ...body }, null)), same)
  const others = [
    requestCommitment(other, body, null),
    requestCommitment(salt, { ...body, inputs: ['two'] }, null),
    requestCommitment(salt, body, 3),
  ].map(hex)
  assert.equal(new Set([same, ...others]).size, 4)
})

function address({ address: text }: { readonly address: string }): string {
  return text
}

async function held({ rpc }: Party, account: string): Promise<bigint> {
  return (await accountOf(rpc, account))?.lamports ?? 0n
}
