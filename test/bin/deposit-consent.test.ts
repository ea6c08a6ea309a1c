/** The question about deposits: once, in a terminal, and never where nobody can be asked or nothing would be paid. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { askBeforeChat, askBeforeStart } from '../../bin/deposit-consent.js'
import type { CommandCall } from '../../bin/command.js'
import { answered, objection, openQuestion, remember } from '../../daemon/chain/consent.js'
import type { ChainSettings, NodeOptions } from '../../daemon/node-options.js'
import { lamports } from '../../ledger/amount.js'
import { fakeIo } from '../helpers/fake-io.js'

function settings(consent: 'ask' | 'yes' | 'no', deposit = 10_000_000n): ChainSettings {
  return { urls: [], program: '', deposit: lamports(deposit), grace: 0n, leastGrace: 0n, consent }
}

function folder(t: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), 'swarmd-consent-'))
  t.after(() => rmSync(made, { recursive: true, force: true }))
  return join(made, 'data')
}

function options(dataDir: string, chain: ChainSettings | null, api = true): NodeOptions {
  return { dataDir, chain, api: api ? {} : null } as unknown as NodeOptions
}

interface Terminal {
  readonly call: CommandCall
  said(): string
}

function terminal(answer: string | null, more: Partial<CommandCall> = {}): Terminal {
  const io = fakeIo({ tty: true })
  let said = ''
  Object.assign(io.stdin, { isTTY: true })
  Object.assign(io.stderr, { isTTY: true })
  const call = {
    io: { ...io, err: (text: string) => void (said += text) },
    json: false,
    ...more,
  } as unknown as CommandCall
  if (answer !== null) io.typed.write(`${answer}\n`)
  return { call, said: () => said }
}

test('a person is asked once, with the amount, and the answer holds for the next start and for a smaller deposit', async (t) => {
  const dataDir = folder(t)
  const first = terminal('y')
  await askBeforeStart(first.call, options(dataDir, settings('ask')))
  assert.match(first.said(), /0\.01 SOL \(10000000 lamports\)[^]*comes back/)
  assert.deepEqual(answered(dataDir), { allowed: true, deposit: 10_000_000n })
  assert.equal(objection(settings('ask'), dataDir), null)
  const second = terminal(null)
  await askBeforeStart(second.call, options(dataDir, settings('ask', 9_000_000n)))
  assert.equal(second.said(), '')
  const third = terminal('n')
  await askBeforeStart(third.call, options(dataDir, settings('ask', 10_000_001n)))
  assert.match(third.said(), /None are made/)
  assert.match(objection(settings('ask'), dataDir) ?? '', /said no/)
  const fourth = terminal(null)
  await askBeforeStart(fourth.call, options(dataDir, settings('ask', 99_000_000n)))
  assert.equal(fourth.said(), '', 'no is no')
})

test('nobody is asked without a terminal, without a chain, without an API, under --json, or when the settings say', async (t) => {
  const dataDir = folder(t)
  const chain = settings('ask')
  const unasked: readonly [Terminal, NodeOptions][] = [
    [terminal(null, { json: true }), options(dataDir, chain)],
    [terminal(null), options(dataDir, null)],
    [terminal(null), options(dataDir, chain, false)],
    [terminal(null), options(dataDir, settings('yes'))],
    [terminal(null), options(dataDir, settings('no'))],
  ]
  for (const [{ call, said }, given] of unasked) {
    await askBeforeStart(call, given)
    assert.equal(said(), '')
  }
  const piped = terminal(null)
  Object.assign(piped.call.io.stdin, { isTTY: false })
  await askBeforeStart(piped.call, options(dataDir, chain))
  assert.equal(piped.said(), '')
  assert.equal(answered(dataDir), null)
  assert.equal(objection(chain, dataDir), null, 'whoever names a chain wants to pay on it')
  assert.match(objection(settings('no'), dataDir) ?? '', /chain\.consent/)
})

test('before a conversation the question names the model, and only when it is open', async (t) => {
  const dataDir = folder(t)
  await askBeforeChat(terminal(null).call, dataDir, undefined, 'tiny:q4')
  const { call, said } = terminal('yes')
  await askBeforeChat(call, dataDir, '10000000', 'tiny:q4')
  assert.match(said(), /A provider of tiny:q4/)
  assert.equal(openQuestion(settings('ask'), dataDir), null)
})

test('a damaged answer is no yes', (t) => {
  const dataDir = folder(t)
  remember(dataDir, { allowed: true, deposit: 5n })
  const path = join(dataDir, 'deposit-consent')
  assert.equal(readFileSync(path, 'utf8'), 'yes 5\n')
  for (const text of ['', 'maybe 5\n', 'yes\n', 'yes -5\n', 'yes 5 6\n']) {
    writeFileSync(path, text)
    assert.throws(() => objection(settings('ask'), dataDir), { code: 'CONFIG_INVALID' })
  }
})
