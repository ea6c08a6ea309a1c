/**
 * Two consumers pay two providers on a chain, as processes of their own: a thousand requests, some of which are cut in the
 * middle, on channels that run dry and are filled up. Then every channel but one is closed, and every lamport is where it
 * belongs: paid = received + fees + refunds.
 */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import b4a from 'b4a'
import { connectControl } from '../../daemon/control/client.js'
import type { ControlClient } from '../../daemon/control/client.js'
import { openIdentity } from '../../daemon/identity.js'
import { bytesOf } from '../../daemon/chain/link.js'
import { maxWindow } from '../../daemon/payment/policy.js'
import { startSwarmdChain } from '../../ledger/chain/embedded/swarmd-chain.js'
import { price } from '../../ledger/price.js'
import { LedgerStore } from '../../ledger/store/store.js'
import { startLoopbackDht } from '../../swarm/bootstrap.js'
import { Random } from '../crash/random.js'
import { Side } from '../crash/side.js'
import { ChainBooks, feeOn } from '../helpers/chain-books.js'

const REQUESTS = 1_000
/** Of each consumer at once. */
const WORKERS = 3
const CUT_SHARE = 0.08
const SOL = 1_000_000_000n
const MICRO = 1_000_000n
/** Lamports per million tokens: sums end in fractions of a lamport. */
const PRICES = { input: 1_234_567_891n, output: 7_654_321_987n }
/** Lamports: an answer of forty tokens costs 0.3 million, so a deposit lasts for some dozens. */
const DEPOSIT = 20_000_003n
/** Until a channel's address is so old that its rent comes back with the rest. */
const OLD_MS = 61_000

const NAMES = ['consumer0', 'consumer1', 'provider0', 'provider1'] as const
type Name = (typeof NAMES)[number]
const CONSUMERS = ['consumer0', 'consumer1'] as const
const PROVIDERS = ['provider0', 'provider1'] as const

interface Market {
  readonly books: ChainBooks
  readonly sides: Readonly<Record<Name, Side>>
  /** Hex node key. */
  keyOf(provider: Name): string
  /** The chain's clock goes ahead. */
  wait(ms: number): void
  control<T>(name: Name, use: (control: ControlClient) => Promise<T>): Promise<T>
}

