import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { openIdentity } from '../../daemon/identity.js'
import { sealEvidence } from '../../ledger/evidence.js'
import { EvidenceKeeper } from '../../ledger/store/evidence-keeper.js'
import { LedgerStore } from '../../ledger/store/store.js'
import { TokenLog } from '../../ledger/token-root.js'
import { receiptHash } from '../../ledger/transaction.js'
import { CliHome } from '../helpers/cli.js'
import { record } from '../helpers/exchanges.js'
import type { Said } from '../helpers/exchanges.js'

/** A data folder as a node leaves it. */
async function recorded(home: CliHome, said: readonly Said[]): Promise<string> {
  const dataDir = home.path('node')
  const identity = openIdentity(dataDir)
  const store = await LedgerStore.open(`${dataDir}/ledger`, identity.store())
  await record(store, identity.box().publicKey, said)
  await store.close()
  return dataDir
}

test('a folder that never recorded anything has an empty history, and none is made to say so', async (t) => {
  const home = new CliHome(t)
  const list = await home.run(['history'])
  assert.deepEqual([list.code, list.stderr], [0, ''])
  assert.match(list.stdout, /No transaction yet/)
  assert.equal((await home.run(['history', 'verify', '--json'])).code, 0)
  const show = await home.run(['history', 'show', 'ab', '--json'])
  assert.deepEqual(
    [show.code, (JSON.parse(show.stdout) as { error: { code: string } }).error.code],
    [1, 'HISTORY_NOT_FOUND'],
  )
  assert.equal((await home.run(['keys'])).code, 1, 'nor an identity')
})

test('the running node and the folder itself give the same answers', async (t) => {
  const home = new CliHome(t)
  const dataDir = await recorded(home, [{ question: 'A fjord?' }, { answer: 'Ünïcode ✓' }, { role: 'provider' }])
  const questions = [
    ['list', '--json'],
    ['list', '--role', 'consumer', '--limit', '1'],
    ['search', 'fjord', '--json'],
    ['show', '000000' + '01', '--json'],
    ['export', '--format', 'jsonl'],
    ['export', '--format', 'csv'],
    ['verify', '--json'],
    ['show', 'ff'],
  ].map((question) => ['history', ...question, '--data', dataDir])
  const fromFolder = []
  for (const question of questions) fromFolder.push(await home.run(question))
  assert.deepEqual(
    fromFolder.map(({ code }) => code),
    [0, 0, 0, 0, 0, 0, 0, 1],
  )
  const node = home.start(['up', '--offline', '--port', '0', '--data', dataDir])
  await node.event('ready')
  for (const [i, question] of questions.entries()) assert.deepEqual(await home.run(question), fromFolder[i])
  assert.equal((await home.run(['budget', '--json', '--data', dataDir])).code, 0)
  node.child.kill('SIGTERM')
  assert.equal((await node.outcome).code, 0)
})

test('a proof is checked by anybody, and a changed one ends with 1', async (t) => {
  const home = new CliHome(t)
  const dataDir = await recorded(home, [{ question: 'Why?', answer: 'Because.' }])
  const file = home.path('proof.json')
  assert.equal((await home.run(['history', 'show', '00', '--proof', file, '--data', dataDir])).code, 0)
  const good = await home.run(['verify', file, '--content'])
  assert.equal(good.code, 0)
  assert.match(
    good.stdout,
    /✓ provider signature[\s\S]*✓ consumer signature[\s\S]*Proven:[\s\S]*Not proven:[\s\S]*Because\./,
  )
  const data = JSON.parse(readFileSync(file, 'utf8')) as { content: { response: string } }
  const response = Buffer.from(data.content.response, 'base64')
  response[response.length - 9] = 0x21
  data.content.response = response.toString('base64')
  writeFileSync(file, JSON.stringify(data))
  const bad = await home.run(['verify', file])
  assert.equal(bad.code, 1)
  assert.match(bad.stdout, /✗ content/)
  assert.ok(!bad.stdout.includes('\nProven'))
  writeFileSync(file, '{"format": "other"}')
  const other = await home.run(['verify', file])
  assert.deepEqual([other.code, other.stdout], [1, ''])
  assert.match(other.stderr, /format is not swarmd/)
})

