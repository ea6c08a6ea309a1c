/** Evidence on the disk: kept for its time, found by time, lost at most at its end. */
import assert from 'node:assert/strict'
import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import type { TestContext } from 'node:test'
import fc from 'fast-check'
import { openEvidence, sealEvidence } from '../../ledger/evidence.js'
import { readEvidence } from '../../ledger/store/evidence-files.js'
import { EvidenceKeeper } from '../../ledger/store/evidence-keeper.js'
import { CONTENT_KEY, filled } from './sample.js'
import { filesContain, folderOf } from './folder.js'

const HOUR = 3_600_000
const START = 1_790_000_000_000

interface World {
  readonly folder: string
  readonly complaints: string[]
  now: number
  keeper(keepMs?: number): EvidenceKeeper
  /** Adds evidence of receipt `n` now; what it is found by. */
  add(keeper: EvidenceKeeper, n: number, positions?: Uint8Array): Promise<number>
  /** Its positions; null when they are gone. */
  read(n: number, at: number): Promise<Uint8Array | null>
}

function world(t: TestContext): World {
  const folder = join(folderOf(t), 'evidence')
  const made: EvidenceKeeper[] = []
  t.after(() => Promise.all(made.map((keeper) => keeper.close())))
  const here: World = {
    folder,
    complaints: [],
    now: START,
    keeper(keepMs = 24 * HOUR) {
      const complain = (message: string): void => void here.complaints.push(message)
      const keeper = new EvidenceKeeper({ folder, keepMs, now: () => here.now, complain })
      made.push(keeper)
      return keeper
    },
    async add(keeper, n, positions = filled(52, n)) {
      await keeper.add(receipt(n), sealEvidence(CONTENT_KEY, receipt(n), positions))
      return here.now
    },
    async read(n, at) {
      const sealed = await readEvidence(folder, receipt(n), at)
      return sealed && openEvidence(CONTENT_KEY, receipt(n), sealed)
    },
  }
  return here
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : error
}

function receipt(n: number): Uint8Array {
  const hash = filled(32, 77)
  new DataView(hash.buffer).setUint32(0, n)
  return hash
}

function files(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).toSorted() : []
}

test('evidence is found by its receipt and its time, across files and restarts', async (t) => {
  const here = world(t)
  const times: number[] = []
  let keeper = here.keeper()
  for (let n = 0; n < 30; n++) {
    times.push(await here.add(keeper, n, Buffer.from(`positions of ${n}`)))
    here.now += 20 * 60_000
    if (n % 7 === 6) {
      await keeper.close()
      keeper = here.keeper()
    }
  }
  await keeper.close()
  for (const [n, at] of times.entries()) {
    assert.equal(Buffer.from((await here.read(n, at)) ?? []).toString(), `positions of ${n}`)
  }
  assert.equal(await here.read(99, START), null)
  assert.equal(await here.read(0, START + 5 * HOUR), null, 'only the files of that time are looked into')
  assert.ok(files(here.folder).length >= 10, 'a file spans an hour at most, and none is gone on with after a restart')
  assert.equal(statSync(join(here.folder, files(here.folder)[0] ?? '')).mode & 0o777, 0o600)
})

test('what comes together is in one file, however much', async (t) => {
  const here = world(t)
  const keeper = here.keeper()
  await Promise.all(Array.from({ length: 500 }, (_, n) => here.add(keeper, n, filled(52 * (n % 9), n & 255))))
  assert.equal(files(here.folder).length, 1)
  for (const n of [0, 1, 250, 499])
    assert.deepEqual(await here.read(n, here.now), Buffer.from(filled(52 * (n % 9), n & 255)))
})

