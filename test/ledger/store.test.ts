import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { verifyCheckpoint } from '../../ledger/checkpoint.js'
import { newContentKey, sealContent, sealContentKey } from '../../ledger/content.js'
import { CHAIN_START, claim, isConsumerSigned, isProviderSigned } from '../../ledger/receipt.js'
import { Cores } from '../../ledger/store/cores.js'
import { Forgotten } from '../../ledger/store/forgotten.js'
import { TransactionLog } from '../../ledger/store/log.js'
import { idKey } from '../../ledger/store/index-keys.js'
import { LedgerStore } from '../../ledger/store/store.js'
import type { NewEntry } from '../../ledger/store/log.js'
import type { Draft } from './sample.js'
import { agreed, CONSUMER, CONSUMER_BOX, draft, filled, PROVIDER, PROVIDER_BOX, STRANGER } from './sample.js'
import { entries, fill } from './entries.js'
import { filesContain, folderOf } from './folder.js'

const PRIMARY = filled(32, 42)

test('a transaction and its content come back after opening again, for the box key alone', async (t) => {
  const folder = folderOf(t)
  const store = await LedgerStore.open(folder, PRIMARY)
  await fill(store, entries('consumer'), 3)
  await store.close()
  await store.close()
  const again = await LedgerStore.open(folder, PRIMARY)
  assert.equal(again.length, 3)
  const entry = await again.get(1)
  assert.ok(isProviderSigned(entry.transaction) && isConsumerSigned(entry.transaction))
  assert.equal(String(Buffer.from((await again.content(entry, CONSUMER_BOX))?.response ?? [])), 'answer 1')
  await assert.rejects(again.content(entry, PROVIDER_BOX), { code: 'BAD_SEAL' })
  await assert.rejects(again.get(3), { code: 'STORE_CORRUPT' })
  assert.equal(again.totals.transactions, 3)
  assert.equal(again.totals.cost, entry.transaction.statement.cost * 3n)
  await again.close()
  await assert.rejects(again.append(entries('consumer').next().value), { code: 'STORE_CLOSED' })
})

test('an append is acknowledged only after the sync, appends that come together share one, and a failed one stops all', async (t) => {
  const cores = await Cores.open(folderOf(t), PRIMARY)
  const syncs: { done(): void; fail(error: Error): void }[] = []
  const disk = { sync: () => new Promise<void>((done, fail) => syncs.push({ done, fail })) }
  const seen: string[] = []
  const observer = {
    durable: (group: readonly unknown[]): unknown => seen.push(`durable ${group.length}`),
    acknowledged: (group: readonly unknown[]): Promise<void> =>
      Promise.resolve(void seen.push(`after ${group.length}`)),
  }
  const log = new TransactionLog(cores.record, await Forgotten.open(cores.record.forgotten), disk, observer)
  const source = entries('consumer')
  const appends = [1, 2, 3].map(() =>
    log.append(source.next().value).then(({ position }) => seen.push(`at ${position}`)),
  )
  while (syncs.length === 0) await new Promise(setImmediate)
  assert.deepEqual(seen, [])
  syncs[0]?.done()
  await Promise.all(appends)
  assert.equal(syncs.length, 1)
  assert.deepEqual([seen[0], new Set(seen)], ['durable 3', new Set(['durable 3', 'at 0', 'at 1', 'at 2', 'after 3'])])
  const failing = [log.append(source.next().value), log.append(source.next().value)]
  while (syncs.length === 1) await new Promise(setImmediate)
  syncs[1]?.fail(new Error('input/output error'))
  for (const append of failing) await assert.rejects(append, { code: 'STORE_WRITE_FAILED' })
  await assert.rejects(log.append(source.next().value), { code: 'STORE_WRITE_FAILED' })
  await log.close()
  await cores.close()
})

test('a body larger than one block comes back whole', async (t) => {
  const store = await LedgerStore.open(folderOf(t), PRIMARY)
  const key = newContentKey()
  const large = { request: filled(700_000, 65), response: filled(1, 66) }
  const { ciphertext, request, response, body } = sealContent(key, draft().id, large)
  const { transaction } = agreed(0, CHAIN_START, {
    request,
    response: { ...response, tokenRoot: filled(32, 1) },
    body,
    sealedForConsumer: sealContentKey(key, CONSUMER_BOX.publicKey),
  })
  const position = await store.append({ role: 'consumer', times: transaction.statement.times, transaction, ciphertext })
  const read = await store.content(await store.get(position), CONSUMER_BOX)
  assert.ok(Buffer.from(read?.request ?? []).equals(large.request))
  await store.close()
})

const MODELS = [filled(32, 50), filled(32, 51), filled(32, 52)]

