/** Real daemons on disks that are full, read-only, torn or damaged: a clear error, no service, and nothing lost. */
import assert from 'node:assert/strict'
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { connectControl } from '../../daemon/control/client.js'
import { ledgerFolder } from './evidence.js'
import { Load } from './load.js'
import { booksOf, openPair } from './pair.js'
import type { Daemons } from './pair.js'
import { brokenBooks, brokenVouchers } from './promises.js'
import type { Bounds } from './promises.js'
import { Random } from './random.js'
import type { Side } from './side.js'
import { smallDisk } from './small-disk.js'
import type { SmallDisk } from './small-disk.js'

const MONEY = { price: 10_000_000n, credit: 1_000_000_000n }
/** Microlamports: far more than these few requests cost, so that only forgotten money counts. */
const BOUNDS: Bounds = { deposit: MONEY.credit, crashes: 2, window: 10n ** 12n, underWay: 10n ** 12n }

interface Shop extends Daemons {
  readonly load: Load
  open(): Promise<void>
  /** Asks until one is answered. */
  answered(): Promise<void>
  /** Asks until one is refused with a code. */
  refused(): Promise<void>
}

/** No machine is so busy; without this a broken promise would be a test without an end. */
const STUCK_MS = 300_000

async function until(load: Load, done: () => Promise<boolean>): Promise<void> {
  const limit = performance.now() + STUCK_MS
  while (!(await done())) assert.ok(performance.now() < limit, `stuck: ${load.words()}`)
}

/** `small`: whose data folder lies on the disk. */
async function shop(
  t: TestContext,
  small: 'consumer' | 'provider' | null = null,
  disk: SmallDisk | null = null,
): Promise<Shop> {
  const folder = mkdtempSync(join(tmpdir(), 'swarmd-crash-'))
  if (small && disk) symlinkSync(disk.path, join(folder, small))
  const daemons = await openPair(folder, MONEY, new Random(1))
  t.after(async () => {
    await daemons.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const load = new Load({
    model: 'mock-words:f32',
    random: new Random(2),
    base: () => daemons.base,
    marker: 'a question',
    workers: 1,
  })
  return Object.assign(daemons, {
    load,
    async open() {
      daemons.provider.start()
      daemons.consumer.start()
      await daemons.provider.event('ready')
      daemons.base = `${String((await daemons.consumer.event('listening'))['apiUrl'])}/v1`
    },
    answered: () => until(load, () => load.once(20)),
    refused: () => until(load, async () => !(await load.once(20)) && load.counts.refused.size > 0),
  })
}

/** What the node says of itself, e.g. that its ledger cannot be written. */
async function warnings({ dataDir }: Side): Promise<string> {
  const control = await connectControl({ dataDir, runtimeDir: join(dataDir, '..', 'home') })
  try {
    return (await control.snapshot()).warnings.join('\n')
  } finally {
    control.close()
  }
}

for (const full of ['consumer', 'provider'] as const) {
  test(`when the ${full}'s disk is full, nothing is bought or sold; with space again nothing is lost`, async (t) => {
    const disk = smallDisk(t, 24)
    if (!disk) return
    const here = await shop(t, full, disk)
    await here.open()
    for (let i = 0; i < 3; i++) await here.answered()
    await Promise.all([here.consumer.stop(), here.provider.stop()])
    const before = await booksOf(here)
    await here.open()
    await here.answered()

    disk.fill()
    await here.refused()
    assert.equal(here.load.counts.broken, 0, 'a full disk kills no daemon')
    assert.match(await warnings(here[full]), /ledger cannot be written/)
    disk.empty()
    await Promise.all([here.consumer.kill(), here.provider.kill()])
    const now = await booksOf(here)
    const vouchers = (books: typeof now): Parameters<typeof brokenVouchers>[0] => ({
      consumer: books.consumer.vouchers,
      provider: books.provider.vouchers,
    })
    assert.deepEqual(brokenVouchers(vouchers(before), vouchers(now), BOUNDS), [])
    assert.deepEqual(brokenBooks(before, now, BOUNDS), [])
    assert.ok(
      now[full].kept.length > before[full].kept.length,
      'what was answered before the disk was full is recorded',
    )
    await here.open()
    await here.answered()
  })
}

test('on a read-only disk a daemon says so and ends; afterwards it goes on where it was', async (t) => {
  const disk = smallDisk(t, 24)
  if (!disk) return
  const here = await shop(t, 'provider', disk)
  await here.open()
  await here.answered()
  await Promise.all([here.consumer.stop(), here.provider.kill()])
  disk.readOnly(true)
  const refused = here.provider.another()
  await assert.rejects(refused.event('listening'), /data folder .* cannot be (used|written) \(EROFS\)/)
  await refused.gone
  disk.readOnly(false)
  const before = await booksOf(here)
  await here.open()
  await here.answered()
  await Promise.all([here.consumer.stop(), here.provider.stop()])
  assert.deepEqual(brokenBooks(before, await booksOf(here), BOUNDS), [])
})

test('the torn end of any file of a ledger is put aside, and the daemon goes on', async (t) => {
  const here = await shop(t)
  await here.open()
  for (let i = 0; i < 3; i++) await here.answered()
  await Promise.all([here.consumer.stop(), here.provider.stop()])
  const before = await booksOf(here)
  for (const { dataDir } of [here.consumer, here.provider]) {
    const ledger = ledgerFolder(dataDir)
    for (const journal of ['vouchers', 'receipts', 'budget']) appendFileSync(join(ledger, journal), 'half a frame')
    const logs = readdirSync(ledger, { recursive: true, encoding: 'utf8' }).filter((name) => /\d+\.log$/.test(name))
    assert.ok(logs.length > 0, "RocksDB's write-ahead log")
    for (const log of logs) appendFileSync(join(ledger, log), Buffer.alloc(100, 0x5a))
  }
  await here.open()
  await here.answered()
  await Promise.all([here.consumer.stop(), here.provider.stop()])
  assert.deepEqual(brokenBooks(before, await booksOf(here), BOUNDS), [])
  assert.equal(readFileSync(join(ledgerFolder(here.consumer.dataDir), 'vouchers.torn'), 'latin1'), 'half a frame')
})

for (const damaged of ['consumer', 'provider'] as const) {
  test(`a ${damaged} whose vouchers are damaged in the middle sells and buys nothing, and changes nothing`, async (t) => {
    const here = await shop(t)
    await here.open()
    for (let i = 0; i < 3; i++) await here.answered()
    await Promise.all([here.consumer.stop(), here.provider.stop()])
    const path = join(ledgerFolder(here[damaged].dataDir), 'vouchers')
    const bytes = readFileSync(path)
    const broken = bytes.map((byte, i) => (i === 40 ? byte ^ 1 : byte))
    writeFileSync(path, broken)
    await here.open()
    await here.refused()
    assert.equal(await here.load.once(20), false)
    assert.match(await warnings(here[damaged]), /ledger cannot be/)
    await Promise.all([here.consumer.stop(), here.provider.stop()])
    assert.deepEqual(readFileSync(path), Buffer.from(broken))
    assert.equal(existsSync(`${path}.torn`), false)
    writeFileSync(path, bytes)
    await here.open()
    await here.answered()
  })
}
