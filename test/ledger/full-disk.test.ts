import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import type { TestContext } from 'node:test'
import { lamports } from '../../ledger/amount.js'
import { readEvidence } from '../../ledger/store/evidence-files.js'
import { EvidenceKeeper } from '../../ledger/store/evidence-keeper.js'
import { LedgerStore } from '../../ledger/store/store.js'
import { entries } from './entries.js'
import { CHANNEL, CONSUMER, filled } from './sample.js'
import { folderOf } from './folder.js'

const PRIMARY = filled(32, 42)

/** A file system of a few megabytes, or null where this process may not mount one. */
function smallDisk(t: TestContext): { readonly path: string; grow(): void } | null {
  const path = mkdtempSync(join(tmpdir(), 'swarmd-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', path], { stdio: 'ignore' })
  } catch {
    rmdirSync(path)
    return null
  }
  t.after(() => {
    execFileSync('umount', ['-l', path], { stdio: 'ignore' })
    rmdirSync(path)
  })
  return { path, grow: () => execFileSync('mount', ['-o', 'remount,size=64m', path], { stdio: 'ignore' }) }
}

test('a full disk: the append fails with its code, no more are taken, and with space again nothing is lost', async (t) => {
  const disk = smallDisk(t)
  if (!disk) {
    t.skip('mounting a tmpfs is not allowed here')
    return
  }
  const store = await LedgerStore.open(disk.path, PRIMARY)
  const source = entries('consumer')
  const acknowledged: string[] = []
  let failure: unknown = null
  while (failure === null && acknowledged.length < 5000) {
    const entry = source.next().value
    try {
      await store.append(entry)
      acknowledged.push(Buffer.from(entry.transaction.statement.id).toString('hex'))
    } catch (error) {
      failure = error
    }
  }
  assert.ok(failure instanceof Error && 'code' in failure && failure.code === 'STORE_WRITE_FAILED', String(failure))
  await assert.rejects(store.append(source.next().value), { code: 'STORE_WRITE_FAILED' })
  await store.close().catch(() => undefined)
  disk.grow()
  const again = await LedgerStore.open(disk.path, PRIMARY)
  const found = await Promise.all(acknowledged.map((_, i) => again.get(i)))
  assert.deepEqual(
    found.map(({ transaction }) => Buffer.from(transaction.statement.id).toString('hex')),
    acknowledged,
  )
  assert.deepEqual((await again.verify(CONSUMER.publicKey)).faults, [])
  await again.append(source.next().value)
  await again.close()
})

test('a full disk costs evidence and nothing else: what was kept stays, and with space again more is kept', async (t) => {
  const disk = smallDisk(t)
  if (!disk) {
    t.skip('mounting a tmpfs is not allowed here')
    return
  }
  const told: string[] = []
  const folder = join(disk.path, 'evidence')
  let now = 1_790_000_000_000
  const keeper = new EvidenceKeeper({ folder, keepMs: 86_400_000, now: () => now, complain: (what) => told.push(what) })
  const receipt = (n: number): Uint8Array => filled(32, n)
  for (let n = 0; n < 12; n++) {
    await keeper.add(receipt(n), filled(1_000_000, n))
    now += 1000
  }
  assert.equal(told.length, 1, 'told once')
  disk.grow()
  await keeper.add(receipt(100), filled(1000, 100))
  await keeper.close()
  assert.deepEqual(await readEvidence(folder, receipt(100), now), Buffer.from(filled(1000, 100)))
  const kept = await Promise.all(Array.from({ length: 12 }, (_, n) => readEvidence(folder, receipt(n), now)))
  assert.ok(kept.filter((sealed) => sealed !== null).length >= 4)
  for (const [n, sealed] of kept.entries()) if (sealed) assert.deepEqual(sealed, Buffer.from(filled(1_000_000, n)))
})

test('a place that is no folder is refused with a code', async (t) => {
  const file = join(folderOf(t), 'file')
  writeFileSync(file, '')
  await assert.rejects(LedgerStore.open(file, PRIMARY), { code: 'STORE_WRITE_FAILED' })
})

test('a damaged voucher journal keeps the store shut; a torn end is cut off and put aside', async (t) => {
  const folder = folderOf(t)
  const path = join(folder, 'vouchers')
  const store = await LedgerStore.open(folder, PRIMARY)
  for (const amount of [1n, 2n]) {
    const voucher = { channel: CHANNEL, cumulative: lamports(amount), expiresAt: 0n }
    await store.vouchers.sign(voucher, lamports(8n), CONSUMER.secretKey)
  }
  await store.close()
  const bytes = readFileSync(path)
  writeFileSync(
    path,
    bytes.map((byte, i) => (i === 60 ? byte ^ 1 : byte)),
  )
  await assert.rejects(LedgerStore.open(folder, PRIMARY), { code: 'STORE_CORRUPT' })
  writeFileSync(path, Buffer.concat([bytes, Buffer.from('half a frame')]))
  const opened = await LedgerStore.open(folder, PRIMARY)
  assert.equal(opened.vouchers.lastSigned(CHANNEL)?.cumulative, 2n)
  assert.equal(readFileSync(`${path}.torn`, 'latin1'), 'half a frame')
  await opened.close()
})
