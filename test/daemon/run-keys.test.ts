import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import fc from 'fast-check'
import { Identity } from '../../daemon/identity.js'
import { earlierKeys, MOST_AHEAD, nextRunKey } from '../../daemon/run-keys.js'

const SEED = Uint8Array.from({ length: 32 }, (_, index) => index)
const HOUR = 3_600_000
/** 2026-11-02T00:00Z: hour 24. */
const DAY_TWO = Date.UTC(2026, 10, 2)

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'swarmd-runs-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

function hex({ publicKey }: { readonly publicKey: Uint8Array }): string {
  return Buffer.from(publicKey).toString('hex')
}

test('the key of a run never changes, or nobody could prove its history again', () => {
  assert.equal(hex(new Identity(SEED).run(24)), '0e8f8c53e92a4f027923d6ad22584c0e9d5b7e0961e39434640b47d415e0a0df')
})

test('each start has another key, whose number is on the disk before it is used', (t) => {
  const dataDir = folder(t)
  const identity = new Identity(SEED)
  const start = (now: number): string => hex(nextRunKey(dataDir, identity, now, () => 5))
  assert.equal(start(DAY_TWO), hex(identity.run(29)), 'the first one is drawn within a day')
  assert.equal(readFileSync(join(dataDir, 'runs'), 'utf8'), '29\n')
  if (process.platform !== 'win32') assert.equal(statSync(join(dataDir, 'runs')).mode & 0o777, 0o600)
  assert.equal(start(DAY_TWO), hex(identity.run(30)))
  assert.equal(start(DAY_TWO - 10 * HOUR), hex(identity.run(31)), 'a clock that goes back gives no key twice')
  assert.equal(start(DAY_TWO + 100 * HOUR), hex(identity.run(124)))
})

test('a seed without its folder finds the keys of all its runs', (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(40), fc.nat(23)), { minLength: 1, maxLength: 12 }), (starts) => {
      const identity = new Identity(SEED)
      const dataDir = folder(t)
      let now = DAY_TWO
      const used = starts.map(([hours, drawn]) =>
        hex(nextRunKey(dataDir, identity, (now += hours * HOUR), () => drawn)),
      )
      assert.equal(new Set(used).size, used.length)
      const wanted = new Set(used)
      // Another folder, as after a loss: it has no number.
      const empty = folder(t)
      let looked = 0
      for (const key of earlierKeys(empty, identity, now)) {
        wanted.delete(hex(key))
        if (wanted.size === 0 || ++looked > 1200) break
      }
      assert.equal(wanted.size, 0)
    }),
    { numRuns: 10 },
  )
  assert.equal(
    hex([...earlierKeys(folder(t), new Identity(SEED), Date.UTC(2026, 10, 1))][0] ?? assert.fail()),
    hex(new Identity(SEED).node()),
  )
})

test('a node far ahead of its clock gets a key that nobody can derive, and keeps its number', (t) => {
  const dataDir = folder(t)
  const identity = new Identity(SEED)
  writeFileSync(join(dataDir, 'runs'), `${24 + MOST_AHEAD}\n`)
  const drawn = hex(nextRunKey(dataDir, identity, DAY_TWO, () => 0))
  assert.notEqual(drawn, hex(identity.run(24 + MOST_AHEAD + 1)))
  assert.equal(readFileSync(join(dataDir, 'runs'), 'utf8'), `${24 + MOST_AHEAD}\n`)
  assert.equal(hex(nextRunKey(dataDir, identity, DAY_TWO + HOUR, () => 0)), hex(identity.run(24 + MOST_AHEAD + 1)))
})

test('a file that says no number is as good as none', (t) => {
  const dataDir = folder(t)
  writeFileSync(join(dataDir, 'runs'), 'nonsense\n')
  const identity = new Identity(SEED)
  assert.equal(hex(nextRunKey(dataDir, identity, DAY_TWO, () => 1)), hex(identity.run(25)))
})
