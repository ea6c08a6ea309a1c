import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import test from 'node:test'
import { Cores } from '../../ledger/store/cores.js'
import { Replica } from '../../ledger/store/replica.js'
import { LedgerStore } from '../../ledger/store/store.js'
import { entries, fill } from './entries.js'
import { CONSUMER, draft, filled, PROVIDER, PROVIDER_BOX } from './sample.js'
import { connect, filesContain, folderOf } from './folder.js'

const SEED_KEY = filled(32, 42)
const KEEPER_KEY = filled(32, 43)
const signal = AbortSignal.timeout(60_000)
const OPTIONS = { atLeast: 0, patienceMs: 4000, signal }

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) {
    signal.throwIfAborted()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

test('from the seed and a peer that kept a copy, the whole record comes back, also what was forgotten and pruned', async (t) => {
  const [ours, theirs] = [folderOf(t), folderOf(t)]
  const store = await LedgerStore.open(ours, SEED_KEY)
  const source = entries('provider')
  await fill(store, source, 100)
  await store.prune({ before: draft(10).times.done })
  await store.forget([20, 50])
  const { checkpoint } = await store.checkpoint(CONSUMER.secretKey)
  const keeper = await Replica.open(theirs, KEEPER_KEY, store.keys)
  const cut = connect(store, keeper)
  // Ten bodies are pruned and two forgotten (their filling blocks stay).
  await until(async () => {
    const { transactions, bodyBlocks } = await keeper.held()
    return transactions === 100 && bodyBlocks === 2 * 90 - 2
  })
  cut()
  await store.close()
  rmSync(ours, { recursive: true })

  const again = await LedgerStore.open(ours, SEED_KEY)
  assert.equal(again.length, 0)
  const cutAgain = connect(again, keeper)
  const restored = await again.restore({ ...OPTIONS, atLeast: checkpoint.length })
  cutAgain()
  assert.equal(restored.transactions, 100)
  const report = await again.verify(CONSUMER.publicKey)
  assert.deepEqual(report.faults, [])
  assert.deepEqual([report.forgotten, report.bodies.kept, report.bodies.gone, report.checkpoints], [2, 88, 12, 1])
  const content = await again.content(await again.get(98), PROVIDER_BOX)
  assert.equal(String(Buffer.from(content?.response ?? [])), 'answer 98')
  assert.equal((await again.query({ before: 30 }, 3)).length, 3)
  assert.equal((await again.issue(draft(200), PROVIDER.secretKey)).statement.counter, 100)
  await fill(again, source, 3)
  assert.deepEqual((await again.verify(CONSUMER.publicKey)).faults, [])
  await again.close()
  await keeper.close()
})

test('an older copy than what was signed is refused, and nothing can be appended to a half-restored log', async (t) => {
  const [ours, theirs] = [folderOf(t), folderOf(t)]
  const store = await LedgerStore.open(ours, SEED_KEY)
  const source = entries('consumer')
  await fill(store, source, 5)
  const keeper = await Replica.open(theirs, KEEPER_KEY, store.keys)
  const cut = connect(store, keeper)
  await until(async () => (await keeper.held()).transactions === 5)
  cut()
  await fill(store, source, 4)
  const { checkpoint } = await store.checkpoint(CONSUMER.secretKey)
  await store.close()
  rmSync(ours, { recursive: true })

  const again = await LedgerStore.open(ours, SEED_KEY)
  const cutAgain = connect(again, keeper)
  const forked = { code: 'STORE_FORKED' }
  await assert.rejects(again.restore({ ...OPTIONS, atLeast: checkpoint.length }), forked)
  await assert.rejects(fill(again, source, 1), forked)
  cutAgain()
  await again.close()
  await keeper.close()
})

test('a log that has something in it is not restored over, and a restore can be given up', async (t) => {
  const store = await LedgerStore.open(folderOf(t), SEED_KEY)
  const abort = new AbortController()
  const reason = new Error('the user has had enough')
  const waiting = store.restore({ ...OPTIONS, signal: abort.signal })
  abort.abort(reason)
  await assert.rejects(waiting, reason)
  await store.close()
  const full = await LedgerStore.open(folderOf(t), SEED_KEY)
  await fill(full, entries('consumer'), 1)
  await assert.rejects(full.restore(OPTIONS), { code: 'STORE_FORKED' })
  await full.close()
})

test('a restore that was cut short keeps the store shut, and goes on where it was, from the same copy', async (t) => {
  const [ours, theirs] = [folderOf(t), folderOf(t)]
  const store = await LedgerStore.open(ours, SEED_KEY)
  await fill(store, entries('provider'), 40)
  const keeper = await Replica.open(theirs, KEEPER_KEY, store.keys)
  const cut = connect(store, keeper)
  await until(async () => (await keeper.held()).transactions === 40)
  cut()
  await store.close()
  rmSync(ours, { recursive: true })

  const again = await LedgerStore.open(ours, SEED_KEY)
  const cutAgain = connect(again, keeper)
  const abort = new AbortController()
  const reason = new Error('the power went')
  const onProgress = (): void => abort.abort(reason)
  await assert.rejects(again.restore({ ...OPTIONS, signal: abort.signal, onProgress }), reason)
  cutAgain()
  await again.close()
  const half = await LedgerStore.open(ours, SEED_KEY)
  const incomplete = { code: 'STORE_INCOMPLETE', message: /history restore --from/ }
  await assert.rejects(half.query({}, 1), incomplete)
  await assert.rejects(fill(half, entries('provider'), 1), incomplete)
  const cutLast = connect(half, keeper)
  assert.equal((await half.restore(OPTIONS)).transactions, 40)
  cutLast()
  await half.close()
  const whole = await LedgerStore.open(ours, SEED_KEY)
  assert.deepEqual((await whole.verify(CONSUMER.publicKey)).faults, [])
  assert.equal((await whole.query({}, 100)).length, 40)
  await whole.close()
  await keeper.close()
})

test('a keeper holds ciphertext only, and cannot write', async (t) => {
  const [ours, theirs] = [folderOf(t), folderOf(t)]
  const store = await LedgerStore.open(ours, SEED_KEY)
  await fill(store, entries('consumer'), 3)
  const keeper = await Replica.open(theirs, KEEPER_KEY, store.keys)
  const cut = connect(store, keeper)
  await until(async () => (await keeper.held()).transactions === 3)
  cut()
  await store.close()
  await keeper.close()
  assert.ok(!filesContain(theirs, Buffer.from('of nobody else')))
  const cores = await Cores.open(theirs, KEEPER_KEY, store.keys)
  assert.ok(Object.values(cores.record).every(({ writable }) => !writable))
  await cores.close()
})
