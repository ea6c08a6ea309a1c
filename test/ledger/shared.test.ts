import assert from 'node:assert/strict'
import test from 'node:test'
import type { TestContext } from 'node:test'
import fc from 'fast-check'
import { signingKeyPair } from '../../ledger/crypto.js'
import type { KeyPair } from '../../ledger/crypto.js'
import { LedgerError } from '../../ledger/errors.js'
import { CHAIN_START, issueReceipt } from '../../ledger/receipt.js'
import { claimTo } from '../../ledger/store/claims.js'
import { Cores } from '../../ledger/store/cores.js'
import type { Entry } from '../../ledger/store/entry.js'
import { SearchIndex } from '../../ledger/store/search-index.js'
import {
  decodeClaim,
  decodeHeld,
  decodePart,
  decodeWant,
  encodeClaim,
  encodeHeld,
  encodePart,
  encodeWant,
  MAX_CLAIMED,
} from '../../ledger/store/shared.js'
import type { SharedEntry } from '../../ledger/store/shared.js'
import { SharedChannel } from '../../ledger/store/shared-channel.js'
import type { Mux, SharedChannelOptions } from '../../ledger/store/shared-channel.js'
import { LedgerStore } from '../../ledger/store/store.js'
import { Turns } from '../../ledger/store/turns.js'
import { entries, fill } from './entries.js'
import { folderOf } from './folder.js'
import { agreed, CONSUMER, draft, filled, PROVIDER, STRANGER } from './sample.js'

const HANDSHAKE = filled(64, 50)
/** This run's key of the consumer; `CONSUMER` is that of an earlier run. */
const NOW = signingKeyPair(filled(32, 51))

async function storeOf(t: TestContext, primary: number): Promise<LedgerStore> {
  const store = await LedgerStore.open(folderOf(t), filled(32, primary))
  t.after(() => store.close())
  return store
}

