/**
 * House rules that no linter knows. Each is one sentence in docs/testing.md or the style of the code around it.
 */
import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ROOT, readText, repositoryFiles } from '../helpers/repository.js'

const MAX_LINES = 250
/** Longer files, each with its reason. */
const LONGER: Readonly<Record<string, string>> = {
  'daemon/engine/host.ts':
    'all states of one child process, which would otherwise be told apart by flags between files',
  'daemon/engine/mock.ts': 'an engine in one file: timing, queue and words',
  'daemon/node.ts': 'the composition root names every part once',
  'daemon/payment/purchase.ts': 'one request as its payer sees it: the order of its writes is read from top to bottom',
  'daemon/payment/sale.ts': 'one request as its provider sees it: the order of its writes is read from top to bottom',
  'ledger/exchange.ts': 'grammar, bounds and encoding of both directions stand side by side',
  'ledger/store/store.ts': 'opens and closes every part of the log in order',
  'ledger/transaction.ts': 'one encoding, with the rule for every field beside it',
  'swarm/node.ts': 'the composition root of the swarm',
  'swarm/port.ts': 'the whole contract between daemon and swarm, in the order of a request',
  'swarm/session/incoming-ask.ts': 'every call of the port and what it may do in each state',
  'swarm/session/session.ts': 'the table of messages and everything that ends a session',
}
const MAX_BYTES = 8 * 1024 * 1024

const FILES = repositoryFiles()
const BINARY = /\.(gguf|bin|png|so|npz|pt)$/
const GENERATED = new Set(['package-lock.json', 'LICENSE'])
const TEXTS = FILES.filter((path) => !BINARY.test(path) && !GENERATED.has(path))
const SOURCES = FILES.filter((path) => path.endsWith('.ts'))
const CODE = SOURCES.filter((path) => !/^(test|bench)\//.test(path))

/** `path:line` of every line that matches. */
function hits(paths: readonly string[], pattern: RegExp): string[] {
  return paths.flatMap((path) =>
    readText(path)
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
  )
}

/** Patterns are put together from pieces, so that this file does not match itself. */
function word(...pieces: readonly string[]): string {
  return pieces.join('')
}

test('a file of the program has at most 250 lines, or its reason is listed', () => {
  const long = CODE.filter((path) => readText(path).split('\n').length - 1 > MAX_LINES)
  assert.deepEqual(
    long.filter((path) => !(path in LONGER)),
    [],
  )
})

test('names of files and folders are kebab-case', () => {
  const named = /^(\.?[a-z0-9]+([-.][a-z0-9]+)*|README\.md|LICENSE|NOTICE)$/
  // Python and its model formats have names of their own.
  const python = /\/recipe\//
  const wrong = FILES.filter((path) => !python.test(path) && !path.split('/').every((part) => named.test(part)))
  assert.deepEqual(wrong, [])
})

test('top-level folders are the ones the architecture names', () => {
  const known = new Set(
    ['bin', 'daemon', 'proxy', 'tui', 'swarm', 'ledger', 'test', 'docs', 'bench', 'models', '.ci'].map(
      (name) => `${name}/`,
    ),
  )
  const folders = FILES.filter((path) => path.includes('/')).map((path) => `${path.split('/', 1)[0] ?? ''}/`)
  assert.deepEqual(
    [...new Set(folders)].filter((folder) => !known.has(folder)),
    [],
  )
})

test('no folder is a drawer for everything', () => {
  const drawer = /(^|\/)(common|utils?|shared|helpers|misc|lib)\//
  assert.deepEqual(
    CODE.filter((path) => drawer.test(path)),
    [],
  )
})

test('nothing is put off or silenced in the code', () => {
  const silenced = new RegExp(
    [
      word('\\bTO', 'DO\\b'),
      word('\\bFIX', 'ME\\b'),
      word('\\bX', 'XX\\b'),
      word('(ox|es)lint-', 'disable'),
      word('prettier-', 'ignore'),
      word('@ts-', '(ignore|expect-error|nocheck)'),
      word('c8 ', 'ignore'),
    ].join('|'),
  )
  assert.deepEqual(hits([...SOURCES, 'oxlint.config.mjs'], silenced), [])
})

test('no test is switched off for good or run alone', () => {
  const tests = SOURCES.filter((path) => path.startsWith('test/'))
  assert.deepEqual(hits(tests, /\b(test|it|describe|suite)\.(only|skip|todo)\(|\bonly: true|\bskip: true/), [])
})

test('no enum and no parameter property: sources stay erasable', () => {
  assert.deepEqual(
    hits(SOURCES, /^\s*(export )?(const |declare )?enum |constructor\((private|public|protected|readonly) /),
    [],
  )
})

test('one file per folder touches sodium-native', () => {
  const importers = SOURCES.filter(
    (path) => /^import .*from 'sodium-native'/m.test(readText(path)) && !path.startsWith('test/'),
  )
  // The engine host is a process of its own, and counts as a folder of its own.
  const folders = importers.map((path) => (path.startsWith('daemon/engine/') ? 'daemon/engine' : path.split('/', 1)[0]))
  assert.equal(new Set(folders).size, folders.length, importers.join(', '))
})

test('no path of a machine and no package host is committed', () => {
  const machine = new RegExp(
    [
      word('(^|[^\\w.~-])/(wo', 'rk|ro', 'ot)(/|\\b)'),
      word('bash_', 'jobs'),
      word('registry\\.', 'npmjs|artifact', 'ory|pypi\\.', 'org|npm', 'mirror'),
      word('shared/', '(design|reference)'),
    ].join('|'),
  )
  assert.deepEqual(hits(TEXTS, machine), [])
})

test('nothing bigger than 8 MiB is committed', () => {
  assert.deepEqual(
    FILES.filter((path) => statSync(join(ROOT, path)).size > MAX_BYTES),
    [],
  )
})
