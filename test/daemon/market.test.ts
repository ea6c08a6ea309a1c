/** The market on chain: what is read of it, what a provider writes to it, and how a model that only it knows is reached. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { PublicKey } from '@solana/web3.js'
import fc from 'fast-check'
import { bytesOf, openLink } from '../../daemon/chain/link.js'
import type { ChainLink } from '../../daemon/chain/link.js'
import { flagsOf, listingsOf, MAX_LISTINGS } from '../../daemon/chain/listings.js'
import type { Listing } from '../../daemon/chain/listings.js'
import { plan, publish } from '../../daemon/chain/market-publisher.js'
import { MarketReader } from '../../daemon/chain/market-reader.js'
import { catalog } from '../../daemon/consumer/catalog.js'
import { explainRoute } from '../../daemon/consumer/explanation.js'
import { randomBytes, signKeyPair } from '../../daemon/crypto.js'
import { EMBEDDED_PROGRAM, startSwarmdChain } from '../../ledger/chain/embedded/swarmd-chain.js'
import type { OfferAccount, ProviderAccount } from '../../ledger/chain/layout/accounts.js'
import type { Found } from '../../ledger/chain/readings.js'
import { lamports } from '../../ledger/amount.js'
import { FREE, price } from '../../ledger/price.js'
import type { OfferTerms } from '../../swarm/port.js'
import { collect, consumer, emits, FakeRouter, offer, request, ROOT, textOf } from '../helpers/consumer.js'

const NETWORK = new Uint8Array(32).fill(0xab)
const SELF = new Uint8Array(32).fill(9)
const PRICES = { input: price(1n), cached: price(1n), output: price(5n) }
const never = new AbortController().signal

function key(byte: number): Uint8Array {
  return new Uint8Array(32).fill(byte)
}

function terms(more: Partial<OfferTerms> = {}): OfferTerms {
  return { ...offer(), features: ['chat', 'completion'], prices: PRICES, ...more }
}

function provider(byte: number, more: Partial<ProviderAccount> = {}): Found<ProviderAccount> {
  const none = { openChannels: 0n, openOrders: 0n, offers: 0n, channelsOpened: 0n, channelsClosed: 0n }
  const account: ProviderAccount = {
    bump: 255,
    phase: 0,
    authority: new PublicKey(key(byte)),
    node: key(byte),
    box: key(1),
    payout: new PublicKey(key(byte)),
    registeredAt: 5n,
    updatedAt: 5n,
    settlements: 0n,
    ...none,
    settled: lamports(0n),
    fees: lamports(0n),
    ordersClaimed: 0n,
    ordersRefunded: 0n,
    log: key(0),
    treeHash: key(0),
    logLength: 0n,
    anchoredAt: 0n,
    logChanges: 0n,
    ...more,
  }
  return { address: new PublicKey(key(byte)).toBase58(), lamports: lamports(1n), account }
}

function listed(byte: number, more: Partial<OfferAccount> = {}): Found<OfferAccount> {
  const account: OfferAccount = {
    bump: 255,
    phase: 0,
    provider: new PublicKey(key(byte)),
    model: ROOT,
    updatedAt: 7n,
    ...PRICES,
    context: 4096,
    flags: flagsOf(['chat', 'completion'], NETWORK),
    ...more,
  }
  return { address: new PublicKey(key(byte + 100)).toBase58(), lamports: lamports(1n), account }
}

test('offers and providers are joined; other networks, unknown providers and its own offers are left out', () => {
  const elsewhere = { flags: flagsOf(['chat'], key(0xcd)) }
  const offers = [listed(1), listed(2, elsewhere), listed(3), listed(9)]
  const found = listingsOf(offers, [provider(1), provider(2), provider(9)], { network: NETWORK, self: SELF })
  assert.equal(found.length, 1)
  const [one] = found
  assert.deepEqual(one?.nodeKey, key(1))
  assert.deepEqual(one?.features, ['chat', 'completion'])
  assert.deepEqual(one?.prices, PRICES)
  assert.equal(one?.standing.registeredAt, 5)
})

test('the list is bounded, and who earned most or is there longest comes first', () => {
  const providers = [
    provider(1),
    provider(2, { settled: lamports(9n) }),
    provider(3, { registeredAt: 1n }),
    provider(4, { settled: lamports(9n), registeredAt: 6n }),
  ]
  const view = { network: NETWORK, self: SELF }
  const order = listingsOf(
    [1, 2, 3, 4].map((byte) => listed(byte)),
    providers,
    view,
  ).map(({ nodeKey }) => nodeKey[0])
  assert.deepEqual(order, [2, 4, 3, 1])
  const flood = Array.from({ length: 200 }, () => listed(1))
  assert.equal(listingsOf([...flood, listed(3)], providers, view).length, 65)
  const many = Array.from({ length: MAX_LISTINGS + 10 }, (_, index) => index)
  const address = (index: number): PublicKey =>
    new PublicKey(Uint8Array.from({ length: 32 }, (_, at) => (index >> (8 * at)) & 255))
  const crowd = many.map((index) => ({
    ...provider(1, { node: address(index).toBytes() }),
    address: address(index).toBase58(),
  }))
  const theirs = many.map((index) => listed(1, { provider: address(index) }))
  assert.equal(listingsOf(theirs, crowd, view).length, MAX_LISTINGS)
})

test('the flags hold the features and the network, whatever they are', () => {
  const features = ['chat', 'completion', 'embeddings', 'thoughts', 'mock'] as const
  fc.assert(
    fc.property(fc.subarray([...features]), fc.uint8Array({ minLength: 32, maxLength: 32 }), (some, network) => {
      const flags = flagsOf(some, network)
      assert.ok(Number.isInteger(flags) && flags >= 0 && flags < 2 ** 32)
      const [one] = listingsOf([listed(1, { flags })], [provider(1)], { network, self: SELF })
      assert.deepEqual(one?.features, some)
    }),
  )
})

test('only what differs is set, only what is served no longer is closed, and only once everything is known', () => {
  const other = key(0x44)
  const standing = [listed(1, { model: ROOT }), listed(1, { model: other })]
  const nothing = plan({ terms: [terms()], complete: false }, standing, NETWORK)
  assert.deepEqual(nothing, { set: [], close: [] })
  const changed = { terms: [terms({ prices: { ...PRICES, output: price(6n) } })], complete: true }
  const { set, close } = plan(changed, standing, NETWORK)
  assert.deepEqual(
    set.map(({ output }) => output),
    [6n],
  )
  assert.deepEqual(
    close.map(({ account }) => account.model),
    [other],
  )
  const free = plan({ terms: [terms({ prices: FREE })], complete: true }, [], NETWORK)
  assert.deepEqual(free, { set: [], close: [] })
})

interface Scene {
  readonly link: ChainLink
  open(): Promise<ChainLink>
  wait(seconds: number): void
  readonly balance: () => bigint
}

async function sceneOf(t: TestContext): Promise<Scene> {
  let ms = 1_800_000_000_000
  const now = (): number => ms
  const chain = await startSwarmdChain({ folder: null, port: 0, now })
  const dataDir = await mkdtemp(join(tmpdir(), 'swarmd-market-'))
  const wallet = signKeyPair(randomBytes(32))
  chain.chain.airdrop(wallet.publicKey, 1_000_000_000n)
  const settings = {
    urls: [chain.url],
    program: EMBEDDED_PROGRAM,
    deposit: lamports(1n),
    grace: 1n,
    leastGrace: 1n,
  }
  let link: ChainLink | null = null
  const open = async (): Promise<ChainLink> => {
    await link?.outbox.close()
    link = await openLink({ dataDir, settings, genesis: bytesOf(chain.genesisHash), wallet, now })
    return link
  }
  t.after(async () => {
    await link?.outbox.close()
    await chain.close()
    await rm(dataDir, { recursive: true, force: true })
  })
  return {
    link: await open(),
    open,
    wait: (seconds) => void (ms += seconds * 1000),
    balance: () => chain.chain.account(wallet.publicKey)?.lamports ?? 0n,
  }
}

test('offers are published once, changed, changed back, closed and set again', async (t) => {
  const { link, wait, balance } = await sceneOf(t)
  const served = (output: bigint | null) => ({
    terms: output === null ? [] : [terms({ prices: { ...PRICES, output: price(output) } })],
    complete: true,
  })
  const asked = async (): Promise<bigint | undefined> => (await link.ownOffers())[0]?.account.output
  assert.equal(await publish(link, served(5n), NETWORK), false, 'nobody is registered yet')
  await link.client.register(signKeyPair(randomBytes(32)), key(8), link.client.address, '1')
  assert.equal(await publish(link, served(5n), NETWORK), true)
  assert.equal(await asked(), 5n)
  const before = balance()
  await publish(link, served(5n), NETWORK)
  assert.equal(balance(), before, 'what stands is not paid for again')
  for (const output of [6n, 5n, null, 5n]) {
    wait(10)
    await publish(link, served(output), NETWORK)
    assert.equal(await asked(), output ?? undefined)
  }
})

test('a process that died over an offer does not set it twice', async (t) => {
  const { link, open, balance } = await sceneOf(t)
  await link.client.register(signKeyPair(randomBytes(32)), key(8), link.client.address, '1')
  const served = { terms: [terms()], complete: true }
  const { outbox } = link
  const tick = outbox.tick.bind(outbox)
  // Dies when it has been sent and nobody has told.
  outbox.tick = async () => {
    await tick()
    if (outbox.list().some(({ purpose }) => purpose['what'] === 'offer')) throw new Error('killed')
  }
  await assert.rejects(publish(link, served, NETWORK), /killed/)
  const later = await open()
  const before = balance()
  // Its chain has not seen the offer yet, as a node that lags behind.
  await publish({ ...later, ownOffers: () => Promise.resolve([]) }, served, NETWORK)
  assert.ok(before - balance() <= 5_000n, 'at most the fee of a repetition')
  assert.equal((await later.ownOffers()).length, 1)
})

test('what is read stays when the chain cannot be asked, and one model can be looked up', async () => {
  let down = false
  const ask = <T>(value: T): Promise<T> => (down ? Promise.reject(new Error('down')) : Promise.resolve(value))
  const other = listed(2, { model: key(0x44) })
  let changes = 0
  const reader = new MarketReader({
    chain: () =>
      Promise.resolve({
        offers: () => ask([listed(1)]),
        offersOf: () => ask([other]),
        providers: () => ask([provider(1), provider(2)]),
      }),
    network: NETWORK,
    self: SELF,
    changed: () => changes++,
    now: () => 123,
  })
  await reader.read()
  assert.deepEqual([reader.listings.length, reader.readAt, changes], [1, 123, 1])
  assert.equal(reader.standing('01'.repeat(32))?.registeredAt, 5)
  await reader.look(key(0x44))
  assert.equal(reader.listings.length, 2)
  down = true
  await assert.rejects(reader.read(), /down/)
  assert.equal(reader.listings.length, 2)
})

const LISTING: Listing = {
  nodeKey: key(4),
  modelRoot: ROOT,
  prices: PRICES,
  contextLength: 2048,
  features: ['chat'],
  updatedAt: 7,
  standing: {
    registeredAt: 5,
    settled: 8n,
    settlements: 1n,
    channelsOpened: 2n,
    channelsClosed: 1n,
    ordersClaimed: 0n,
    ordersRefunded: 0n,
  },
}
const HEX = '07'.repeat(32)

test('a model that only the chain knows is listed by its root; one that both know shows both', () => {
  const more = {
    local: [],
    aliases: {},
    measured: new Map(),
    firstSeen: new Map(),
    connected: new Set(['02'.repeat(32)]),
  }
  const [alone] = catalog({ ...more, offers: [], listings: [LISTING] })
  assert.equal(alone?.card.id, HEX)
  assert.deepEqual([alone.card.providers, alone.card.price, alone.card.contextLength], [0, PRICES, 2048])
  assert.deepEqual(
    alone.card.offered?.map(({ node, connected, online, swarm }) => ({ node, connected, online, swarm })),
    [{ node: '04'.repeat(32), connected: false, online: null, swarm: null }],
  )
  const both = { ...LISTING, nodeKey: key(2) }
  const [entry] = catalog({ ...more, offers: [offer()], listings: [both, LISTING] })
  assert.deepEqual([entry?.card.id, entry?.card.providers, entry?.card.price], ['tiny:q8_0', 1, FREE])
  assert.deepEqual(
    entry?.card.offered?.map(({ connected, online, swarm, chain }) => [connected, online, swarm?.price, chain?.price]),
    [
      [true, true, FREE, PRICES],
      [false, null, undefined, PRICES],
    ],
  )
  const [free] = catalog({ ...more, offers: [offer()], listings: null })
  assert.equal(free?.card.offered, undefined, 'where no chain is used there is no word of it')
})

test('an explanation names who is only on the chain, and shows what the chain knows of the others', () => {
  const sources = { local: [], aliases: {}, measured: new Map(), firstSeen: new Map() }
  const [entry] = catalog({ ...sources, offers: [offer()], listings: [LISTING, { ...LISTING, nodeKey: key(2) }] })
  assert.ok(entry)
  const question = {
    model: null,
    maxPrice: { input: null, output: null },
    sort: null,
    promptTokens: 1,
    outputTokens: 1,
  }
  const parts = { waitMs: 0, ttftMs: 1, decodeMs: 1, reliability: 1, priceShare: 0, cached: false }
  const candidates = entry.offers.map((one) => ({ offer: one, score: 2, parts }))
  const route = { chosen: null, candidates, excluded: [], retryAfterMs: null }
  const standings = { standing: (node: string) => (node === '02'.repeat(32) ? LISTING.standing : null) }
  const view = explainRoute({ explain: () => route }, entry, question, standings)
  assert.deepEqual(
    view.excluded.map(({ provider: node, reason }) => [node, reason]),
    [['04'.repeat(32), 'ONLY_ON_CHAIN']],
  )
  assert.equal(view.candidates[0]?.standing?.settled, '8')
  const free = explainRoute({ explain: () => route }, entry, question, null)
  assert.ok(free.candidates.every((candidate) => !('standing' in candidate)))
})

test('a request for a model that only the chain knows meets its provider first', async () => {
  const router = new FakeRouter([['a', emits([1, 2], 'stop')]])
  router.known = []
  router.listed = [LISTING]
  router.hidden = [offer()]
  const node = consumer(router)
  const events = await collect(node.generate(request({ model: HEX }), never))
  assert.equal(textOf(events), '<1><2>')
  assert.equal(router.log[0], 'met 1')
  await collect(node.generate(request({ model: HEX }), never))
  assert.equal(router.log.filter((line) => line === 'met 1').length, 1, 'once it is known, nobody is met again')
})

test('when none of them can be reached the caller is told so and may come back', async () => {
  const router = new FakeRouter([['a', emits([1], 'stop')]])
  router.known = []
  router.listed = [LISTING]
  await assert.rejects(collect(consumer(router).generate(request({ model: HEX }), never)), {
    code: 'NO_PROVIDER',
    message: /on the chain, and not reached/,
  })
})
