import assert from 'node:assert/strict'
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { openSeed, sealSeed } from '../../daemon/crypto.js'
import { openIdentity } from '../../daemon/identity.js'
import { seedState } from '../../daemon/seed-file.js'
import { restoreIdentity, sealIdentity, unsealIdentity, wordsOf } from '../../daemon/seed-keeping.js'
import { filesContain, folderOf } from '../ledger/folder.js'

/** Argon2id at its least: the tests are about what it protects, not about how long it takes. */
const CHEAP = { ops: 1, memory: 8192 }
const PASSPHRASE = Buffer.from('correct horse, größer')

function nodeKey(dataDir: string, passphrase: Uint8Array | null = null): string {
  return Buffer.from(openIdentity(dataDir, passphrase).node().publicKey).toString('hex')
}

test('a sealed seed opens with its passphrase alone, and nothing of it lies in the open', (t) => {
  const dataDir = folderOf(t)
  const before = nodeKey(dataDir)
  const seed = Buffer.from(readFileSync(join(dataDir, 'seed'), 'utf8').trim(), 'hex')
  sealIdentity(dataDir, PASSPHRASE, CHEAP)
  assert.equal(seedState(dataDir), 'sealed')
  assert.ok(!filesContain(dataDir, seed) && !filesContain(dataDir, Buffer.from(seed.toString('hex'))))
  if (process.platform !== 'win32') assert.equal(statSync(join(dataDir, 'seed.sealed')).mode & 0o777, 0o600)
  assert.equal(nodeKey(dataDir, PASSPHRASE), before)
  assert.throws(() => nodeKey(dataDir), { code: 'PASSPHRASE_NEEDED' })
  assert.throws(() => nodeKey(dataDir, Buffer.from('correct horse')), { code: 'PASSPHRASE_WRONG' })
  assert.throws(() => sealIdentity(dataDir, PASSPHRASE, CHEAP), { code: 'IDENTITY_SEALED' })
  assert.throws(() => unsealIdentity(dataDir, Buffer.from('x')), { code: 'PASSPHRASE_WRONG' })
  unsealIdentity(dataDir, PASSPHRASE)
  assert.deepEqual([seedState(dataDir), nodeKey(dataDir)], ['open', before])
  assert.throws(() => unsealIdentity(dataDir, PASSPHRASE), { code: 'IDENTITY_OPEN' })
})

test('a seal that was cut short leaves one identity, and can be made again', (t) => {
  const dataDir = folderOf(t)
  const before = nodeKey(dataDir)
  const open = readFileSync(join(dataDir, 'seed'))
  sealIdentity(dataDir, PASSPHRASE, CHEAP)
  // As after a crash between the two steps.
  writeFileSync(join(dataDir, 'seed'), open, { mode: 0o600 })
  assert.equal(nodeKey(dataDir), before)
  sealIdentity(dataDir, PASSPHRASE, CHEAP)
  assert.equal(nodeKey(dataDir, PASSPHRASE), before)
})

test('changed bytes of a sealed seed never open, and costs that no seal of ours has are refused', (t) => {
  const sealed = sealSeed(new Uint8Array(32).fill(9), PASSPHRASE, CHEAP)
  assert.deepEqual(openSeed(sealed, PASSPHRASE), new Uint8Array(32).fill(9))
  fc.assert(
    fc.property(fc.nat(sealed.box.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const box = Uint8Array.from(sealed.box)
      box[at] = (box[at] ?? 0) ^ flip
      assert.equal(openSeed({ ...sealed, box }, PASSPHRASE), null)
    }),
    { numRuns: 30 },
  )
  assert.equal(openSeed({ ...sealed, ops: 2 }, PASSPHRASE), null)
  const dataDir = folderOf(t)
  openIdentity(dataDir)
  sealIdentity(dataDir, PASSPHRASE, CHEAP)
  const path = join(dataDir, 'seed.sealed')
  const text = readFileSync(path, 'utf8')
  for (const wrong of ['', text.slice(1), text.replace(' 8192 ', ' 9999999999 '), text.replace('id 1 ', 'id 999 ')]) {
    writeFileSync(path, wrong)
    assert.throws(() => openIdentity(dataDir, PASSPHRASE), { code: 'IDENTITY_UNSAFE' }, wrong)
  }
  if (process.platform === 'win32') return
  writeFileSync(path, text)
  chmodSync(path, 0o644)
  assert.throws(() => openIdentity(dataDir, PASSPHRASE), { code: 'IDENTITY_UNSAFE', message: /chmod 600/ })
})

test('24 words bring an identity back, and never onto another one', (t) => {
  const [first, second] = [folderOf(t), folderOf(t)]
  const before = nodeKey(first)
  const words = wordsOf(openIdentity(first))
  assert.equal(words.split(' ').length, 24)
  restoreIdentity(join(second, 'new'), words)
  assert.equal(nodeKey(join(second, 'new')), before)
  assert.throws(() => restoreIdentity(first, words), { code: 'IDENTITY_EXISTS' })
  sealIdentity(first, PASSPHRASE, CHEAP)
  assert.throws(() => restoreIdentity(first, words), { code: 'IDENTITY_EXISTS' })
  const wrong = words.replace(/^\w+/, 'zebrra')
  assert.throws(
    () => restoreIdentity(join(second, 'other'), wrong),
    (error) => {
      assert.match(String(error), /word 1 is not in the list/)
      assert.ok(!String(error).includes('zebrra'))
      return true
    },
  )
  assert.ok(!existsSync(join(second, 'other', 'seed')))
})
