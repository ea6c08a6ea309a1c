import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import type { TestContext } from 'node:test'
import fc from 'fast-check'
import { History } from '../../daemon/history/history.js'
import { HistoryError } from '../../daemon/history/errors.js'
import type { Detail, HistoryItem, Row, Summary } from '../../daemon/history/items.js'
import { ModelNames } from '../../daemon/history/model-names.js'
import { parseHistoryRequest } from '../../daemon/history/request.js'
import type { HistoryRequest } from '../../daemon/history/request.js'
import { SharedPeers } from '../../daemon/history/shared-peers.js'
import type { SharedPeer } from '../../daemon/history/shared-peers.js'
import { verifyFile } from '../../daemon/history/verify-file.js'
import { Identity } from '../../daemon/identity.js'
import type { KeyPair } from '../../ledger/crypto.js'
import { claimTo } from '../../ledger/store/claims.js'
import { SharedAnswers } from '../../ledger/store/shared-answers.js'
import type { Want } from '../../ledger/store/shared.js'
import { LedgerStore } from '../../ledger/store/store.js'
import { chat, record } from '../helpers/exchanges.js'
import type { Said } from '../helpers/exchanges.js'
import { folderOf } from '../ledger/folder.js'
import { CONSUMER, filled, PROVIDER, PROVIDER_BOX, STRANGER } from '../ledger/sample.js'

const IDENTITY = new Identity(filled(32, 77))
const ROOT = Buffer.from(filled(32, 10)).toString('hex')

interface Kept {
  readonly store: LedgerStore
  readonly names: ModelNames
  readonly folder: string
  ask(request: HistoryRequest, signal?: AbortSignal): Promise<Answer>
}

interface Answer {
  readonly rows: readonly Row[]
  readonly detail: Detail | null
  readonly text: string
  readonly summary: Summary | null
}

async function kept(t: TestContext, said: readonly Said[]): Promise<Kept> {
  const folder = folderOf(t)
  const store = await LedgerStore.open(folder, IDENTITY.store())
  const names = await ModelNames.open(join(folder, 'names'))
  await record(store, IDENTITY.box().publicKey, said)
  t.after(async () => {
    await names.close()
    await store.close()
  })
  const history = new History({ store: () => Promise.resolve(store), keys: IDENTITY, names, copies: null })
  const ask = async (request: HistoryRequest, signal = new AbortController().signal): Promise<Answer> => {
    const items: HistoryItem[] = []
    for await (const item of history.run(JSON.parse(JSON.stringify(request)), signal)) items.push(item)
    return {
      rows: items.flatMap((item) => ('row' in item ? [item.row] : [])),
      detail: items.flatMap((item) => ('detail' in item ? [item.detail] : []))[0] ?? null,
      text: items.map((item) => ('text' in item ? item.text : '')).join(''),
      summary: items.flatMap((item) => ('summary' in item ? [item.summary] : []))[0] ?? null,
    }
  }
  return { store, names, folder, ask }
}

function reportOf({ summary }: Answer): { faultCount: number; faults: { position: number; what: string }[] } {
  assert.ok(summary?.report)
  return summary.report as ReturnType<typeof reportOf>
}

const ALL = { selection: {}, limit: null } as const

test('a listing is newest first, page after page, as far as was asked', async (t) => {
  const { ask } = await kept(
    t,
    Array.from({ length: 130 }, () => ({})),
  )
  const all = await ask({ op: 'list', ...ALL })
  assert.deepEqual(
    all.rows.map(({ position }) => position),
    Array.from({ length: 130 }, (_, i) => 129 - i),
  )
  const some = await ask({ op: 'list', selection: {}, limit: 70 })
  assert.deepEqual([some.rows.length, some.summary?.count], [70, 70])
})