/** A provider's log: seventy transactions with the consumer, five with a stranger. */
async function provider(t: TestContext): Promise<LedgerStore> {
  const store = await storeOf(t, 42)
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

const NOTHING: SharedChannelOptions['source'] = {
  forward: () => Promise.resolve([]),
  find: () => Promise.resolve([]),
  get: () => Promise.reject(new Error('there is nothing')),
  ciphertext: () => Promise.resolve(null),
}
const RESTLESS = (): Turns => new Turns(Date.now, () => Promise.resolve())

interface Linked {
  readonly served: SharedChannel
  readonly asking: SharedChannel
  readonly ours: LedgerStore
}

/** The peer `asker` on a connection to a node that has `source` and the key of the provider. */
async function linked(
  t: TestContext,
  theirs: LedgerStore,
  asker: Uint8Array,
  source: SharedChannelOptions['source'] = theirs,
): Promise<Linked> {
  const ours = await storeOf(t, 43)
  const [a, b] = muxes(t, theirs, ours)
  const end = { handshake: HANDSHAKE, turns: RESTLESS() }
  const served = new SharedChannel(a, { ...end, source, own: PROVIDER.publicKey, peer: asker })
  const asking = new SharedChannel(b, { ...end, source: NOTHING, own: asker, peer: PROVIDER.publicKey })
  return { served, asking, ours }
}

async function all({ asking }: Linked, whose: Uint8Array | null): Promise<SharedEntry[]> {
  const told: SharedEntry[] = []
  for (let after: Uint8Array | null = null; ;) {
    const part = await asking.ask({ whose, after })
    told.push(...part.entries)
    if (!part.more) return told
    after = part.entries.at(-1)?.transaction.statement.id ?? null
  }
}

test('a party gets back all it is named in, oldest first, with contents, and nothing of others', async (t) => {
  const theirs = await provider(t)
  await theirs.forget([3])
  const link = await linked(t, theirs, CONSUMER.publicKey)
  const { ours, asking, served } = link
  const told = await all(link, null)
  assert.deepEqual(
    told.map(({ transaction }) => transaction.statement.counter),
    Array.from({ length: 70 }, (_, n) => n),
  )
  assert.equal(told.filter(({ ciphertext }) => ciphertext !== null).length, 69)
  assert.equal(await ours.adopt([...told, ...told.slice(5, 9)]), 70, 'what comes twice is taken once')
  assert.equal(await ours.adopt(told), 0, 'what is here already is not taken again')
  assert.equal(ours.length, 70)
  assert.equal((await ours.query({ counterparty: PROVIDER.publicKey }, 100)).length, 70)
  const first = await ours.get(0)
  assert.deepEqual([first.role, first.transaction.statement.counter], ['consumer', 0])
  assert.deepEqual((await asking.ask({ after: filled(16, 99) })).entries, [], 'behind nothing it knows is nothing')
  served.close()
  await assert.rejects(asking.ask(), { code: 'STORE_CLOSED' })
})

test('a key of an earlier run is proven, and then its part is told on this connection', async (t) => {
  const link = await linked(t, await provider(t), NOW.publicKey)
  const { asking } = link
  assert.deepEqual((await asking.ask()).entries, [], 'this run asked nothing yet')
  const never = signingKeyPair(filled(32, 52))
  assert.deepEqual(await asking.claim([never, CONSUMER]), [CONSUMER])
  assert.equal((await all(link, CONSUMER.publicKey)).length, 70)
  await assert.rejects(asking.ask({ whose: never.publicKey }), { code: 'STORE_CLOSED' })
})

test('a stranger that names a key which is not its own gets nothing and loses the channel', async (t) => {
  const theirs = await provider(t)
  const unproven = await linked(t, theirs, NOW.publicKey)
  await assert.rejects(unproven.asking.ask({ whose: CONSUMER.publicKey }), { code: 'STORE_CLOSED' })
  // The secret key of another under a public key that is not its own.
  const forged: KeyPair = { publicKey: CONSUMER.publicKey, secretKey: STRANGER.secretKey }
  for (const lie of [[forged], [STRANGER, forged]]) {
    const liar = await linked(t, theirs, NOW.publicKey)
    await assert.rejects(liar.asking.claim(lie), { code: 'STORE_CLOSED' })
    assert.ok(liar.asking.closed)
  }
})

test('a proof is good on its own connection alone: who was shown one cannot pass it on', () => {
  const ends = { asker: NOW.publicKey, answerer: PROVIDER.publicKey, handshake: HANDSHAKE }
  const claims = [
    ends,
    { ...ends, handshake: filled(64, 1) },
    { ...ends, asker: STRANGER.publicKey },
    { ...ends, answerer: STRANGER.publicKey },
  ].map((one) => Buffer.from(claimTo(CONSUMER, one).signature).toString('hex'))
  assert.equal(new Set(claims).size, claims.length)
})

test('a node never shows a peer what it signed with keys that it has not on this connection', async (t) => {
  // The log of a consumer, whose connection now bears another key than the one in the log.
  const log = await storeOf(t, 45)
  await fill(log, entries('consumer'), 5)
  const [a, b] = muxes(t, log, await storeOf(t, 46))
  const end = { handshake: HANDSHAKE, turns: RESTLESS() }
  const served = new SharedChannel(a, { ...end, source: log, own: NOW.publicKey, peer: PROVIDER.publicKey })
  const asking = new SharedChannel(b, { ...end, source: NOTHING, own: PROVIDER.publicKey, peer: NOW.publicKey })
  assert.deepEqual(await asking.ask(), { more: false, entries: [] })
  assert.deepEqual((await asking.ask({ after: draft(2).id })).entries, [])
  assert.deepEqual(await asking.claim([PROVIDER]), [], 'not even that there is something')
  served.close()
})

test('what other keys of this node signed is passed over, however much of it comes first', async (t) => {
  const log = await storeOf(t, 47)
  // One consumer of two keys of a provider: sixty with an earlier one, then three with that of the connection.
  const earlier = signingKeyPair(filled(32, 53))
  for (let n = 0; n < 63; n++) {
    const signer = n < 60 ? earlier : PROVIDER
    const statement = draft(n, { provider: signer.publicKey })
    const { transaction } = issueReceipt(statement, CHAIN_START, signer.secretKey)
    await log.append({ role: 'provider', times: statement.times, transaction, ciphertext: null })
  }
  const { asking } = await linked(t, log, NOW.publicKey)
  assert.deepEqual(await asking.claim([CONSUMER]), [CONSUMER])
  const first = await asking.ask({ whose: CONSUMER.publicKey, most: 2 })
  const asked = first.entries.map(({ transaction }) => transaction.statement.times.asked)
  assert.deepEqual([first.more, asked], [true, [draft(60).times.asked, draft(61).times.asked]])
  const last = await asking.ask({ whose: CONSUMER.publicKey, most: 2, after: draft(61).id })
  assert.deepEqual([last.more, last.entries.length], [false, 1])
})

test('a key that is in no transaction costs no look at any, however many there are', async (t) => {
  const cores = await Cores.open(folderOf(t), filled(32, 48))
  t.after(() => cores.close())
  // The 64 oldest are on the disk, the others in memory.
  const source = entries('provider')
  const known = Array.from({ length: 100 }, () => ({ ...source.next().value, body: null }))
  const read: number[] = []
  const get = (position: number): Promise<Entry> => {
    read.push(position)
    return Promise.resolve(known[position] ?? assert.fail())
  }
  const index = await SearchIndex.open(await cores.bee('looked at', true), 0, get)
  index.add(known)
  await index.settle()
  const since = { from: draft(60).times.done }
  for (const time of [{}, since]) {
    assert.deepEqual(await index.forward({ counterparty: STRANGER.publicKey, ...time }, null, 1, get), [])
  }
  assert.deepEqual(read, [])
  const found = await index.forward({ counterparty: CONSUMER.publicKey, ...since }, 61, 40, get)
  assert.deepEqual(
    found.map(({ position }) => position),
    Array.from({ length: 38 }, (_, n) => 62 + n),
  )
  await index.forward({ counterparty: CONSUMER.publicKey }, 63, 2, get)
  assert.deepEqual(read.slice(-2), [64, 65])
})

test('a provider that lost its log goes on in its chain of receipts where its consumers saw it last', async (t) => {
  const store = await storeOf(t, 44)
  const source = entries('consumer')
  const told = Array.from({ length: 3 }, () => {
    const { transaction, ciphertext } = source.next().value
    return { role: 'consumer', transaction, ciphertext } as const
  })
  assert.equal(await store.adopt(told), 3)
  assert.equal((await store.issue(draft(9), PROVIDER.secretKey)).statement.counter, 3)
})

test('work that strangers ask for takes turns and rests as long as it took', async () => {
  let clock = 0
  const rests: number[] = []
  const turns = new Turns(
    () => clock,
    (ms) => Promise.resolve(rests.push(ms)),
  )
  const order: number[] = []
  const work = (n: number, ms: number) => (): Promise<number> => {
    order.push(n)
    clock += ms
    return n === 1 ? Promise.reject(new Error('no')) : Promise.resolve(n)
  }
  const [first, second, third] = [turns.take(work(0, 5)), turns.take(work(1, 7)), turns.take(work(2, 0))]
  assert.equal(await first, 0)
  await assert.rejects(second, /no/)
  assert.equal(await third, 2)
  assert.deepEqual(
    [order, rests.slice(0, 2)],
    [
      [0, 1, 2],
      [5, 7],
    ],
  )
})

test('the messages of the channel are written and read as ever', () => {
  const { transaction } = agreed()
  const part = Buffer.from(
    encodePart({ more: true, entries: [{ role: 'provider', transaction, ciphertext: filled(3, 1) }] }),
  )
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
  assert.equal(hex(encodeWant({ whose: null, after: null, most: 32 })), '01000020')
  const want = { whose: filled(32, 0xaa), after: filled(16, 0xbb), most: 1 }
  assert.equal(hex(encodeWant(want)), `0101${'aa'.repeat(32)}01${'bb'.repeat(16)}01`)
  const claim = { key: filled(32, 0xcc), signature: filled(64, 0xdd) }
  assert.equal(hex(encodeClaim([claim])), `0101${'cc'.repeat(32)}${'dd'.repeat(64)}`)
  assert.equal(hex(encodeHeld([0, 127])), '0102007f')
  // version, more, one entry, role provider, the transaction's length (fd: u16 follows).
  assert.equal(hex(part.subarray(0, 7)), `01010101fd${part.subarray(5, 7).toString('hex')}`)
  assert.equal(hex(part.subarray(-5)), '0103010101')
  assert.throws(() => encodeWant({ whose: null, after: null, most: 33 }), { code: 'BAD_ENCODING' })
  assert.throws(() => encodeClaim(Array.from({ length: MAX_CLAIMED + 1 }, () => claim)), { code: 'BAD_ENCODING' })
  assert.throws(() => encodeHeld([MAX_CLAIMED]), { code: 'BAD_ENCODING' })
})

test('any bytes are a message of the channel in its one encoding, or a coded error', () => {
  const { transaction } = agreed()
  const seeds = [
    encodePart({ more: false, entries: [{ role: 'provider', transaction, ciphertext: filled(3, 1) }] }),
    encodeWant({ whose: filled(32, 1), after: filled(16, 2), most: 32 }),
    encodeClaim([{ key: filled(32, 1), signature: filled(64, 2) }]),
    encodeHeld([1, 2, 3]),
  ]
  const edited = fc.tuple(fc.constantFrom(...seeds), fc.nat(2000), fc.nat(255)).map(([seed, at, byte]) => {
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
      check(encoded, () => encodeClaim(decodeClaim(encoded)))
      check(encoded, () => encodeHeld(decodeHeld(encoded)))
    }),
    { numRuns: 1000 },
  )
  assert.ok(read > 0)
})
