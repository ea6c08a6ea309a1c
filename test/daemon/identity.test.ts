import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { freshNodeKeyPair, Identity, networkId, openIdentity } from '../../daemon/identity.js'

const SEED = Uint8Array.from({ length: 32 }, (_, index) => index)

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'swarmd-identity-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** `store` and `network` agree with Python's hashlib.blake2b. */
const GOLDEN = {
  node: '120fa512d868408474d8a5bbf68913bc76bd9ecf129229ea6c0244cb342bd856',
  wallet: '8039c1358495e7e4ad98b540f51f6dde4c1ba10d4475f24c3dea38466f59cd25',
  voucher: '61f343dc4055b3e6e0e6cb0ddbc5981e8527af415e3071524acf27bcb905eaf4',
  box: 'd923cb666366eeea813cc7fbc2ac6debe92e23515d4f2a87b747a8fef371087b',
  store: '69a39a9563c471c79f49a467295c0171ebbb5b7d96c36a75387b0d92a2ff616c',
  network: '18193408c0ae4c62734a1280ac14c383d4fe9dd6603bfeb9d05f3e9689bdea49',
}

test('the keys of a seed never change', () => {
  // Golden: whoever changes a derivation takes every node its identity and its money.
  const identity = new Identity(SEED)
  assert.deepEqual(
    {
      node: hex(identity.node().publicKey),
      wallet: hex(identity.wallet().publicKey),
      voucher: hex(identity.voucher(new Uint8Array(32).fill(7)).publicKey),
      box: hex(identity.box().publicKey),
      store: hex(identity.store()),
      network: hex(networkId('public')),
    },
    GOLDEN,
  )
})

test('no two uses share a key, and no two providers see the same signer', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (seed) => {
      const identity = new Identity(seed)
      const provider = (fill: number): Uint8Array => new Uint8Array(32).fill(fill)
      const keys = [
        identity.node().publicKey,
        identity.wallet().publicKey,
        identity.voucher(provider(1)).publicKey,
        identity.voucher(provider(2)).publicKey,
        identity.box().publicKey,
        identity.store(),
        seed,
      ].map(hex)
      assert.equal(new Set(keys).size, keys.length)
    }),
    { numRuns: 20 },
  )
  assert.notEqual(hex(freshNodeKeyPair().publicKey), hex(freshNodeKeyPair().publicKey))
  assert.notEqual(hex(networkId('a')), hex(networkId('b')))
})

test('the seed is made once, for its owner alone, and stays', (t) => {
  const dataDir = folder(t)
  const first = openIdentity(dataDir)
  const path = join(dataDir, 'seed')
  if (process.platform !== 'win32') assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.match(readFileSync(path, 'utf8'), /^[0-9a-f]{64}\n$/)
  assert.ok(!existsSync(`${path}.new`))
  assert.equal(hex(openIdentity(dataDir).node().publicKey), hex(first.node().publicKey))
})

test('what a crash left of making a seed does not stand in the way', (t) => {
  const dataDir = folder(t)
  writeFileSync(join(dataDir, 'seed.new'), 'half')
  openIdentity(dataDir)
  assert.match(readFileSync(join(dataDir, 'seed'), 'utf8'), /^[0-9a-f]{64}\n$/)
})

test('a damaged seed is refused and left as it is', (t) => {
  const dataDir = folder(t)
  const path = join(dataDir, 'seed')
  for (const damaged of [
    '',
    'ab',
    'z'.repeat(64),
    `${'ab'.repeat(32)}ab`,
    `${'AB'.repeat(32)}\n`,
    `${'ab'.repeat(32)}\n\n`,
    'ab'.repeat(100_000),
  ]) {
    writeFileSync(path, damaged, { mode: 0o600 })
    assert.throws(() => openIdentity(dataDir), { code: 'IDENTITY_UNSAFE' }, damaged.slice(0, 80))
    assert.equal(readFileSync(path, 'utf8'), damaged)
  }
  rmSync(path)
  mkdirSync(path)
  assert.throws(() => openIdentity(dataDir), { code: 'IDENTITY_UNSAFE' })
})

test(
  'a seed that others can read is refused with the command that closes it',
  { skip: process.platform === 'win32' && 'no such permissions' },
  (t) => {
    const dataDir = folder(t)
    openIdentity(dataDir)
    for (const mode of [0o640, 0o604, 0o644, 0o660]) {
      chmodSync(join(dataDir, 'seed'), mode)
      assert.throws(() => openIdentity(dataDir), { code: 'IDENTITY_UNSAFE', message: /chmod 600/ })
    }
    chmodSync(join(dataDir, 'seed'), 0o400)
    openIdentity(dataDir)
  },
)

test('an identity that gets into a log or into JSON shows nothing', () => {
  const identity = new Identity(SEED)
  const shown = [
    inspect(identity, { depth: 9, showHidden: true }),
    JSON.stringify({ identity }),
    `${String(identity)}`,
  ].join(' ')
  assert.ok(!shown.includes(hex(SEED)))
  assert.match(shown, /\[identity\]/)
})