/** A folder of a provider with the evidence of one answer of 40 tokens. */
async function withEvidence(home: CliHome): Promise<string> {
  const positions = Buffer.alloc(40 * 52)
  for (let i = 0; i < 40; i++) positions.writeUInt32LE(500 + i, i * 52)
  const kept: Uint8Array[] = []
  const root = (key: Uint8Array): Uint8Array => {
    kept.push(key)
    return TokenLog.from(key, 8, positions).root()
  }
  const tokens = Array.from({ length: 40 }, (_, i) => 500 + i)
  const response = { kind: 'generate', finish: 'stop', stopText: null, thought: '', text: 'Because.', tokens } as const
  const dataDir = await recorded(home, [{ role: 'provider', response, root }, { role: 'provider' }])
  const store = await LedgerStore.open(`${dataDir}/ledger`, openIdentity(dataDir).store())
  const { transaction, times } = await store.get(0)
  const name = receiptHash(transaction.statement)
  const keeper = new EvidenceKeeper({
    folder: `${dataDir}/ledger/evidence`,
    keepMs: 1000,
    now: () => times.done,
    complain: assert.fail,
  })
  await keeper.add(name, sealEvidence(kept[0] ?? assert.fail(), name, positions))
  await keeper.close()
  await store.close()
  return dataDir
}

test('a provider shows a part of an answer, and anybody can hold it against what was signed', async (t) => {
  const home = new CliHome(t)
  const dataDir = await withEvidence(home)
  const id = '00000000'
  const show = (...more: readonly string[]): ReturnType<CliHome['run']> =>
    home.run(['history', 'show', id, ...more, '--data', dataDir])
  const file = home.path('window.json')
  const written = await show('--proof', file, '--no-content', '--window', '1')
  assert.equal(written.code, 0)
  assert.match(written.stdout, /the named parts of the answer and nothing else/)
  const good = await home.run(['verify', file, '--json'])
  assert.equal(good.code, 0)
  const { windows, exchange } = JSON.parse(good.stdout) as {
    windows: readonly { first: number; positions: readonly { token: number; top: readonly unknown[] }[] }[]
    exchange: unknown
  }
  assert.equal(exchange, null)
  assert.deepEqual(
    windows.map(({ first, positions }) => [first, positions.map(({ token }) => token), positions[0]?.top.length]),
    [[32, [532, 533, 534, 535, 536, 537, 538, 539], 8]],
  )
  const printed = await show('--window', 'all')
  assert.equal(printed.code, 0)
  assert.match(printed.stderr, /can read request and answer; not so with --no-content/)
  assert.equal((await show('--window', '0', '--no-content')).stderr, '')
  writeFileSync(file, printed.stdout)
  assert.match(
    (await home.run(['verify', file])).stdout,
    /✓ output windows +2 under the signed root, as in the response/,
  )
  const data = JSON.parse(printed.stdout) as { windows: { bytes: string }[] }
  const bytes = Buffer.from(data.windows[0]?.bytes ?? '', 'base64')
  bytes.writeUInt32LE(7, 0)
  writeFileSync(file, JSON.stringify({ ...data, windows: [{ ...data.windows[0], bytes: bytes.toString('base64') }] }))
  const bad = await home.run(['verify', file])
  assert.equal(bad.code, 1)
  assert.match(bad.stdout, /✗ output windows +1 of 1 not under the signed root/)
  const none = await home.run(['history', 'show', '00000001', '--window', '0', '--data', dataDir])
  assert.equal(none.code, 1)
  assert.match(none.stderr, /does not hold what is under the token root/)
  const wrong = await show('--window', 'first')
  assert.equal(wrong.code, 2)
  assert.match(wrong.stderr, /numbers from 0 .* or all/)
})

