/** The storm of `npm run crash` at the length that every change goes through. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Random } from './random.js'
import { storm } from './storm.js'

test('a hundred kill -9 under load break no promise, and afterwards everything is as if there had been none', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'swarmd-crash-'))
  const seed = Date.now() % 1_000_000
  t.diagnostic(`seed ${seed}, folder ${folder}`)
  const report = await storm({
    kills: 100,
    random: new Random(seed),
    folder,
    money: { price: 10_000_000n, credit: 1_000_000_000n },
    batch: 50,
    tell: (line) => t.diagnostic(line),
  })
  assert.ok(report.both > 0, 'the storm left transactions')
  assert.ok(report.held > 0n, 'the storm left vouchers')
  // Only what passed is thrown away.
  rmSync(folder, { recursive: true, force: true })
})