/** Varied enough that every filter cuts, with a clock that jumps. */
function varied(n: number): Partial<Draft> {
  const asked = 1_790_000_000_000 + n * 600_000 - (n % 7 === 0 ? 5_000_000 : 0)
  return {
    modelRoot: MODELS[n % 3] ?? filled(32, 0),
    channel: n % 4 === 0 ? filled(32, 0) : filled(32, 60 + (n % 2)),
    kind: n % 5 === 0 ? 'embedding' : 'chat',
    times: { asked, firstToken: null, done: asked + 1 },
  }
}

test('queries give the newest first, the same as looking at every transaction', async (t) => {
  const store = await LedgerStore.open(folderOf(t), PRIMARY)
  await fill(store, entries('consumer', varied), 200)
  const all = await Promise.all(Array.from({ length: 200 }, (_, i) => store.get(i)))
  const times = all.map((entry) => entry.times.done)
  const [from, to] = [times[60] ?? 0, times[150] ?? 0]
  const model = MODELS[1] ?? filled(32, 0)
  const channel = filled(32, 61)
  const filters = [
    {},
    { model },
    { channel },
    { kind: 'embedding' as const },
    { counterparty: PROVIDER.publicKey },
    { counterparty: STRANGER.publicKey },
    { model, channel },
    { model, kind: 'chat' as const, channel, counterparty: PROVIDER.publicKey },
    { from },
    { to },
    { from, to },
    { model, from, to },
    { channel, kind: 'chat' as const, from, to, before: 130 },
    { before: 70, model },
    { before: 0 },
    { before: 64 },
    { before: 195 },
  ]
  for (const filter of filters) {
    const f: {
      model?: Uint8Array
      channel?: Uint8Array
      counterparty?: Uint8Array
      kind?: string
      from?: number
      to?: number
      before?: number
    } = filter
    const expected = all
      .map((entry, position) => ({ entry, position, statement: entry.transaction.statement }))
      .filter(({ entry, position, statement }) => {
        const same = (a: Uint8Array | undefined, b: Uint8Array): boolean => !a || Buffer.from(a).equals(b)
        const inTime = entry.times.done >= (f.from ?? 0) && entry.times.done <= (f.to ?? Infinity)
        return (
          same(f.model, statement.modelRoot) &&
          same(f.channel, statement.channel) &&
          same(f.counterparty, statement.provider) &&
          (!f.kind || f.kind === statement.kind) &&
          inTime &&
          position < (f.before ?? Infinity)
        )
      })
      .map(({ position }) => position)
      .reverse()
    for (const limit of [1, 50, 1000]) {
      const found = await store.query(filter, limit)
      assert.deepEqual(
        found.map(({ position }) => position),
        expected.slice(0, limit),
        JSON.stringify(Object.keys(filter)),
      )
    }
  }
  assert.deepEqual(await store.find(draft(7).id), [7])
  assert.deepEqual(await store.find(draft(199).id), [199])
  assert.deepEqual(await store.find(filled(16, 1)), [])
  await store.close()
})

/** The index as it lies on the disk: its tree hash covers every byte. */
async function indexOf<T>(folder: string, look: (bee: Awaited<ReturnType<Cores['bee']>>) => Promise<T>): Promise<T> {
  const cores = await Cores.open(folder, PRIMARY)
  const bee = await cores.bee('index', false)
  await bee.ready()
  const seen = await look(bee)
  await bee.close()
  await cores.close()
  return seen
}

const bytesOf = (folder: string): Promise<Uint8Array> => indexOf(folder, (bee) => bee.core.treeHash())

test('an index that says another thing than the log, more or less, is found by verification', async (t) => {
  const folder = folderOf(t)
  const store = await LedgerStore.open(folder, PRIMARY)
  await fill(store, entries('provider', varied), 130)
  await store.close()
  const key = idKey(draft(3).id, 3)
  const changes: readonly ((bee: Parameters<Parameters<typeof indexOf>[1]>[0]) => Promise<void>)[] = [
    (bee) => bee.del(key),
    (bee) => bee.put(key, filled(1, 1)),
    (bee) => bee.put(idKey(draft(3).id, 4), filled(0, 0)),
  ]
  for (const change of changes) {
    await indexOf(folder, change)
    const changed = await LedgerStore.open(folder, PRIMARY)
    const { faults } = await changed.verify(PROVIDER.publicKey)
    assert.deepEqual(
      faults.map(({ what }) => what),
      ['index'],
    )
    await changed.rebuildIndex()
    assert.deepEqual((await changed.verify(PROVIDER.publicKey)).faults, [])
    await changed.close()
  }
})

