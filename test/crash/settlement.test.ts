/** The storm over settlement (`npm run crash -- --chain`) at the length that every change goes through, and its checks. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { OutboxEntry } from '../../ledger/chain/outbox-states.js'
import type { Promised } from './evidence.js'
import { Random } from './random.js'
import { brokenIntentions, brokenMoney, brokenOutbox, unsettled } from './settlement/promises.js'
import type { Facts, Seen } from './settlement/promises.js'
import { settlementStorm } from './settlement/storm.js'

test('kills at every step of a transaction, behind an RPC node that lies and forks, cost nobody a lamport', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'swarmd-crash-'))
  const seed = Date.now() % 1_000_000
  t.diagnostic(`seed ${seed}, folder ${folder}`)
  const report = await settlementStorm({
    kills: 24,
    random: new Random(seed),
    folder,
    batch: 12,
    tell: (line) => t.diagnostic(line),
  })
  assert.ok(report.at.size > 0, 'some kills came at the step that was aimed at')
  assert.ok(report.settled > 0n, 'something was settled')
  // Only what passed is thrown away.
  rmSync(folder, { recursive: true, force: true })
})

const HAS: Promised = { signed: 0n, held: 0n, genuine: true }

function seen(changes: Partial<Seen> = {}): Seen {
  return {
    address: 'c',
    payer: 'payer',
    provider: 'provider',
    phase: 'open',
    deposit: 100n,
    settled: 30n,
    lamports: 72n,
    consumerHas: { ...HAS, signed: 50n },
    providerHas: { ...HAS, held: 40n },
    ...changes,
  }
}

function facts(channels: readonly Seen[], changes: Partial<Facts> = {}): Facts {
  return { channels, shown: new Map(), sums: [], ...changes }
}

test('a chain and disks that kept every promise are found without fault', () => {
  const before = facts([seen()])
  assert.deepEqual(brokenMoney(null, before), [])
  assert.deepEqual(brokenMoney(before, facts([seen({ deposit: 150n, settled: 40n, lamports: 112n })])), [])
  const gone = seen({ phase: 'closing', lamports: 0n, consumerHas: HAS, providerHas: HAS })
  assert.deepEqual(brokenMoney(before, facts([gone])), [], 'who has closed may forget')
  const usedUp = seen({ address: 'd', consumerHas: { ...HAS, signed: 95n } })
  assert.deepEqual(brokenMoney(null, facts([seen(), usedUp])), [], 'one that is used up is followed by another')
  const over = seen({ consumerHas: { ...HAS, signed: 120n } })
  assert.deepEqual(brokenMoney(null, facts([over], { shown: new Map([['c', 130n]]) })), [])
})

test('each broken promise about a channel is seen', () => {
  const cases: readonly (readonly [Partial<Seen>, RegExp])[] = [
    [{ settled: 101n }, /settled of a deposit/],
    [{ settled: 29n }, /settled went back/],
    [{ deposit: 99n }, /deposit went back/],
    [{ lamports: 69n }, /covers not/],
    [{ settled: 45n }, /the provider holds 40/],
    [{ settled: 55n }, /its payer knows of 50/],
    [{ consumerHas: { ...HAS, signed: 101n } }, /101 are signed/],
    [{ consumerHas: { ...HAS, signed: 49n } }, /has forgotten that it signed 50/],
    [{ providerHas: { ...HAS, held: 39n } }, /lost its voucher over 40/],
    [{ providerHas: { ...HAS, held: 51n } }, /51 are held, 50 signed/],
    [{ providerHas: { ...HAS, held: 40n, genuine: false } }, /not signed by its signer/],
  ]
  for (const [changes, words] of cases)
    assert.match(brokenMoney(facts([seen()]), facts([seen(changes)])).join('\n'), words, JSON.stringify(words.source))
  assert.match(brokenMoney(facts([seen({ lamports: 0n })]), facts([seen()])).join('\n'), /there again/)
  assert.match(brokenMoney(facts([seen()]), facts([])).join('\n'), /never there/)
  assert.match(brokenMoney(null, facts([seen(), seen({ address: 'd' })])).join('\n'), /payer opened d/)
  assert.deepEqual(brokenMoney(null, facts([], { sums: ['a lamport is missing'] })), ['a lamport is missing'])
})

test('a verdict that is not the truth, an intention carried out twice, and what was left unsettled are seen', () => {
  const entry = (phase: OutboxEntry['phase'], failure: OutboxEntry['failure'] = null): OutboxEntry => ({
    id: 'x',
    phase,
    signature: 's',
    wire: '',
    lastValidBlockHeight: 1,
    purpose: {},
    preparedAt: 0,
    missing: 0,
    failure,
  })
  const there = new Map<string, unknown>([['s', null]])
  const none = new Set<string>()
  const expired = entry('failed', { code: 'BLOCKHASH_EXPIRED' })
  assert.deepEqual(brokenOutbox('payer', [entry('finalized')], there, none), [])
  assert.deepEqual(brokenOutbox('payer', [expired, entry('submitted')], new Map(), none), [])
  assert.match(brokenOutbox('payer', [entry('finalized')], new Map(), none).join(), /does not know it/)
  assert.match(brokenOutbox('payer', [entry('finalized')], new Map([['s', 'BadThing']]), none).join(), /refused it/)
  assert.match(brokenOutbox('payer', [expired], there, none).join(), /gave x up, and it landed/)
  assert.deepEqual(brokenOutbox('payer', [entry('finalized')], new Map(), new Set(['s'])), [])
  const twice = new Map([['open/1', new Set(['a', 'b'])]])
  assert.deepEqual(brokenIntentions(twice, new Map([['a', null]])), [])
  assert.match(
    brokenIntentions(
      twice,
      new Map([
        ['a', null],
        ['b', null],
      ]),
    ).join(),
    /open\/1 was carried out 2 times/,
  )
  assert.deepEqual(unsettled([seen()], 10n), [])
  assert.match(unsettled([seen()], 9n).join(), /40 held, 30 settled/)
  assert.match(unsettled([seen({ consumerHas: { ...HAS, signed: 101n } })], 10n).join(), /101 signed of 100/)
})
