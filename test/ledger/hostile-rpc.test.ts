/** The whole way of a payment over an RPC node that loses, repeats, lies and follows forks: client, outbox, connection. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { bytesOf } from '../../daemon/chain/link.js'
import { lamports } from '../../ledger/amount.js'
import { toBase58 } from '../../ledger/chain/base58.js'
import { outboxChain } from '../../ledger/chain/calls.js'
import { ChainClient } from '../../ledger/chain/client.js'
import { EMBEDDED_PROGRAM } from '../../ledger/chain/embedded/swarmd-chain.js'
import { ChainError } from '../../ledger/chain/errors.js'
import { Outbox } from '../../ledger/chain/outbox.js'
import { isOpen } from '../../ledger/chain/outbox-states.js'
import { Rpc } from '../../ledger/chain/rpc.js'
import { Transactor } from '../../ledger/chain/transactor.js'
import { randomBytes, signingKeyPair } from '../../ledger/crypto.js'
import type { KeyPair } from '../../ledger/crypto.js'
import { Journal } from '../../ledger/store/journal.js'
import { signVoucher } from '../../ledger/voucher.js'
import { Random } from '../crash/random.js'
import { ChainBooks } from '../helpers/chain-books.js'
import { ForkingChain } from '../helpers/forking-chain.js'
import { FAULTS, HostileRpc } from '../helpers/hostile-rpc.js'
import type { Fault, Weather } from '../helpers/hostile-rpc.js'
import { folderOf } from './folder.js'

const SOL = 1_000_000_000n
/** Soon, because most faults are silence. */
const TIMEOUT_MS = 150
const TICK_MS = 10

interface Scene {
  readonly chain: ForkingChain
  readonly rpc: HostileRpc
  readonly outbox: Outbox
  readonly client: ChainClient
  readonly books: ChainBooks
  /** A wallet that others send to. */
  readonly till: KeyPair
}

async function sceneOf(t: TestContext, seed = 1): Promise<Scene> {
  const chain = await ForkingChain.open(folderOf(t))
  const rpc = await HostileRpc.listen({ chain, random: new Random(seed) })
  const [wallet, till] = [signingKeyPair(randomBytes(32)), signingKeyPair(randomBytes(32))]
  chain.main.airdrop(wallet.publicKey, 10n * SOL)
  chain.main.airdrop(till.publicKey, SOL)
  await chain.main.durable()
  const wallets = new Map([
    ['payer', wallet.publicKey],
    ['till', till.publicKey],
  ])
  const books = new ChainBooks(chain.main, chain.faucet, wallets)
  const connection = new Rpc({
    urls: [rpc.urlOf('payer')],
    genesisHash: chain.genesisHash,
    timeoutMs: TIMEOUT_MS,
    delay: () => delay(TICK_MS),
  })
  const journal = await Journal.open(join(folderOf(t), 'outbox'))
  const outbox = new Outbox({ journal, chain: outboxChain(connection), now: () => 40 * Date.now() })
  const transactor = new Transactor({ rpc: connection, outbox, delay: () => delay(TICK_MS) })
  const client = new ChainClient({ rpc: connection, transactor, program: EMBEDDED_PROGRAM, wallet })
  t.after(async () => {
    await outbox.close()
    books.close()
    await rpc.close()
    await chain.close()
  })
  return { chain, rpc, outbox, client, books, till }
}

/** As often as it takes, under one name. */
async function persist<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof ChainError)) throw error
      await delay(TICK_MS)
    }
  }
}

const BAD: Weather = {
  late: 20,
  silent: 20,
  'silent, forwarded': 20,
  'cut before': 30,
  'cut after': 30,
  'asked twice': 40,
  'answered twice': 40,
  busy: 30,
  broken: 30,
  garbage: 30,
  behind: 20,
  swallowed: 150,
  'refused, forwarded': 150,
  blind: 150,
  'claims confirmed': 150,
}