async function market(t: TestContext): Promise<Market> {
  const folder = await mkdtemp(join(tmpdir(), 'swarmd-settlement-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const dht = await startLoopbackDht()
  t.after(() => dht.close())
  let ahead = 0
  const chain = await startSwarmdChain({ folder: null, port: 0, now: () => Date.now() + ahead })
  t.after(() => chain.close())
  const identity = (name: Name): ReturnType<typeof openIdentity> => openIdentity(join(folder, name))
  const home = join(folder, 'home')
  for (const name of [...NAMES, 'home']) await mkdir(join(folder, name), { mode: 0o700 })
  const wallets = new Map(NAMES.map((name) => [name as string, identity(name).wallet().publicKey]))
  for (const wallet of wallets.values()) chain.chain.airdrop(wallet, 100n * SOL)
  await chain.chain.durable()
  const books = new ChainBooks(chain.chain, chain.faucet.publicKey, wallets)
  t.after(() => books.close())

  const config = join(folder, 'config.toml')
  await writeFile(config, '')
  const env = {
    PATH: process.env['PATH'],
    HOME: home,
    XDG_CACHE_HOME: home,
    XDG_RUNTIME_DIR: home,
    SWARMD_CONFIG: config,
    SWARMD_LOG_LEVEL: 'error',
    SWARMD_CHAIN_DEPOSIT: String(DEPOSIT),
  }
  const bootstrap = dht.bootstrap.flatMap(({ host, port }) => ['--bootstrap', `${host}:${port}`])
  const common = ['--network', 'test', '--chain', chain.url, ...bootstrap]
  const prices = ['--price-in', String(PRICES.input), '--price-out', String(PRICES.output)]
  const argumentsOf = (name: Name): string[] =>
    name.startsWith('consumer') ? ['up', '--port', '0'] : ['serve', 'mock', '--no-api', ...prices]
  const side = (name: Name): Side => new Side(name, join(folder, name), () => [...argumentsOf(name), ...common], env)
  const sides = {
    consumer0: side('consumer0'),
    consumer1: side('consumer1'),
    provider0: side('provider0'),
    provider1: side('provider1'),
  }
  t.after(() => Promise.all(Object.values(sides).map((one) => one.kill())))
  for (const one of Object.values(sides)) one.start()
  return {
    books,
    sides,
    keyOf: (name) => b4a.toString(identity(name).node().publicKey, 'hex'),
    wait: (ms) => void (ahead += ms),
    async control(name, use) {
      const control = await connectControl({ dataDir: sides[name].dataDir, runtimeDir: home })
      try {
        return await use(control)
      } finally {
        control.close()
      }
    },
  }
}

interface Counts {
  answered: number
  cut: number
  readonly refused: string[]
}

/** One request to this provider alone; some callers leave in the middle. */
async function ask(base: string, provider: string, random: Random, counts: Counts): Promise<void> {
  const leaving = new AbortController()
  const cut = random.chance(CUT_SHARE)
  try {
    const response = await fetch(`${base}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model: 'mock-words:f32',
        messages: [{ role: 'user', content: 'w'.repeat(1 + random.below(30)) }],
        max_tokens: cut ? 400 : 1 + random.below(60),
        stream: cut,
        provider: { order: [provider], allow_fallbacks: false },
      }),
      signal: leaving.signal,
    })
    if (!response.ok) return void counts.refused.push(/"code":"(\w+)"/.exec(await response.text())?.[1] ?? 'no code')
    for await (const chunk of response.body ?? []) if (cut && chunk) leaving.abort()
    counts.answered++
  } catch (error) {
    if (!leaving.signal.aborted) throw error
    counts.cut++
  }
}

/** A channel's vouchers and records, as a side has them at its end. */
async function kept(side: Side, channel: Uint8Array): Promise<{ cost: bigint; voucher: bigint }> {
  const store = await LedgerStore.open(join(side.dataDir, 'ledger'), openIdentity(side.dataDir).store())
  try {
    const rows = await store.query({ channel }, 10_000)
    const cost = rows.reduce((sum, { entry }) => sum + entry.transaction.statement.cost, 0n)
    const signed = store.vouchers.lastSigned(channel)?.cumulative ?? 0n
    const held = store.vouchers.held(channel)?.voucher.cumulative ?? 0n
    return { cost, voucher: signed > held ? signed : held }
  } finally {
    await store.close()
  }
}

test('a thousand requests between four processes: paid = received + fees + refunds, to the lamport', async (t) => {
  const seed = Date.now() % 1_000_000
  t.diagnostic(`seed ${seed}`)
  const random = new Random(seed)
  const { books, sides, keyOf, wait, control } = await market(t)
  await Promise.all(PROVIDERS.map((name) => sides[name].event('ready')))
  const bases = await Promise.all(
    CONSUMERS.map(async (name) => String((await sides[name].event('listening'))['apiUrl'])),
  )
  for (const name of CONSUMERS)
    await control(name, async (client) => {
      let told = (): void => undefined
      const both = new Promise<void>((resolve) => (told = resolve))
      const look = ({ models }: Awaited<ReturnType<ControlClient['snapshot']>>): void => {
        if (models[0]?.providers === PROVIDERS.length) told()
      }
      look(await client.subscribe(look))
      await both
    })

  const counts: Counts = { answered: 0, cut: 0, refused: [] }
  let underWay = 0
  const work = async (base: string): Promise<void> => {
    while (counts.answered + counts.cut + underWay < REQUESTS) {
      underWay++
      await ask(base, keyOf(random.pick(...PROVIDERS)), random, counts)
      underWay--
    }
  }
  await Promise.all(bases.flatMap((base) => Array.from({ length: WORKERS }, () => work(base))))
  // What is left of a channel may be reserved for those that are under way: such a caller asks again.
  assert.deepEqual(new Set(counts.refused), new Set(counts.refused.length > 0 ? ['insufficient_funds'] : []))
  assert.equal(counts.answered + counts.cut, REQUESTS)
  assert.ok(counts.cut > 0)

  // The payers go first: their last vouchers have left. One channel stays open, the others are ended by their providers.
  for (const name of CONSUMERS) await sides[name].end()
  wait(OLD_MS)
  const [open] = books.channelsTo('provider0').filter(({ lamports }) => lamports > 0n)
  assert.ok(open)
  for (const name of PROVIDERS) {
    for (const { address } of books.channelsTo(name)) {
      if (address === open.address) continue
      await control(name, async (client) => {
        for await (const item of client.stream('desk', { op: 'close', channel: address })) void item
      })
    }
    await sides[name].end()
  }

  const channels = books.channels()
  const pairs = new Set(channels.map(({ account }) => `${account.payer.toBase58()} ${account.provider.toBase58()}`))
  assert.equal(pairs.size, 4, 'each consumer paid each provider')
  assert.ok(
    channels.some(({ account }) => account.deposit > DEPOSIT),
    'a channel that ran dry was filled up',
  )
  assert.deepEqual(
    channels.filter(({ lamports }) => lamports > 0n).map(({ address }) => address),
    [open.address],
  )
  assert.deepEqual(books.broken(), [])

  const sum = (values: readonly bigint[]): bigint => values.reduce((a, b) => a + b, 0n)
  const settled = sum(channels.map(({ account }) => account.settled))
  const fees = sum(channels.map(({ account }) => feeOn(account)))
  const locked = sum(channels.map(({ lamports }) => lamports))
  const burnt = (names: readonly Name[]): bigint => sum(names.map((name) => books.burnt(name)))
  const paid = sum(CONSUMERS.map((name) => books.lost(name))) - burnt(CONSUMERS) - locked
  const received = -sum(PROVIDERS.map((name) => books.lost(name) - books.burnt(name) - books.rentOf(name)))
  assert.equal(paid, settled, 'everything else of the deposits has come back')
  assert.equal(paid, received + fees)
  t.diagnostic(
    `${counts.answered} answered, ${counts.cut} cut; ${channels.length} channels, ${books.landed.size} transactions`,
  )
  t.diagnostic(
    `paid ${paid} = received ${received} + fees ${fees}; still locked ${locked} (deposit and rent of one channel)`,
  )
  t.diagnostic(`fees of transactions: consumers ${burnt(CONSUMERS)}, providers ${burnt(PROVIDERS)}`)

  // What the chain has paid out is what both sides have written down.
  for (const { account, address } of channels) {
    const [consumer, provider] = [CONSUMERS, PROVIDERS].map((names) =>
      names.find((name) =>
        [...books.channelsFrom(name), ...books.channelsTo(name)].some((one) => one.address === address),
      ),
    )
    assert.ok(consumer && provider)
    const bytes = bytesOf(address)
    const [bought, sold] = [await kept(sides[consumer], bytes), await kept(sides[provider], bytes)]
    assert.equal(sold.voucher, account.settled)
    assert.equal(bought.voucher, account.settled)
    // What had left when a caller hung up, and never reached it, is billed where it is more than may be waived.
    const unpaid = maxWindow({ input: price(PRICES.input), cached: price(PRICES.input), output: price(PRICES.output) })
    assert.ok(sold.cost <= account.settled * MICRO + unpaid, `billed ${sold.cost}, paid ${account.settled} lamports`)
  }
})