test('what is asked for wrongly is refused with what is allowed', async (t) => {
  const home = new CliHome(t)
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['history', 'nope'], /must be list, search, show, export, prune, forget, verify or restore/],
    [['history', '--since', 'yesterday'], /--since yesterday .* a day .* or an age/],
    [['history', '--limit', '0'], /--limit 0/],
    [['history', '--kind', 'x'], /chat, completion, embedding/],
    [['history', 'export', '--format', 'xml'], /jsonl, csv/],
    [['history', 'prune'], /either --older-than/],
    [['history', 'prune', '--keep-bytes', '5'], /500mb or 1gb/],
    [['history', 'forget', 'ab'], /--yes/],
    [['keys', 'show'], /--yes/],
    [['verify', 'nowhere.json'], /cannot be read \(ENOENT\)/],
  ]
  for (const [args, words] of cases) {
    const { code, stderr } = await home.run(args)
    assert.equal(code, 2, args.join(' '))
    assert.match(stderr, words)
  }
})

test('an export file appears when it is complete, for its owner alone', async (t) => {
  const home = new CliHome(t)
  const dataDir = await recorded(home, [{ question: 'Hm?' }])
  const out = home.path('training.jsonl')
  const { code, stderr } = await home.run(['history', 'export', '--format', 'jsonl', '--out', out, '--data', dataDir])
  assert.deepEqual([code, stderr], [0, `1 transaction written to ${out}.\n`])
  assert.match(readFileSync(out, 'utf8'), /^\{"messages":.*\}\n$/)
  const nowhere = await home.run(['history', 'export', '--format', 'csv', '--out', 'no/such/place', '--data', dataDir])
  assert.equal(nowhere.code, 1)
  assert.match(nowhere.stderr, /cannot be written \(ENOENT\)/)
})

test('words restore an identity, and a sealed one needs its passphrase at each start', async (t) => {
  const home = new CliHome(t)
  const dataDir = await recorded(home, [])
  const words = (await home.run(['keys', 'show', '--yes', '--data', dataDir])).stdout
  const before = (await home.run(['keys', '--json', '--data', dataDir])).stdout
  const other = home.path('other')
  assert.equal((await home.run(['keys', 'restore', '--data', other], { input: words })).code, 0)
  assert.equal((await home.run(['keys', '--json', '--data', other])).stdout, before)
  assert.equal((await home.run(['keys', 'restore', '--data', other], { input: words })).code, 1)
  const wrong = await home.run(['keys', 'restore', '--data', home.path('third')], { input: 'one two' })
  assert.deepEqual([wrong.code, wrong.stdout], [1, ''])

  const file = home.path('passphrase')
  writeFileSync(file, 'open sesame\n', { mode: 0o600 })
  const env = { SWARMD_PASSPHRASE_FILE: file }
  assert.equal((await home.run(['keys', 'seal', '--data', other], { env })).code, 0)
  assert.equal((await home.run(['keys', '--json', '--data', other], { env })).stdout, before)
  const without = await home.run(['up', '--offline', '--port', '0', '--data', other])
  assert.equal(without.code, 7)
  assert.match(without.stderr, /SWARMD_PASSPHRASE_FILE/)
  writeFileSync(file, 'open barley\n')
  assert.equal((await home.run(['up', '--offline', '--port', '0', '--data', other], { env })).code, 7)
  writeFileSync(file, 'open sesame\n', { mode: 0o600 })
  const node = home.start(['up', '--offline', '--port', '0', '--data', other], env)
  await node.event('ready')
  const running = await home.run(['keys', 'unseal', '--data', other], { env })
  assert.equal(running.code, 4, 'the seed changes only while no node runs')
  node.child.kill('SIGTERM')
  assert.equal((await node.outcome).code, 0)
})
