/** The channels that a node pays on, when one runs low, is doubted or is left: over channels that are only told of. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { randomBytes, signKeyPair } from '../../daemon/crypto.js'
import type { Channels, Need, Outgoing } from '../../daemon/payment/channels.js'
import { PaymentError } from '../../daemon/payment/errors.js'
import { Purse } from '../../daemon/payment/purse.js'
import { lamports, microLamports } from '../../ledger/amount.js'
import type { Lamports } from '../../ledger/amount.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import { VoucherStore } from '../../ledger/store/vouchers.js'
import type { SignedPayment } from '../../swarm/port.js'
import { folderOf } from '../ledger/folder.js'

const PROVIDER = randomBytes(32)
const MICRO = 1_000_000n

interface Scene {
  readonly purse: Purse
  /** What `outgoing` was asked for; the answers are what `next` says. */
  readonly asked: (Need | undefined)[]
  readonly sent: SignedPayment[]
  next: () => Promise<Outgoing>
  wait(ms: number): void
}

async function sceneOf(t: TestContext): Promise<Scene> {
  const vouchers = await VoucherStore.open(join(folderOf(t), 'vouchers'))
  t.after(() => vouchers.close())
  let ms = 1_800_000_000_000
  const [asked, sent]: [(Need | undefined)[], SignedPayment[]] = [[], []]
  const channels: Channels = {
    pays: true,
    outgoing: (_provider, need) => {
      asked.push(need)
      return scene.next()
    },
    incoming: () => Promise.resolve(null),
    usedUp: (deposit, paid) => deposit - paid < 10n,
  }
  const purse = new Purse({
    channels,
    store: () => Promise.resolve({ vouchers } as unknown as LedgerStore),
    swarm: () => ({ pay: (_provider: Uint8Array, payment: SignedPayment) => (sent.push(payment), true) }),
    background: (work) => void work,
    now: () => ms,
  })
  const means = channel(100n)
  const scene: Scene = { purse, asked, sent, next: () => Promise.resolve(means), wait: (more) => void (ms += more) }
  return scene
}

function channel(deposit: bigint): Outgoing {
  const signer = signKeyPair(randomBytes(32))
  return { channel: signer.publicKey, deposit: lamports(deposit), signer }
}

function more(of: Outgoing, deposit: bigint): Outgoing {
  return { ...of, deposit: lamports(deposit) }
}

/** Uses up all of a deposit but `left`. */
async function spend(account: Awaited<ReturnType<Purse['open']>>, left: bigint): Promise<void> {
  const cost = microLamports(toMicro(account.deposit) - account.accrued - left * MICRO)
  account.reserve('spending', cost)
  account.deliver('spending', cost)
  account.release('spending')
  await account.voucher()
}

function toMicro(amount: Lamports): bigint {
  return amount * MICRO
}

test('a channel that runs low is asked for once by all that come, and goes on with what was added', async (t) => {
  const scene = await sceneOf(t)
  const { purse, asked } = scene
  const account = await purse.open(PROVIDER)
  const first = await scene.next()
  await spend(account, 9n)
  scene.next = () => Promise.resolve(more(first, 191n))
  const all = await Promise.all([1, 2, 3].map(() => purse.open(PROVIDER)))
  assert.ok(all.every((one) => one === account))
  assert.equal(asked.length, 2)
  assert.deepEqual(asked[1], { taken: 0n, more: 0n })
  assert.equal(account.deposit, 191n)
  assert.equal(account.left, 100n * MICRO)
  await purse.open(PROVIDER)
  assert.equal(asked.length, 2)
})

test('a request that needs more than is left asks for more, and what is under way counts as taken', async (t) => {
  const scene = await sceneOf(t)
  const { purse, asked } = scene
  const account = await purse.open(PROVIDER)
  account.reserve('under way', microLamports(60n * MICRO))
  assert.equal(await purse.open(PROVIDER, microLamports(40n * MICRO)), account)
  assert.equal(asked.length, 1)
  const first = await scene.next()
  scene.next = () => Promise.resolve(more(first, 160n))
  assert.equal(await purse.open(PROVIDER, microLamports(40n * MICRO + 1n)), account)
  assert.deepEqual(asked[1], { taken: 60n, more: 41n })
  assert.equal(account.left, 100n * MICRO)
})

test('where more cannot be had, the rest is used, and it is tried again a minute later', async (t) => {
  const scene = await sceneOf(t)
  const { purse, asked } = scene
  const account = await purse.open(PROVIDER)
  await spend(account, 5n)
  scene.next = () => Promise.reject(PaymentError.NO_MEANS('the wallet is empty'))
  for (let times = 0; times < 3; times++) assert.equal(await purse.open(PROVIDER, microLamports(MICRO)), account)
  assert.equal(asked.length, 2)
  scene.wait(60_000)
  await purse.open(PROVIDER)
  assert.equal(asked.length, 3)
  await assert.rejects(purse.open(PROVIDER, microLamports(6n * MICRO)), { code: 'NO_MEANS' })
  await spend(account, 0n)
  await assert.rejects(purse.open(PROVIDER), { code: 'NO_MEANS', message: 'the wallet is empty' })
})

test('another channel takes over when nothing is under way on the old one', async (t) => {
  const scene = await sceneOf(t)
  const { purse } = scene
  const account = await purse.open(PROVIDER)
  await spend(account, 5n)
  const other = channel(100n)
  scene.next = () => Promise.resolve(other)
  account.reserve('under way', microLamports(MICRO))
  assert.equal(await purse.open(PROVIDER), account)
  account.release('under way')
  scene.wait(60_000)
  const next = await purse.open(PROVIDER)
  assert.deepEqual(next.id, other.channel)
  assert.equal(purse.accounts.size, 1)
})

test('a channel that is left is told its newest voucher once more, and not while an answer is under way', async (t) => {
  const scene = await sceneOf(t)
  const { purse, sent, asked } = scene
  const account = await purse.open(PROVIDER)
  await spend(account, 50n)
  account.reserve('under way', microLamports(MICRO))
  const before = sent.length
  assert.equal(purse.busy(account.id), true)
  assert.equal(purse.retire(account.id), false)
  purse.doubt(PROVIDER)
  assert.equal(await purse.open(PROVIDER), account)
  account.release('under way')
  assert.equal(purse.retire(account.id), true)
  await account.voucher()
  await new Promise(setImmediate)
  assert.deepEqual(
    sent.slice(before).map(({ cumulative }) => cumulative),
    [50n],
  )
  assert.equal(purse.accounts.size, 0)
  await purse.open(PROVIDER)
  purse.doubt(PROVIDER)
  await purse.open(PROVIDER)
  assert.equal(asked.length, 3)
})