test('what is listed is chosen by model, peer, kind, side and time, by the first digits or a name', async (t) => {
  const other = filled(32, 0xab)
  const { ask, names } = await kept(t, [
    {},
    { changes: { modelRoot: other } },
    { role: 'provider' },
    { changes: { kind: 'completion' } },
    { changes: { times: { asked: 5000, firstToken: 6000, done: 7000 } } },
  ])
  const positions = async (selection: object): Promise<readonly number[]> =>
    (await ask({ op: 'list', selection, limit: null })).rows.map(({ position }) => position)
  assert.deepEqual(await positions({ model: 'ab' }), [1])
  assert.deepEqual(await positions({ model: ROOT }), [4, 3, 2, 0])
  await names.learn('ab'.repeat(32), 'Qwen3-8B:q4')
  assert.deepEqual(await positions({ model: 'qwen3' }), [1])
  assert.deepEqual(await positions({ peer: Buffer.from(PROVIDER.publicKey).toString('hex').slice(0, 8) }), [4, 3, 1, 0])
  assert.deepEqual(await positions({ peer: Buffer.from(CONSUMER.publicKey).toString('hex') }), [2])
  assert.deepEqual(await positions({ kind: 'completion' }), [3])
  assert.deepEqual(await positions({ role: 'provider' }), [2])
  assert.deepEqual(await positions({ until: 7000 }), [4])
  assert.deepEqual(await positions({ since: 7001 }), [3, 2, 1, 0])
  await assert.rejects(positions({ model: 'zebra' }), { code: 'HISTORY_NOT_FOUND' })
  await assert.rejects(positions({ peer: '' }), { code: 'HISTORY_BAD_REQUEST' })
})

test('digits that fit several ids are refused, all of them or one id alone is found', async (t) => {
  const { ask } = await kept(t, [{}, {}])
  const [row] = (await ask({ op: 'list', ...ALL })).rows
  assert.ok(row)
  await assert.rejects(ask({ op: 'show', id: '00' }), { code: 'HISTORY_AMBIGUOUS' })
  assert.equal((await ask({ op: 'show', id: row.id.toUpperCase() })).detail?.id, row.id)
  await assert.rejects(ask({ op: 'show', id: 'ffff' }), { code: 'HISTORY_NOT_FOUND' })
})

test('a search finds words in prompts and answers, whatever their case, newest first, with some words around', async (t) => {
  const { ask, store } = await kept(t, [
    { question: 'What is a FJORD?', answer: 'A long inlet.' },
    { question: 'And this?', answer: `${'x '.repeat(90)}the Sognefjord\n\u0007is long${' y'.repeat(90)}` },
    { question: 'Nothing', answer: 'of it' },
    { body: { kind: 'embed', inputs: ['fjord', [1]] }, response: { kind: 'embed', finish: 'stop', vectors: [] } },
  ])
  const { rows, summary } = await ask({ op: 'search', text: 'Fjord', ...ALL })
  assert.deepEqual(
    rows.map(({ position }) => position),
    [3, 1, 0],
  )
  assert.equal(rows[1]?.excerpt?.includes('the Sognefjord is long'), true)
  assert.match(rows[1]?.excerpt ?? '', /^….*…$/)
  assert.equal(summary?.count, 3)
  assert.equal((await ask({ op: 'search', text: 'fjord', selection: {}, limit: 1 })).rows.length, 1)
  await store.forget([1])
  assert.deepEqual((await ask({ op: 'search', text: 'fjord', ...ALL })).rows.length, 2)
})

test('a search ends between two pages when it is aborted', async (t) => {
  const { ask } = await kept(
    t,
    Array.from({ length: 60 }, () => ({})),
  )
  const abort = new AbortController()
  abort.abort(new Error('enough'))
  await assert.rejects(ask({ op: 'search', text: 'x', ...ALL }, abort.signal), /enough/)
})

