import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import test from 'node:test'
import { MAX_ALLOWED } from '../../ledger/chain/layout/accounts.js'
import { MAX_GRACE, MIN_GRACE, RECENT_SLOTS } from '../../ledger/chain/layout/channel-instructions.js'
import { PROGRAM_ERRORS } from '../../ledger/chain/layout/errors.js'
import { MAX_DEADLINE } from '../../ledger/chain/layout/order-instructions.js'
import { INSTRUCTIONS } from '../../ledger/chain/layout/program.js'
import { UNBOND_SECONDS } from '../../ledger/chain/layout/stake-instructions.js'
import { checksumLine, PROGRAM_CHECKSUM, PROGRAM_IDL, readProgram } from '../../ledger/program/artifacts.js'
import { artifacts, buildProgram, programSources } from '../../ledger/program/build.js'
import { COMPILER, compilerVersion } from '../../ledger/program/compile.js'
import { idl } from '../../ledger/program/idl.js'
import { runCases } from './program-run.js'

const IMAGE = await readProgram()
const COMPILED = await compilerVersion()
const VERDICTS = [...runCases(IMAGE)]

test('every instruction takes what is right and refuses what is not, with its code', () => {
  assert.deepEqual(
    VERDICTS.filter(({ wrong }) => wrong !== null).map(({ title, wrong }) => `${title}: ${wrong}`),
    [],
  )
  assert.equal(new Set(VERDICTS.map(({ title }) => title)).size, VERDICTS.length, 'two cases with one title')
})

test('every error code of the program is provoked', () => {
  const seen = new Set(VERDICTS.map(({ outcome }) => outcome.error))
  assert.deepEqual(
    Object.keys(PROGRAM_ERRORS).filter((name) => !seen.has(name)),
    [],
  )
})

test('the C sources and the client have the same errors and the same numbers of instructions', async () => {
  const sources = await programSources()
  const defined = [...(sources.get('errors.h') ?? '').matchAll(/^#define (\w+) (\d+)$/gm)]
  assert.deepEqual(Object.fromEntries(defined.map(([, name, code]) => [name, Number(code)])), PROGRAM_ERRORS)
  const cases = [...(sources.get('entrypoint.c') ?? '').matchAll(/case 0x(\w\w): return (\w+)\(/g)]
  assert.deepEqual(
    cases.map(([, number = '', name]) => [name, Number.parseInt(number, 16)]),
    INSTRUCTIONS.map(({ name, number }) => [name, number]),
  )
})

test('the C sources and the client have the same limits', async () => {
  const sources = [...(await programSources()).values()].join('\n')
  const limits = { RECENT_SLOTS, MIN_GRACE, MAX_GRACE, MAX_DEADLINE, UNBOND_SECONDS, MAX_ALLOWED }
  for (const [name, value] of Object.entries(limits)) {
    const defined = [...sources.matchAll(new RegExp(`^#define ${name} (.*)$`, 'gm'))].map(([, text = '']) =>
      product(text),
    )
    assert.ok(defined.length > 0, `${name} is not defined`)
    assert.deepEqual(new Set(defined), new Set([BigInt(value)]), name)
  }
})

/** `150` or `(30 * 86400)`. */
function product(text: string): bigint {
  return text
    .replaceAll(/[()]/g, '')
    .split('*')
    .reduce((result, factor) => result * BigInt(factor.trim()), 1n)
}

test('the checksum is that of the committed program', async () => {
  assert.equal(checksumLine(IMAGE), await readFile(PROGRAM_CHECKSUM, 'utf8'))
})

test('the IDL is made from the layout, with an address where a reader expects one', async () => {
  const committed = await readFile(PROGRAM_IDL, 'utf8')
  const { address } = JSON.parse(committed) as { address: string }
  assert.equal(committed, idl(address))
})

const skip = COMPILED === null ? `${COMPILER} is not installed (Debian: apt-get install clang-19)` : false
test('the committed program is what its sources build to, twice the same', { skip }, async () => {
  const sources = await programSources()
  const first = await buildProgram(sources)
  const second = await buildProgram(sources)
  assert.deepEqual(first, second)
  for (const [path, content] of artifacts(first)) {
    const same = Buffer.from(content).equals(await readFile(path))
    assert.ok(same, `${path} is not what ${COMPILED} makes: npm run program -- --write`)
  }
})