test('what a crash left without an index is found all the same, and indexed with the next append', async (t) => {
  const folder = folderOf(t)
  const filling = await LedgerStore.open(folder, PRIMARY)
  await fill(filling, entries('provider', varied), 400)
  await filling.close()
  const whole = await bytesOf(folder)
  await indexOf(folder, (bee) => bee.core.truncate(0))
  const store = await LedgerStore.open(folder, PRIMARY)
  assert.deepEqual(await store.find(draft(7).id), [7])
  assert.equal((await store.query({}, 1000)).length, 400)
  assert.equal(store.totals.transactions, 400)
  assert.deepEqual((await store.verify(PROVIDER.publicKey)).faults, [])
  await fill(store, entries('provider', varied), 1)
  assert.deepEqual(await store.find(draft(7).id), [7])
  await store.close()
  assert.deepEqual(await bytesOf(folder), whole)
})

test('the index does not depend on how appends were grouped, and a rebuilt one has the same bytes', async (t) => {
  const [folder, other] = [folderOf(t), folderOf(t)]
  const kept: NewEntry[] = []
  const drawn = entries('provider', varied)
  for (let n = 0; n < 143; n++) kept.push(drawn.next().value)
  const source = (function* (): Generator<NewEntry, never> {
    yield* kept
    throw new Error('no more')
  })()
  const store = await LedgerStore.open(folder, PRIMARY)
  for (const count of [1, 70, 1, 1, 63, 2, 5]) await fill(store, source, count)
  assert.deepEqual((await store.verify(PROVIDER.publicKey)).faults, [])
  const before = await store.query({ model: MODELS[2] ?? filled(32, 0) }, 1000)
  await store.rebuildIndex()
  assert.deepEqual(await store.query({ model: MODELS[2] ?? filled(32, 0) }, 1000), before)
  assert.deepEqual((await store.verify(PROVIDER.publicKey)).faults, [])
  await store.close()
  const another = await LedgerStore.open(other, PRIMARY)
  await Promise.all(kept.map((entry) => another.append(entry)))
  assert.equal(another.totals.transactions, 143)
  await another.close()
  assert.deepEqual(await bytesOf(folder), await bytesOf(other))
})

test('a checkpoint signs length, tree hash and sums, and verification holds the log against it', async (t) => {
  const folder = folderOf(t)
  const store = await LedgerStore.open(folder, PRIMARY)
  const source = entries('provider')
  assert.equal(await store.latestCheckpoint(), null)
  await store.checkpoint(PROVIDER.secretKey)
  await fill(store, source, 5)
  const signed = await store.checkpoint(PROVIDER.secretKey)
  await fill(store, source, 5)
  assert.ok(verifyCheckpoint(signed, PROVIDER.publicKey))
  assert.deepEqual([signed.checkpoint.length, signed.checkpoint.transactions], [10, 5])
  const report = await store.verify(PROVIDER.publicKey)
  assert.deepEqual([report.transactions, report.checkpoints, report.bodies.kept, report.faultCount], [10, 2, 10, 0])
  const wrong = await store.verify(STRANGER.publicKey)
  assert.equal(wrong.faultCount, 2)
  await store.close()
  const again = await LedgerStore.open(folder, PRIMARY)
  assert.deepEqual((await again.latestCheckpoint())?.checkpoint.transactions, 5)
  await again.close()
})

test('verification names what is wrong in a log: a signature, two receipts for one counter', async (t) => {
  const store = await LedgerStore.open(folderOf(t), PRIMARY)
  const good = agreed(0)
  const twin = agreed(1)
  const { statement } = good.transaction
  const append = (transaction: NewEntry['transaction']): Promise<number> =>
    store.append({ role: 'consumer', times: statement.times, transaction, ciphertext: null })
  await append(good.transaction)
  await append({ ...good.transaction, consumerSignature: filled(64, 1) })
  await append(twin.transaction)
  await append({ ...good.transaction, providerSignature: null, consumerSignature: null })
  await append(claim(draft(9), CONSUMER.secretKey))
  const { faults } = await store.verify(PROVIDER.publicKey)
  const found = faults.map(({ position, what }) => `${position} ${what}`)
  assert.ok(found.includes('1 signature'))
  assert.ok(found.includes(`${store.length - 3} chain`))
  assert.ok(found.includes(`${store.length - 2} signature`))
  assert.ok(!found.some((one) => one.startsWith('0 ') || one.startsWith(`${store.length - 1} `)))
  await store.close()
})