test('one transaction is shown with its content and with what was verified', async (t) => {
  const { ask } = await kept(t, [{ question: 'Why?', answer: 'Because.' }])
  const { detail, text } = await ask({ op: 'show', id: '00' })
  assert.ok(detail)
  assert.deepEqual([detail.holds, detail.agreed, detail.content], [true, true, 'kept'])
  assert.deepEqual(
    detail.checks.map(({ name, result }) => `${name}: ${result}`),
    ['provider signature: good', 'consumer signature: good', 'statement: good', 'content: good'],
  )
  const { request, response } = JSON.parse(text) as { request: Record<string, unknown>; response: { text: string } }
  assert.equal(response.text, 'Because.')
  assert.deepEqual(request['prompt'], { kind: 'chat', messages: [{ role: 'user', content: 'Why?' }] })
  assert.equal(request['maxTokens'], 64)
})

test('an exported proof is checked with nothing but the file, with and without the content', async (t) => {
  const { ask, store } = await kept(t, [{ question: 'Why?', answer: 'Because.' }])
  const open = verifyFile((await ask({ op: 'proof', id: '00', content: true })).text)
  assert.ok(open.detail.agreed)
  assert.match(open.exchange ?? '', /Because\./)
  assert.ok(open.proven.some((sentence) => /request and the answer/.test(sentence)))
  const closed = await ask({ op: 'proof', id: '00', content: false })
  assert.ok(!closed.text.includes('Because'))
  const told = verifyFile(closed.text)
  assert.equal(told.exchange, null)
  assert.ok(told.unproven.some((sentence) => /What was asked/.test(sentence)))
  const changed = JSON.parse(closed.text) as { transaction: string }
  const bytes = Buffer.from(changed.transaction, 'base64')
  bytes[60] = (bytes[60] ?? 0) ^ 1
  const forged = verifyFile(JSON.stringify({ ...changed, transaction: bytes.toString('base64') }))
  assert.deepEqual([forged.detail.holds, forged.proven.length], [false, 0])
  await store.forget([0])
  await assert.rejects(ask({ op: 'proof', id: '00', content: true }), {
    code: 'HISTORY_NO_CONTENT',
    message: /forgotten/,
  })
})

test('the export for fine-tuning holds whole answers to what this node asked, and counts what it leaves out', async (t) => {
  const { ask, store } = await kept(t, [
    { question: 'Kept "quoted"\n?', answer: 'Yes\u2028.' },
    { question: 'Theirs', role: 'provider' },
    { body: chat('Rest', [4]), answer: 'the rest' },
    {
      question: 'Cut',
      response: { kind: 'generate', finish: 'lost', stopText: null, thought: '', text: 'Cu', tokens: [1] },
    },
    { body: { ...chat('x'), prompt: { kind: 'text', text: 'Once' } } as Said['body'] & object, answer: ' upon' },
    { question: 'Gone' },
  ])
  await store.forget([5])
  const { text, summary } = await ask({ op: 'export', format: 'jsonl', ...ALL })
  assert.deepEqual(
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
    [
      {
        messages: [
          { role: 'user', content: 'Once' },
          { role: 'assistant', content: ' upon' },
        ],
      },
      {
        messages: [
          { role: 'user', content: 'Kept "quoted"\n?' },
          { role: 'assistant', content: 'Yes\u2028.' },
        ],
      },
    ],
  )
  assert.deepEqual(summary, {
    count: 2,
    skipped: {
      'content forgotten': 1,
      'an answer that was cut': 1,
      'the rest of an answer that another provider began': 1,
    },
  })
  const theirs = await ask({ op: 'export', format: 'jsonl', selection: { role: 'provider' }, limit: null })
  assert.match(theirs.text, /Theirs/)
})

test('the table has exact whole amounts, and no cell that a spreadsheet would compute', async (t) => {
  const { ask, names, store } = await kept(t, [{}])
  await names.learn(ROOT, '=HYPERLINK("x"),y')
  const { text } = await ask({ op: 'export', format: 'csv', ...ALL })
  const [header = '', line = '', rest] = text.split('\r\n')
  assert.equal(rest, '')
  const columns = header.split(',')
  assert.match(line, /,"'=HYPERLINK\(""x""\),y",/)
  const cells = line.replace(/"(?:[^"]|"")*"/, 'name').split(',')
  const cell = (name: string): string => cells[columns.indexOf(name)] ?? ''
  const { statement } = (await store.get(0)).transaction
  assert.equal(cell('cost_microlamports'), String(statement.cost))
  assert.equal(cell('channel_sum_lamports'), String((statement.cumulative + 999_999n) / 1_000_000n))
  assert.equal(cells.length, columns.length)
})

