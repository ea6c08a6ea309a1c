import assert from 'node:assert/strict'
import { join } from 'node:path'
import test from 'node:test'
import { lamports } from '../../ledger/amount.js'
import { ReceiptOutbox } from '../../ledger/store/outbox.js'
import { VoucherStore } from '../../ledger/store/vouchers.js'
import type { JournalFile } from '../../ledger/store/journal.js'
import { follows } from '../../ledger/receipt.js'
import { isSignedBy, signVoucher } from '../../ledger/voucher.js'
import type { Voucher } from '../../ledger/voucher.js'
import { CHANNEL, CONSUMER, draft, filled, PROVIDER } from './sample.js'
import { folderOf } from './folder.js'

const DEPOSIT = lamports(8n)
const RULE = { channel: CHANNEL, signer: CONSUMER.publicKey, deposit: DEPOSIT, now: 0n }

function voucher(cumulative: bigint, channel = CHANNEL): Voucher {
  return { channel, cumulative: lamports(cumulative), expiresAt: 0n }
}

test('a consumer signs only what is higher than everything it has signed before, over restarts', async (t) => {
  const path = join(folderOf(t), 'vouchers')
  const store = await VoucherStore.open(path)
  const signed = await store.sign(voucher(3n), DEPOSIT, CONSUMER.secretKey)
  assert.ok(isSignedBy(signed, CONSUMER.publicKey))
  assert.deepEqual(await store.sign(voucher(3n), DEPOSIT, CONSUMER.secretKey), signed)
  await store.close()
  const again = await VoucherStore.open(path)
  assert.equal(again.lastSigned(CHANNEL)?.cumulative, 3n)
  await assert.rejects(again.sign(voucher(2n), DEPOSIT, CONSUMER.secretKey), { code: 'VOUCHER_NOT_HIGHER' })
  const other = { ...voucher(3n), expiresAt: 9n }
  await assert.rejects(again.sign(other, DEPOSIT, CONSUMER.secretKey), { code: 'VOUCHER_NOT_HIGHER' })
  await assert.rejects(again.sign(voucher(9n), DEPOSIT, CONSUMER.secretKey), { code: 'VOUCHER_OVER_DEPOSIT' })
  await again.sign(voucher(1n, filled(32, 1)), DEPOSIT, CONSUMER.secretKey)
  await again.close()
})

test('when a larger deposit is forked away, what the smaller one covers can still be claimed, over restarts', async (t) => {
  const path = join(folderOf(t), 'vouchers')
  let store = await VoucherStore.open(path)
  const claimable = (deposit: bigint): bigint | null => {
    return store.claimable(CHANNEL, lamports(deposit))?.voucher.cumulative ?? null
  }
  const take = (cumulative: bigint, deposit: bigint): Promise<unknown> =>
    store.accept(signVoucher(voucher(cumulative), CONSUMER.secretKey), { ...RULE, deposit: lamports(deposit) })
  await take(3n, 8n)
  assert.deepEqual([claimable(8n), claimable(2n)], [3n, null])
  await take(5n, 20n)
  await take(7n, 20n)
  assert.deepEqual([claimable(20n), claimable(8n)], [7n, 7n])
  await take(12n, 20n)
  await take(15n, 20n)
  assert.deepEqual([claimable(20n), claimable(8n)], [15n, 7n])
  await store.close()
  store = await VoucherStore.open(path)
  assert.deepEqual([claimable(20n), claimable(8n)], [15n, 7n])
  await take(21n, 40n)
  assert.deepEqual([claimable(40n), claimable(20n), claimable(8n)], [21n, 15n, null])
  const other = filled(32, 1)
  const rule = { ...RULE, channel: other, deposit: lamports(8n) }
  await store.accept(signVoucher(voucher(6n, other), CONSUMER.secretKey), rule)
  await store.close()
  // Filled up while this side was away: what it was before is not known any more, what was held is.
  store = await VoucherStore.open(path)
  await store.accept(signVoucher(voucher(9n, other), CONSUMER.secretKey), { ...rule, deposit: lamports(20n) })
  assert.equal(store.claimable(other, lamports(8n))?.voucher.cumulative, 6n)
  await store.drop(CHANNEL)
  await store.close()
  store = await VoucherStore.open(path)
  assert.deepEqual([claimable(40n), claimable(20n)], [null, null])
  await store.close()
})

