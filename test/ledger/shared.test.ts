import assert from 'node:assert/strict'
import test from 'node:test'
import type { TestContext } from 'node:test'
import fc from 'fast-check'
import { LedgerError } from '../../ledger/errors.js'
import { CHAIN_START, issueReceipt } from '../../ledger/receipt.js'
import { assertShared, decodePart, decodeWant, encodePart, encodeWant } from '../../ledger/store/shared.js'
import { SharedChannel } from '../../ledger/store/shared-channel.js'
import type { Mux } from '../../ledger/store/shared-channel.js'
import { LedgerStore } from '../../ledger/store/store.js'
import { entries, fill } from './entries.js'
import { folderOf } from './folder.js'
import { agreed, CONSUMER, draft, filled, PROVIDER, STRANGER } from './sample.js'

/** A provider's log: seventy transactions with the consumer, five with a stranger. */
async function provider(t: TestContext): Promise<LedgerStore> {
  const store = await LedgerStore.open(folderOf(t), filled(32, 42))
  t.after(() => store.close())
  await fill(store, entries('provider'), 70)
  for (let n = 0; n < 5; n++) {
    const statement = draft(200 + n, { consumer: STRANGER.publicKey })
    const { transaction } = issueReceipt(statement, CHAIN_START, PROVIDER.secretKey)
    await store.append({ role: 'provider', times: statement.times, transaction, ciphertext: null })
  }
  return store
}

/** Two ends of a connection: the muxes under the replication streams of two stores that share no core. */
function muxes(t: TestContext, a: LedgerStore, b: LedgerStore): readonly [Mux, Mux] {
  const ends = [a.replicate(true), b.replicate(false)] as const
  for (const end of ends) end.on('error', () => undefined)
  ends[0].pipe(ends[1]).pipe(ends[0])
  t.after(() => ends.forEach((end) => end.destroy()))
  const mux = (end: object): Mux => (end as { noiseStream: { userData: Mux } }).noiseStream.userData
  return [mux(ends[0]), mux(ends[1])]
}

const NOTHING = { query: () => Promise.resolve([]), ciphertext: () => Promise.resolve(null) }

test('a party gets back all it is named in, with contents, and nothing of others', async (t) => {
  const theirs = await provider(t)
  await theirs.forget([3])
  const ours = await LedgerStore.open(folderOf(t), filled(32, 43))
  t.after(() => ours.close())
  const [a, b] = muxes(t, theirs, ours)
  const served = new SharedChannel(a, { source: theirs, own: PROVIDER.publicKey, peer: CONSUMER.publicKey })
  const asking = new SharedChannel(b, { source: NOTHING, own: CONSUMER.publicKey, peer: PROVIDER.publicKey })
  let before: number | null = null
  let bodies = 0
  do {
    const part = await asking.ask(before)
    for (const entry of part.entries) {
      if (entry.ciphertext) bodies++
      assert.ok(await ours.adopt(entry))
    }
    before = part.next
  } while (before !== null)
  assert.deepEqual([ours.length, bodies], [70, 69])
  assert.equal((await ours.query({ counterparty: PROVIDER.publicKey }, 100)).length, 70)
  assert.ok((await ours.get(0)).role === 'consumer')
  const [again] = (await asking.ask(null, 1)).entries
  assert.ok(again && !(await ours.adopt(again)), 'what is here already is not taken twice')
  assert.deepEqual((await asking.ask(0)).entries, [])
  served.close()
  await assert.rejects(asking.ask(null), { code: 'STORE_CLOSED' })
})

test('a provider that lost its log goes on in its chain of receipts where its consumers saw it last', async (t) => {
  const store = await LedgerStore.open(folderOf(t), filled(32, 44))
  t.after(() => store.close())
  const source = entries('consumer')
  for (let n = 0; n < 3; n++) {
    const { transaction, ciphertext } = source.next().value
    const entry = { role: 'consumer', transaction, ciphertext } as const
    assertShared(entry, PROVIDER.publicKey, CONSUMER.publicKey)
    await store.adopt(entry)
  }
  assert.equal((await store.issue(draft(9), PROVIDER.secretKey)).statement.counter, 3)
})

test('what a peer has no business to tell is refused with its code', () => {
  const { transaction } = agreed()
  const good = { role: 'provider', transaction, ciphertext: null } as const
  assertShared(good, CONSUMER.publicKey, PROVIDER.publicKey)
  const cases = [
    [good, STRANGER.publicKey, PROVIDER.publicKey, 'BAD_ENCODING'],
    [good, CONSUMER.publicKey, STRANGER.publicKey, 'BAD_ENCODING'],
    [{ ...good, role: 'consumer' }, CONSUMER.publicKey, PROVIDER.publicKey, 'BAD_ENCODING'],
    [{ ...good, ciphertext: filled(9, 1) }, CONSUMER.publicKey, PROVIDER.publicKey, 'STORE_CORRUPT'],
    [
      { ...good, transaction: { ...transaction, providerSignature: filled(64, 1) } },
      CONSUMER.publicKey,
      PROVIDER.publicKey,
      'RECEIPT_BAD_SIGNATURE',
    ],
    [
      { ...good, transaction: { ...transaction, providerSignature: null } },
      CONSUMER.publicKey,
      PROVIDER.publicKey,
      'RECEIPT_BAD_SIGNATURE',
    ],
  ] as const
  for (const [entry, own, peer, code] of cases) assert.throws(() => assertShared(entry, own, peer), { code })
})

test('any bytes are a want or a part in their one encoding, or a coded error', () => {
  const { transaction } = agreed()
  const part = encodePart({ next: 7, entries: [{ role: 'provider', transaction, ciphertext: filled(3, 1) }] })
  const want = encodeWant({ before: null, most: 32 })
  const edited = fc.tuple(fc.constantFrom(part, want), fc.nat(2000), fc.nat(255)).map(([seed, at, byte]) => {
    const out = Uint8Array.from(seed)
    out[at % out.length] = byte
    return out
  })
  let read = 0
  const check = (encoded: Uint8Array, again: () => Uint8Array): void => {
    try {
      assert.deepEqual(Buffer.from(again()), Buffer.from(encoded))
      read++
    } catch (error) {
      assert.ok(error instanceof LedgerError, String(error))
    }
  }
  fc.assert(
    fc.property(fc.oneof(edited, fc.uint8Array({ maxLength: 60 })), (encoded) => {
      check(encoded, () => encodePart(decodePart(encoded)))
      check(encoded, () => encodeWant(decodeWant(encoded)))
    }),
    { numRuns: 1000 },
  )
  assert.ok(read > 0)
  assert.throws(() => encodeWant({ before: null, most: 33 }), { code: 'BAD_ENCODING' })
})