test('forgetting destroys the content of every entry with that id, and says so', async (t) => {
  const { ask, store } = await kept(t, [{ question: 'Secret?' }])
  await ask({ op: 'forget', id: '00' })
  assert.equal((await ask({ op: 'show', id: '00' })).detail?.content, 'forgotten')
  assert.equal(await store.contentState(await store.get(0)), 'forgotten')
})

test('pruning by size clears the oldest contents and counts them', async (t) => {
  const { ask } = await kept(t, [{}, {}, {}])
  const before = await ask({ op: 'prune', keepBytes: 10_000_000 })
  assert.equal(before.summary?.count, 0)
  const { summary } = await ask({ op: 'prune', keepBytes: 0 })
  assert.ok((summary?.count ?? 0) >= 3)
  assert.equal((await ask({ op: 'show', id: '000000' + '01' })).detail?.content, 'pruned')
})

test('verifying says how many hold, and names the place of a fault', async (t) => {
  const { ask, store } = await kept(t, [{}, {}])
  const good = await ask({ op: 'verify' })
  assert.equal(reportOf(good).faultCount, 0)
  const { transaction, role, times } = await store.get(1)
  const bad = { ...transaction, providerSignature: filled(64, 3) }
  await store.append({ role, times, transaction: bad, ciphertext: null })
  const { faults } = reportOf(await ask({ op: 'verify' }))
  assert.ok(faults.some(({ position, what }) => position === 2 && what === 'signature'))
})

test('a log comes back from a folder with a copy, and from nothing else', async (t) => {
  const source = await kept(t, [{ question: 'Still there?' }, {}])
  await source.store.close()
  const target = await kept(t, [])
  await assert.rejects(target.ask({ op: 'restore', from: null, peer: null }), { code: 'HISTORY_NO_COPY' })
  await assert.rejects(target.ask({ op: 'restore', from: folderOf(t), peer: null }), { code: 'HISTORY_NO_COPY' })
  const { summary } = await target.ask({ op: 'restore', from: source.folder, peer: null })
  assert.equal(summary?.count, 2)
  assert.equal((await target.ask({ op: 'search', text: 'still there', ...ALL })).rows.length, 1)
  await record(target.store, IDENTITY.box().publicKey, [{}])
  await assert.rejects(target.ask({ op: 'restore', from: source.folder, peer: null }), { code: 'STORE_FORKED' })
  await record(target.store, IDENTITY.box().publicKey, [{}])
  assert.equal(target.store.length, 4, 'a refused restore stops nobody from appending')
})

test('a copied ledger folder is no ledger, so that no log forks, but a backup that one comes back from', async (t) => {
  const source = await kept(t, [{ question: 'In the backup?' }])
  await source.store.close()
  const backup = folderOf(t)
  cpSync(source.folder, backup, { recursive: true })
  await assert.rejects(LedgerStore.open(backup, IDENTITY.store()), { code: 'STORE_FORKED', message: /restore --from/ })
  const target = await kept(t, [])
  await target.ask({ op: 'restore', from: backup, peer: null })
  assert.equal((await target.ask({ op: 'search', text: 'backup', ...ALL })).rows.length, 1)
})

/** A peer that answers for the part of a log that it shares with the consumer. */
function keeper(store: LedgerStore, key = 'aa', handshake = filled(64, 1)): SharedPeer & { closed: boolean } {
  const ends = { asker: CONSUMER.publicKey, answerer: PROVIDER.publicKey, handshake }
  const answers = new SharedAnswers(store, ends)
  const peer = {
    key,
    closed: false,
    channel: {
      closed: false,
      close: () => void (peer.closed = true),
      ask: ({ whose = null, after = null }: Partial<Want> = {}) => answers.part({ whose, after, most: 1 }),
      claim: async (keys: readonly KeyPair[]) => {
        const places = await answers.held(keys.map((pair) => claimTo(pair, ends)))
        return keys.filter((_, place) => places.includes(place))
      },
    },
  }
  return peer
}