test('nothing is signed and nothing is taken before the disk has it', async (t) => {
  const path = join(folderOf(t), 'vouchers')
  const syncs: (() => void)[] = []
  const store = await VoucherStore.open(path, (file): JournalFile => ({
    write: file.write.bind(file),
    close: () => file.close(),
    datasync: () => new Promise((resolve) => syncs.push(resolve)),
  }))
  const done: string[] = []
  const signing = store.sign(voucher(3n), DEPOSIT, CONSUMER.secretKey).then(() => done.push('signed'))
  const taking = store.accept(signVoucher(voucher(2n), CONSUMER.secretKey), RULE).then(() => done.push('taken'))
  const same = store.accept(signVoucher(voucher(2n), CONSUMER.secretKey), RULE).then(() => done.push('known'))
  while (syncs.length === 0) await new Promise(setImmediate)
  assert.deepEqual(done, [])
  syncs[0]?.()
  await Promise.all([signing, taking, same])
  assert.deepEqual(new Set(done), new Set(['known', 'signed', 'taken']))
  await store.close()
})

test('a full disk refuses service: no signature leaves, and none is given afterwards', async (t) => {
  const store = await VoucherStore.open(join(folderOf(t), 'vouchers'), (file): JournalFile => ({
    write: () => Promise.reject(new Error('no space left on device')),
    close: () => file.close(),
    datasync: () => file.datasync(),
  }))
  const failed = { code: 'STORE_WRITE_FAILED' }
  await assert.rejects(store.sign(voucher(3n), DEPOSIT, CONSUMER.secretKey), failed)
  await assert.rejects(store.sign(voucher(4n), DEPOSIT, CONSUMER.secretKey), failed)
  await assert.rejects(store.accept(signVoucher(voucher(2n), CONSUMER.secretKey), RULE), failed)
  await store.close()
})

test('a provider holds the highest voucher over restarts, with its signature', async (t) => {
  const path = join(folderOf(t), 'vouchers')
  const store = await VoucherStore.open(path)
  const two = signVoucher(voucher(2n), CONSUMER.secretKey)
  const five = signVoucher(voucher(5n), CONSUMER.secretKey)
  assert.equal(await store.accept(two, RULE), 'higher')
  assert.equal(await store.accept(five, RULE), 'higher')
  assert.equal(await store.accept(five, RULE), 'known')
  await assert.rejects(store.accept(two, RULE), { code: 'VOUCHER_NOT_HIGHER' })
  const forged = signVoucher(voucher(6n), PROVIDER.secretKey)
  await assert.rejects(store.accept(forged, RULE), { code: 'VOUCHER_BAD_SIGNATURE' })
  await store.close()
  const again = await VoucherStore.open(path)
  const held = again.held(CHANNEL)
  assert.ok(held && isSignedBy(held, CONSUMER.publicKey))
  assert.equal(held.voucher.cumulative, 5n)
  assert.equal(again.allHeld().length, 1)
  await again.drop(CHANNEL)
  assert.equal(again.held(CHANNEL), null)
  await again.close()
})

test('receipts under way survive a crash, and no counter is ever used twice', async (t) => {
  const path = join(folderOf(t), 'receipts')
  const outbox = await ReceiptOutbox.open(path)
  const [a, b] = await Promise.all([0, 1].map((n) => outbox.issue(draft(n), PROVIDER.secretKey)))
  assert.ok(a && b && follows(a.statement, b.statement))
  await outbox.settled([a])
  await outbox.close()
  const again = await ReceiptOutbox.open(path)
  assert.deepEqual(
    again.pending().map(({ statement }) => statement.counter),
    [1],
  )
  const c = await again.issue(draft(2), PROVIDER.secretKey)
  assert.ok(follows(b.statement, c.statement))
  await again.advance({ counter: 1, previous: filled(32, 0) })
  assert.equal(again.head.counter, 3)
  await again.advance({ counter: 9, previous: filled(32, 1) })
  assert.equal((await again.issue(draft(3), PROVIDER.secretKey)).statement.counter, 9)
  await again.close()
})

test('a voucher that is shown again is known without a write, but for another signature, channel or deposit', async (t) => {
  let writes = 0
  const store = await VoucherStore.open(join(folderOf(t), 'vouchers'), (file): JournalFile => ({
    write: file.write.bind(file),
    close: () => file.close(),
    datasync: () => {
      writes++
      return file.datasync()
    },
  }))
  const signed = signVoucher(voucher(4n), CONSUMER.secretKey)
  assert.equal(await store.accept(signed, RULE), 'higher')
  const before = writes
  assert.equal(await store.accept(signed, RULE), 'known')
  assert.equal(writes, before)
  const forged = { ...signed, signature: Uint8Array.from(signed.signature, (byte, at) => (at === 0 ? byte ^ 1 : byte)) }
  await assert.rejects(store.accept(forged, RULE), { code: 'VOUCHER_BAD_SIGNATURE' })
  await assert.rejects(store.accept(signed, { ...RULE, channel: filled(32, 1) }), { code: 'VOUCHER_OTHER_CHANNEL' })
  await assert.rejects(store.accept(signed, { ...RULE, deposit: lamports(3n) }), { code: 'VOUCHER_OVER_DEPOSIT' })
  await store.close()
})