test('after the audit window it is gone from the disk, and not before', async (t) => {
  const here = world(t)
  const first = here.keeper(2 * HOUR)
  const at = await here.add(first, 1)
  here.now += HOUR
  const later = await here.add(first, 2)
  await first.close()
  assert.equal(files(here.folder).length, 2)
  here.now = START + 3 * HOUR - 1
  await settled(here.keeper(2 * HOUR))
  assert.ok(await here.read(1, at))
  here.now = START + 3 * HOUR
  await settled(here.keeper(2 * HOUR))
  assert.equal(await here.read(1, at), null)
  assert.ok(await here.read(2, later))
  here.now = START + 4 * HOUR
  await settled(here.keeper(2 * HOUR))
  assert.deepEqual(files(here.folder), [])
})

/** Until it has looked for what is too old. */
async function settled(keeper: EvidenceKeeper): Promise<void> {
  await keeper.pruned
  await keeper.close()
}

test('a node that keeps nothing for audits writes nothing', async (t) => {
  const here = world(t)
  await here.add(here.keeper(0), 1)
  assert.deepEqual(files(here.folder), [])
})

test('a clock that is set back begins another file, and everything is still found', async (t) => {
  const here = world(t)
  const keeper = here.keeper()
  const at = await here.add(keeper, 1)
  here.now -= 5 * HOUR
  const before = await here.add(keeper, 2)
  assert.ok((await here.read(1, at)) && (await here.read(2, before)))
})

test('a torn end costs the records that it tears, wherever it is torn', async (t) => {
  const here = world(t)
  const keeper = here.keeper()
  const ends: number[] = []
  const path = (): string => join(here.folder, files(here.folder)[0] ?? '')
  for (let n = 0; n < 4; n++) {
    await here.add(keeper, n, filled(52, n))
    ends.push(statSync(path()).size)
  }
  await keeper.close()
  const whole = readFileSync(path())
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.byteLength), fc.boolean(), async (length, zeros) => {
      writeFileSync(path(), whole)
      truncateSync(path(), length)
      if (zeros) appendFileSync(path(), Buffer.alloc(100))
      for (const [n, end] of ends.entries()) {
        const read = await here.read(n, START).catch((error: unknown) => codeOf(error))
        assert.deepEqual(
          read,
          end <= length ? Buffer.from(filled(52, n)) : zeros && read ? 'BAD_SEAL' : null,
          `${n} of ${length} bytes`,
        )
      }
    }),
    { numRuns: 60 },
  )
})

test('a disk that says no costs the evidence alone: it is told once, and kept again when the disk says yes', async (t) => {
  const here = world(t)
  writeFileSync(here.folder, 'in the way')
  const keeper = here.keeper()
  await here.add(keeper, 1)
  await here.add(keeper, 2)
  assert.equal(here.complaints.length, 1)
  assert.match(here.complaints[0] ?? '', /receipts go on/)
  rmSync(here.folder)
  await here.add(keeper, 3)
  assert.ok(await here.read(3, here.now))
  rmSync(here.folder, { recursive: true })
})

test('no other key, receipt or byte opens it, and none of its bytes can be read on the disk', async (t) => {
  const here = world(t)
  const keeper = here.keeper()
  const positions = Buffer.from('a heron, a lantern and a thistle')
  await here.add(keeper, 1, positions)
  assert.ok(!filesContain(here.folder, positions.subarray(0, 8)))
  assert.ok(filesContain(here.folder, Buffer.from(receipt(1))))
  const sealed = sealEvidence(CONTENT_KEY, receipt(1), positions)
  const bad = { code: 'BAD_SEAL' }
  assert.throws(() => openEvidence(filled(32, 1), receipt(1), sealed), bad)
  assert.throws(() => openEvidence(CONTENT_KEY, receipt(2), sealed), bad)
  assert.throws(
    () =>
      openEvidence(
        CONTENT_KEY,
        receipt(1),
        Uint8Array.from(sealed, (byte, i) => (i === 5 ? byte ^ 1 : byte)),
      ),
    bad,
  )
  const other = sealEvidence(CONTENT_KEY, receipt(2), positions)
  assert.notDeepEqual(other.subarray(0, 8), sealed.subarray(0, 8), 'no key encrypts two texts')
})