interface Restoring {
  readonly peers: SharedPeers
  readonly lies: string[]
  readonly store: LedgerStore
  restore(peer?: string | null): Promise<Summary | null>
}

async function restoring(t: TestContext, earlier: readonly KeyPair[] = []): Promise<Restoring> {
  const { store, names } = await kept(t, [])
  const lies: string[] = []
  const peers = new SharedPeers({ earlier: () => earlier, onLie: (peer, what) => lies.push(`${peer}: ${what}`) })
  const history = new History({ store: () => Promise.resolve(store), keys: IDENTITY, names, copies: peers })
  return {
    peers,
    lies,
    store,
    async restore(peer = null) {
      let summary: Summary | null = null
      for await (const item of history.run({ op: 'restore', from: null, peer }, new AbortController().signal)) {
        if ('summary' in item) summary = item.summary
      }
      return summary
    },
  }
}

/** What a provider has of this node: contents sealed to both. */
async function provided(t: TestContext, said: readonly Said[]): Promise<LedgerStore> {
  const store = await LedgerStore.open(folderOf(t), filled(32, 78))
  t.after(() => store.close())
  await record(
    store,
    PROVIDER_BOX.publicKey,
    said.map((one) => ({ role: 'provider', ...one })),
    IDENTITY.box().publicKey,
  )
  return store
}

test('what peers share comes back through them in its order and once, a liar is left out and named', async (t) => {
  const theirs = await provided(t, [{ question: 'Shared?' }, {}, {}])
  const { peers, lies, store, restore } = await restoring(t)
  await assert.rejects(restore(), { code: 'HISTORY_NO_COPY', message: /--from DIR/ })
  const liar = keeper(theirs, 'bb')
  peers.add({ ...liar, channel: { ...liar.channel, ask: () => Promise.reject(new Error('a lie')) } })
  peers.add(keeper(theirs))
  assert.equal((await restore())?.count, 3)
  assert.deepEqual([liar.closed, lies], [true, ['bb: a lie']])
  assert.deepEqual(
    (await store.query({}, 9)).map(({ entry }) => entry.transaction.statement.counter),
    [2, 1, 0],
  )
  assert.equal((await restore())?.count, 0)
  await assert.rejects(restore('cc'), { code: 'HISTORY_NO_COPY', message: /begins with cc/ })
})

test('a peer that tells the same for ever, or signs for ever alone, is left out', async (t) => {
  const theirs = await provided(t, [{}, {}])
  const { peers, lies, restore } = await restoring(t)
  const { channel } = keeper(theirs)
  const first = await channel.ask({})
  peers.add({ key: 'dd', channel: { ...channel, ask: () => Promise.resolve({ ...first, more: true }) } })
  const alone = first.entries.map((entry) => ({
    ...entry,
    ciphertext: null,
    transaction: { ...entry.transaction, consumerSignature: null },
  }))
  let n = 0
  const endless = (): ReturnType<typeof channel.ask> => {
    const [one] = alone
    assert.ok(one)
    const { transaction } = one
    const id = new Uint8Array(16)
    new DataView(id.buffer).setUint32(0, n++)
    const statement = { ...transaction.statement, id }
    return Promise.resolve({ more: true, entries: [{ ...one, transaction: { ...transaction, statement } }] })
  }
  peers.add({ key: 'ee', channel: { ...channel, ask: endless } })
  assert.equal((await restore())?.count, 1)
  assert.deepEqual(lies.sort(), ['dd: it told the same twice', 'ee: it told of too much that it alone had signed'])
})

