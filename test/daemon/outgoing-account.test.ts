/** The paying side of a channel: what has to be on the disk before anything is signed. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { randomBytes, signKeyPair } from '../../daemon/crypto.js'
import { OutgoingAccount } from '../../daemon/payment/outgoing-account.js'
import { lamports, microLamports, NO_COST } from '../../ledger/amount.js'
import { VoucherStore } from '../../ledger/store/vouchers.js'

const MILLION = 1_000_000n
const TERMS = { limit: microLamports(50n * MILLION), window: microLamports(10n * MILLION), ahead: NO_COST }

interface Scene {
  readonly account: OutgoingAccount
  /** Cumulative sums of the vouchers that left. */
  readonly sent: bigint[]
  /** What is being signed. */
  readonly work: Promise<void>[]
}

async function sceneOf(t: TestContext): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), 'swarmd-outgoing-'))
  const vouchers = await VoucherStore.open(join(folder, 'vouchers'))
  t.after(async () => {
    await vouchers.close()
    await rm(folder, { recursive: true, force: true })
  })
  const [sent, work]: [bigint[], Promise<void>[]] = [[], []]
  const means = { channel: randomBytes(32), deposit: lamports(1_000n), signer: signKeyPair(randomBytes(32)) }
  const account = new OutgoingAccount({
    means,
    vouchers,
    send: ({ cumulative }) => void sent.push(cumulative),
    background: (signing) => {
      signing.catch(() => undefined)
      work.push(signing)
    },
  })
  return { account, sent, work }
}

/** A write that ends when the test says so. */
function write(): { readonly reserved: () => Promise<void>; done(): void; fail(error: Error): void; calls: number } {
  let [done, fail]: [() => void, (error: Error) => void] = [() => undefined, () => undefined]
  const durable = new Promise<void>((resolve, reject) => ([done, fail] = [resolve, reject]))
  const held = {
    calls: 0,
    reserved: () => {
      held.calls++
      return durable
    },
    done: () => done(),
    fail: (error: Error) => fail(error),
  }
  return held
}

test('tokens arrive before the reservation is written, and no voucher leaves before it is', async (t) => {
  const { account, sent, work } = await sceneOf(t)
  const held = write()
  account.reserve('a', TERMS.limit)
  account.agree('a', TERMS, held.reserved)
  assert.equal(held.calls, 0, 'nothing is due, so nothing is written')
  account.deliver('a', microLamports(6n * MILLION))
  assert.equal(held.calls, 1)
  assert.deepEqual([sent, account.accrued], [[], 6n * MILLION])
  account.deliver('a', microLamports(1n * MILLION))
  held.done()
  await Promise.all(work)
  assert.deepEqual(sent, [7n])
  account.release('a')
  assert.equal((await account.voucher())?.cumulative, 7n)
})

test('after a reservation that could not be written nothing is signed any more', async (t) => {
  const { account, sent, work } = await sceneOf(t)
  const held = write()
  account.reserve('a', TERMS.limit)
  account.agree('a', TERMS, held.reserved)
  account.deliver('a', microLamports(6n * MILLION))
  held.fail(new Error('the disk says no'))
  await assert.rejects(Promise.all(work), /disk says no/)
  account.deliver('a', microLamports(3n * MILLION))
  account.release('a')
  await assert.rejects(account.voucher(), /disk says no/)
  assert.deepEqual(sent, [])
})

test('an ask beside others brings what is signed already, and waits for no disk', async (t) => {
  const { account, sent, work } = await sceneOf(t)
  account.reserve('a', TERMS.limit)
  account.agree('a', TERMS, () => Promise.resolve())
  account.deliver('a', microLamports(6n * MILLION))
  await Promise.all(work)
  assert.deepEqual(sent, [6n])
  const held = write()
  account.reserve('b', TERMS.limit)
  account.agree('b', TERMS, held.reserved)
  account.deliver('b', microLamports(8n * MILLION))
  assert.equal((await account.voucher())?.cumulative, 6n)
  held.done()
  await Promise.all(work)
  assert.deepEqual(sent, [6n, 14n])
})

test('the proof of a connection is made once', async (t) => {
  const { account } = await sceneOf(t)
  const payment = await account.payment(NO_COST, () => Promise.resolve())
  const [one, other] = [randomBytes(32), randomBytes(32)]
  assert.equal(payment.prove(one), payment.prove(Uint8Array.from(one)))
  assert.notDeepEqual(payment.prove(one), payment.prove(other))
})
