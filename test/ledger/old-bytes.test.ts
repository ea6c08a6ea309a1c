import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { lamports } from '../../ledger/amount.js'
import { exportTransaction, parseExport, verifyExport } from '../../ledger/proof.js'
import { isProviderSigned } from '../../ledger/receipt.js'
import { decodeEntry, encodeEntry } from '../../ledger/store/entry.js'
import type { Entry } from '../../ledger/store/entry.js'
import { ReceiptOutbox } from '../../ledger/store/outbox.js'
import { VoucherStore } from '../../ledger/store/vouchers.js'
import { encodeTransaction } from '../../ledger/transaction.js'
import { isSignedBy, signVoucher } from '../../ledger/voucher.js'
import { agreed, CHANNEL, CONSUMER, CONTENT, CONTENT_KEY, draft, filled, PROVIDER, tokens } from './sample.js'
import { folderOf } from './folder.js'

/**
 * Bytes written by the first version, committed once. Every later version reads them; one that writes others needs a new
 * version number and a new file here, and leaves these alone.
 */
function old(name: string): Buffer {
  return readFileSync(new URL(`../../../test/fixtures/ledger/${name}`, import.meta.url))
}

function oldHex(name: string): Buffer {
  return Buffer.from(old(name).toString('latin1').trim(), 'hex')
}

const ENTRY: Entry = {
  role: 'provider',
  times: { asked: 1_790_000_000_000, firstToken: null, done: 1_790_000_000_700 },
  body: { first: 6, blocks: 3 },
  transaction: agreed().transaction,
}

test('the two blocks of a log entry are written and read as ever', () => {
  const [keys, record] = encodeEntry(ENTRY)
  assert.deepEqual(Buffer.from(keys), oldHex('entry-keys-1.hex'))
  assert.deepEqual(Buffer.from(record), oldHex('entry-record-1.hex'))
  const read = decodeEntry(oldHex('entry-keys-1.hex'), oldHex('entry-record-1.hex'))
  assert.deepEqual(encodeTransaction(read.transaction), encodeTransaction(ENTRY.transaction))
  assert.deepEqual({ ...read, transaction: null }, { ...ENTRY, transaction: null })
  const forgotten = decodeEntry(null, oldHex('entry-record-1.hex'))
  assert.equal(forgotten.transaction.statement.sealedForConsumer.kind, 'destroyed')
  assert.ok(isProviderSigned(forgotten.transaction))
  const others = encodeEntry({
    ...ENTRY,
    transaction: agreed(0, undefined, { sealedForConsumer: { kind: 'sealed', sealed: filled(80, 99) } }).transaction,
  })
  assert.throws(() => decodeEntry(others[0], record), { code: 'STORE_CORRUPT' })
})

test('the voucher journal is written and read as ever', async (t) => {
  const path = join(folderOf(t), 'vouchers')
  const store = await VoucherStore.open(path)
  const voucher = { channel: CHANNEL, cumulative: lamports(3n), expiresAt: 0n }
  await store.sign(voucher, lamports(8n), CONSUMER.secretKey)
  const rule = { channel: CHANNEL, signer: CONSUMER.publicKey, deposit: lamports(8n), now: 0n }
  await store.accept(signVoucher({ ...voucher, cumulative: lamports(5n) }, CONSUMER.secretKey), rule)
  await store.close()
  assert.deepEqual(readFileSync(path), oldHex('vouchers-1.hex'))
  writeFileSync(path, oldHex('vouchers-1.hex'))
  const read = await VoucherStore.open(path)
  const held = read.held(CHANNEL)
  assert.ok(held && isSignedBy(held, CONSUMER.publicKey))
  assert.deepEqual([read.lastSigned(CHANNEL)?.cumulative, held.voucher.cumulative], [3n, 5n])
  await read.close()
})

test('the receipt journal is written and read as ever', async (t) => {
  const path = join(folderOf(t), 'receipts')
  const outbox = await ReceiptOutbox.open(path)
  await outbox.issue(draft(), PROVIDER.secretKey)
  await outbox.close()
  assert.deepEqual(readFileSync(path), oldHex('receipts-1.hex'))
  writeFileSync(path, oldHex('receipts-1.hex'))
  const read = await ReceiptOutbox.open(path)
  assert.equal(read.head.counter, 1)
  assert.ok(read.pending().every(isProviderSigned))
  await read.close()
})

test('an exported transaction is written and verified as ever', () => {
  const log = tokens(40)
  const text = exportTransaction({
    transaction: agreed().transaction,
    disclosure: { contentKey: CONTENT_KEY, content: CONTENT },
    windows: [{ width: 8, proof: log.prove(1) }],
  })
  assert.equal(old('export-1.txt').toString(), text)
  const { checks, agreed: both } = verifyExport(parseExport(old('export-1.txt').toString()))
  assert.ok(both && checks.every(({ result }) => result === 'good'))
})