test('forgetting destroys keys and body of a transaction; signatures, sums and the tree still verify', async (t) => {
  const folder = folderOf(t)
  const store = await LedgerStore.open(folder, PRIMARY)
  await fill(store, entries('consumer', varied), 70)
  await store.checkpoint(CONSUMER.secretKey)
  const whole = await store.get(3)
  const kept = await store.get(4)
  await store.forget([3, 66, 3, 999])
  await store.forget([3])
  for (const position of [3, 66]) {
    const entry = await store.get(position)
    assert.equal(entry.transaction.statement.sealedForConsumer.kind, 'destroyed')
    assert.equal(await store.content(entry, CONSUMER_BOX), null)
    assert.ok(isProviderSigned(entry.transaction) && isConsumerSigned(entry.transaction))
  }
  assert.ok(await store.content(kept, CONSUMER_BOX))
  const report = await store.verify(CONSUMER.publicKey)
  assert.deepEqual(report.faults, [])
  assert.deepEqual([report.forgotten, report.bodies.kept, report.bodies.gone], [2, 68, 2])
  await store.close()
  const again = await LedgerStore.open(folder, PRIMARY)
  assert.equal((await again.get(3)).transaction.statement.sealedForProvider.kind, 'destroyed')
  assert.equal(again.totals.transactions, 70)
  await again.close()
  const { sealedForConsumer } = whole.transaction.statement
  assert.ok(sealedForConsumer.kind === 'sealed')
  assert.ok(!filesContain(folder, Buffer.from(sealedForConsumer.sealed)), 'the sealed key is on no disk block of ours')
})

test('bodies are pruned by size or by age, and the log still verifies', async (t) => {
  const store = await LedgerStore.open(folderOf(t), PRIMARY)
  await fill(
    store,
    entries('consumer', (n) => ({ times: { asked: n * 1000, firstToken: null, done: n * 1000 } })),
    40,
  )
  const kept = async (): Promise<number> => (await store.verify(CONSUMER.publicKey)).bodies.kept
  await store.prune({ keepBytes: 1e9 })
  assert.equal(await kept(), 40)
  await store.prune({ before: 10_000 })
  assert.equal(await kept(), 30)
  const { body } = (await store.get(39)).transaction.statement
  await store.prune({ keepBytes: body.bytes * 5 })
  assert.equal(await kept(), 5)
  await store.forget([38])
  await store.prune({ keepBytes: 0 })
  const report = await store.verify(CONSUMER.publicKey)
  assert.deepEqual([report.bodies.kept, report.faultCount], [0, 0])
  assert.equal(await store.content(await store.get(39), CONSUMER_BOX), null)
  await store.close()
})

test('a receipt whose consumer vanished is in the log after the next start, half-signed and once', async (t) => {
  const folder = folderOf(t)
  const store = await LedgerStore.open(folder, PRIMARY)
  const receipts = await Promise.all([0, 1, 2].map((n) => store.issue(draft(n), PROVIDER.secretKey)))
  const [first] = receipts
  assert.ok(first)
  await store.append({ role: 'provider', times: first.statement.times, transaction: first, ciphertext: null })
  await store.close()
  for (const _ of [1, 2]) {
    const again = await LedgerStore.open(folder, PRIMARY)
    const logged = await Promise.all([0, 1, 2].map((i) => again.get(i)))
    assert.equal(again.length, 3)
    assert.deepEqual(
      logged.map(({ transaction }) => transaction.statement.counter),
      [0, 1, 2],
    )
    assert.ok(logged.every(({ transaction }) => transaction.consumerSignature === null))
    await again.close()
  }
  rmSync(join(folder, 'receipts'))
  const restored = await LedgerStore.open(folder, PRIMARY)
  assert.equal((await restored.issue(draft(3), PROVIDER.secretKey)).statement.counter, 3)
  await restored.close()
})

test('a second process is refused while the first one holds the store', async (t) => {
  const folder = folderOf(t)
  const store = await LedgerStore.open(folder, PRIMARY)
  await assert.rejects(LedgerStore.open(folder, PRIMARY), { code: 'STORE_WRITE_FAILED' })
  await store.close()
})

test('killed at any instant, the store opens by itself with everything that was acknowledged, in plain text nowhere', async (t) => {
  const folder = folderOf(t)
  const writer = fileURLToPath(new URL('writer.js', import.meta.url))
  let acknowledged = 0
  for (let round = 0; round < 6; round++) {
    const child = spawn(process.execPath, [writer, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      // Somewhere within a group, at another place each time.
      if (output.split('\n').length > 20 + round * 37) child.kill('SIGKILL')
    })
    await once(child, 'close')
    const lines = output.split('\n').slice(0, -1)
    acknowledged += lines.length
    const store = await LedgerStore.open(folder, PRIMARY)
    const report = await store.verify(PROVIDER.publicKey)
    assert.deepEqual(report.faults, [])
    assert.ok(report.transactions >= acknowledged, `${report.transactions} of ${acknowledged}`)
    for (const line of lines) {
      const [position = '', id = ''] = line.split(' ')
      const { transaction } = await store.get(Number(position))
      assert.equal(Buffer.from(transaction.statement.id).toString('hex'), id)
    }
    acknowledged = report.transactions
    await store.close()
  }
  assert.ok(!filesContain(folder, Buffer.from('of nobody else')))
})