test('forged records are refused: with a seal to somebody else, and with nothing but the forger’s signature', async (t) => {
  const store = await LedgerStore.open(folderOf(t), filled(32, 79))
  t.after(() => store.close())
  await record(store, PROVIDER_BOX.publicKey, [{ role: 'provider' }], PROVIDER_BOX.publicKey)
  const { peers, lies, store: ours, restore } = await restoring(t)
  peers.add(keeper(store))
  await assert.rejects(restore(), { code: 'HISTORY_NO_COPY' })
  assert.match(lies[0] ?? '', /does not open/)
  assert.equal(ours.length, 0)
})

test('a restore under a new key brings back what earlier keys signed, over several peers in the order of the days', async (t) => {
  const { peers, store, restore } = await restoring(t, [STRANGER, CONSUMER])
  const half = await provided(t, [
    { question: 'first', n: 1 },
    { question: 'third', n: 3, changes: later(3) },
  ])
  const other = await provided(t, [
    { question: 'second', n: 2, changes: later(2) },
    { question: 'fourth', n: 4, changes: later(4) },
  ])
  for (const [key, log] of [
    ['aa', half],
    ['bb', other],
  ] as const) {
    const ends = { asker: PROVIDER_BOX.publicKey, answerer: PROVIDER.publicKey, handshake: filled(64, 2) }
    const answers = new SharedAnswers(log, ends)
    const { channel } = keeper(log)
    peers.add({
      key,
      channel: {
        ...channel,
        ask: (want) => answers.part({ whose: want?.whose ?? null, after: want?.after ?? null, most: 1 }),
        claim: async (keys) => {
          const places = await answers.held(keys.map((pair) => claimTo(pair, ends)))
          return keys.filter((_, place) => places.includes(place))
        },
      },
    })
  }
  assert.equal((await restore())?.count, 4)
  const said = []
  for (let position = 0; position < 4; position++) {
    const content = await store.content(await store.get(position), IDENTITY.box())
    said.push(/first|second|third|fourth/.exec(Buffer.from(content?.request ?? []).toString())?.[0])
  }
  assert.deepEqual(said, ['first', 'second', 'third', 'fourth'])
})

/** A day each. */
function later(n: number): NonNullable<Said['changes']> {
  const asked = 1_790_000_000_000 + n * 86_400_000
  return { times: { asked, firstToken: asked + 1, done: asked + 2 } }
}

test('the copy of another seed brings nothing back, and the ledger stays usable', async (t) => {
  const stranger = folderOf(t)
  const theirs = await LedgerStore.open(stranger, filled(32, 5))
  await record(theirs, IDENTITY.box().publicKey, [{}])
  await theirs.close()
  const { ask, store } = await kept(t, [])
  await assert.rejects(ask({ op: 'restore', from: stranger, peer: null }), { code: 'HISTORY_NO_COPY' })
  await record(store, IDENTITY.box().publicKey, [{}])
  assert.equal(store.length, 1)
})

test('any JSON is a question or is refused with its code', () => {
  const field = fc.constantFrom(
    'op',
    'selection',
    'limit',
    'text',
    'id',
    'format',
    'before',
    'keepBytes',
    'from',
    'peer',
  )
  const op = fc.constantFrom('list', 'search', 'show', 'proof', 'export', 'prune', 'forget', 'verify', 'restore')
  const request = fc
    .tuple(op, fc.dictionary(field, fc.jsonValue(), { maxKeys: 5 }))
    .map(([name, fields]) => ({ selection: {}, ...fields, op: name }))
  let read = 0
  fc.assert(
    fc.property(fc.oneof(request, fc.jsonValue()), (raw) => {
      try {
        const parsed = parseHistoryRequest(raw)
        read++
        assert.deepEqual(parseHistoryRequest(JSON.parse(JSON.stringify(parsed))), parsed)
      } catch (error) {
        assert.ok(error instanceof HistoryError && error.code === 'HISTORY_BAD_REQUEST', String(error))
      }
    }),
    { numRuns: 500 },
  )
  assert.ok(read > 0)
})