test('over an RPC node that loses, repeats and lies, and through forks, each transfer is made exactly once', async (t) => {
  const seed = Date.now() % 1_000_000
  t.diagnostic(`seed ${seed}`)
  const { chain, rpc, outbox, client, books, till } = await sceneOf(t, seed)
  const random = new Random(seed + 1)
  rpc.weather = BAD
  const amounts = Array.from({ length: 40 }, (_, i) => 1_000_003n + BigInt(i))
  let left = amounts.length
  const transfers = amounts.map((amount, i) =>
    persist(() => client.transfer(toBase58(till.publicKey), lamports(amount), String(i))).then(() => left--),
  )
  while (left > 0) {
    await delay(random.below(400))
    // What was swallowed and is not sent again has to run out before it is known to be lost.
    if (random.chance(0.2)) chain.expire()
    if (random.chance(0.5)) await chain.fork()
    await delay(random.below(400))
    await chain.join(random.chance(0.5))
  }
  await Promise.all(transfers)
  rpc.weather = {}
  for (let turns = 0; outbox.list().some(isOpen); turns++) {
    // Once what was confirmed when it was forked away: it is asked for, and sent again, until it is final or too late.
    if (turns % 200 === 199) chain.expire()
    await outbox.tick()
    await delay(TICK_MS)
  }
  // Confirmed was good enough for `transfer`; what a fork took back afterwards and nobody took in again is told by the outbox.
  for (const [i, amount] of amounts.entries())
    if (outbox.get(`transfer/${i}`)?.phase === 'failed')
      await persist(() => client.transfer(toBase58(till.publicKey), lamports(amount), String(i)))
  await chain.main.durable()
  const received = -books.lost('till')
  assert.equal(
    received,
    amounts.reduce((a, b) => a + b, 0n),
  )
  for (const { signature, phase } of outbox.list())
    assert.equal(books.landed.get(signature), phase === 'failed' ? undefined : null, signature)
  assert.ok(rpc.met.size >= 10, [...rpc.met.keys()].join(', '))
})

/** That a node lies about what is final has a test of its own. */
const EACH = (Object.keys(FAULTS) as readonly Fault[]).filter((fault) => fault !== 'claims final')

for (const fault of EACH) {
  test(`a node of which every third word is this fault moves the money once: ${fault}`, async (t) => {
    const { chain, rpc, outbox, client, books, till } = await sceneOf(t)
    // A claim about what has landed would be none.
    rpc.weather = { [fault]: 333, ...(fault === 'claims confirmed' ? { swallowed: 333 } : {}) }
    let [count, sum] = [0, 0n]
    while (!rpc.met.has(fault) || count < 3) {
      const amount = 1_234_567n + BigInt(count++)
      sum += amount
      await persist(() => client.transfer(toBase58(till.publicKey), lamports(amount), String(count)))
    }
    rpc.weather = {}
    while (outbox.list().some(isOpen)) {
      await outbox.tick()
      await delay(TICK_MS)
    }
    await chain.main.durable()
    assert.equal(books.lost('till'), -sum)
    assert.equal(books.landed.size, count)
    assert.deepEqual(new Set(outbox.list().map(({ phase }) => phase)), new Set(['finalized']))
  })
}

test('what was confirmed on a fork disappears with it, and is there again after it was sent again', async (t) => {
  const { chain, outbox, client, books, till } = await sceneOf(t)
  const phases: string[] = []
  outbox.onChange(({ phase }) => phases.push(phase))
  await chain.fork()
  await client.transfer(toBase58(till.publicKey), lamports(1_234_567n), 'once')
  await chain.join(false)
  assert.equal(books.lost('till'), 0n)
  while (outbox.list().some(isOpen)) {
    await outbox.tick()
    await delay(TICK_MS)
  }
  assert.deepEqual(phases, ['submitted', 'confirmed', 'submitted', 'confirmed', 'finalized'])
  assert.equal(books.lost('till'), -1_234_567n)
})

test('a settlement that a node has called final and that never was is made again; a payment is not', async (t) => {
  const { chain, rpc, client, books, till } = await sceneOf(t)
  const signer = signingKeyPair(randomBytes(32))
  await client.register(signingKeyPair(randomBytes(32)), randomBytes(32), client.address, '1')
  const terms = { provider: client.provider, signer: signer.publicKey, model: new Uint8Array(32), grace: 3_600n }
  const { channel } = await client.open({ ...terms, deposit: lamports(9_000_000n) }, '1')
  const settle = async (): Promise<unknown> => {
    const found = await client.channel(channel)
    assert.ok(found)
    const voucher = { channel: bytesOf(channel), cumulative: lamports(7_000_001n), expiresAt: 0n }
    return client.settle([{ channel: found, signed: signVoucher(voucher, signer.secretKey) }])
  }
  rpc.weather = { swallowed: 1_000, 'claims final': 1_000 }
  await settle()
  await client.transfer(toBase58(till.publicKey), lamports(1_234_567n), 'once')
  const settled = (): bigint | undefined => books.channels()[0]?.account.settled
  assert.equal(settled(), 0n)
  rpc.weather = {}
  await settle()
  // Nobody can see on the chain that it was not made, and twice would be a second payment.
  await client.transfer(toBase58(till.publicKey), lamports(1_234_567n), 'once')
  await chain.main.durable()
  assert.equal(settled(), 7_000_001n)
  assert.equal(books.lost('till'), 0n)
  assert.deepEqual(books.broken(), [])
})
