/**
 * The linter enforces the architecture only as long as its rules bite: plant one violation per rule in a copy of the
 * configuration and see it reported, plant what is allowed and see it pass.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { ROOT } from '../helpers/repository.js'

interface Planted {
  readonly file: string
  readonly source: string
  /** null = must pass. */
  readonly rule: string | null
}

const RESTRICTED = 'eslint(no-restricted-imports)'

const IMPORTS: readonly (readonly [from: string, specifier: string, allowed: boolean])[] = [
  ['bin/commands/a.ts', '../../swarm/a.js', false],
  ['bin/commands/a.ts', '../../ledger/a.js', false],
  ['bin/commands/a.ts', '../../proxy/a.js', false],
  ['bin/commands/a.ts', '../../daemon/a.js', true],
  ['bin/commands/a.ts', '../../tui/a.js', true],
  ['daemon/a.ts', '../bin/a.js', false],
  ['daemon/a.ts', '../tui/a.js', false],
  ['daemon/consumer/a.ts', '../../swarm/a.js', true],
  ['daemon/consumer/a.ts', '../../ledger/store/a.js', true],
  ['daemon/consumer/a.ts', '../../proxy/a.js', true],
  ['daemon/engine/a.ts', '../../swarm/a.js', false],
  ['daemon/engine/a.ts', '../../ledger/a.js', false],
  ['daemon/engine/a.ts', '../../proxy/port.js', true],
  ['proxy/a.ts', '../daemon/a.js', false],
  ['proxy/routes/a.ts', '../../swarm/a.js', false],
  ['proxy/routes/a.ts', '../../ledger/errors.js', false],
  ['proxy/routes/a.ts', '../port.js', true],
  ['tui/a.ts', '../daemon/a.js', false],
  ['tui/a.ts', '../swarm/a.js', false],
  ['tui/a.ts', '../daemon/control/a.js', true],
  ['swarm/a.ts', '../daemon/a.js', false],
  ['swarm/session/a.ts', '../../ledger/store/a.js', false],
  ['swarm/session/a.ts', '../../ledger/a.js', false],
  ['swarm/session/a.ts', '../../ledger/price.js', true],
  ['ledger/a.ts', '../swarm/a.js', false],
  ['ledger/store/a.ts', '../../daemon/a.js', false],
  ['ledger/store/a.ts', '../amount.js', true],
  ['daemon/b.ts', '../test/a.js', false],
  ['swarm/b.ts', '../bench/a.js', false],
  ['daemon/a.ts', 'hyperswarm', false],
  ['daemon/a.ts', 'protomux', false],
  ['swarm/a.ts', 'hyperswarm', true],
  ['swarm/a.ts', 'hypercore', false],
  ['ledger/store/a.ts', 'hypercore', true],
  ['ledger/a.ts', 'corestore', false],
  ['ledger/a.ts', '@solana/web3.js', false],
  ['ledger/chain/a.ts', '@solana/web3.js', true],
  ['daemon/a.ts', 'node-llama-cpp', false],
  ['daemon/engine/a.ts', 'node-llama-cpp', true],
  ['daemon/provider/a.ts', '@huggingface/jinja', false],
  ['daemon/a.ts', 'fastify', false],
  ['proxy/a.ts', 'fastify', true],
  ['bin/a.ts', 'ink', false],
  ['tui/a.ts', 'react/jsx-runtime', true],
  ['proxy/a.ts', 'pino', false],
  ['daemon/a.ts', 'commander', false],
  ['bin/a.ts', 'commander', true],
  ['swarm/session/a.ts', 'sodium-native', false],
  ['swarm/crypto.ts', 'sodium-native', true],
  ['swarm/a.ts', 'fast-check', false],
  ['test/swarm/a.ts', '../../ledger/store/a.js', true],
  ['test/swarm/a.ts', 'hyperdht', true],
]

const RULES: readonly Planted[] = [
  { file: 'swarm/c1.ts', source: 'const work = async () => 1\nwork()', rule: 'typescript(no-floating-promises)' },
  { file: 'swarm/c2.ts', source: 'export let a: any', rule: 'typescript(no-explicit-any)' },
  { file: 'swarm/c3.ts', source: 'export const a = (b?: string) => b!', rule: 'typescript(no-non-null-assertion)' },
  { file: 'swarm/c4.ts', source: `// @ts-${'ignore'}\nexport const a = 1`, rule: 'typescript(ban-ts-comment)' },
  { file: 'swarm/c5.ts', source: 'process.exit(1)', rule: 'unicorn(no-process-exit)' },
  { file: 'bin/c5.ts', source: 'process.exit(1)', rule: null },
  { file: 'swarm/c6.ts', source: `// ${'TO' + 'DO'} later`, rule: 'eslint(no-warning-comments)' },
  { file: 'swarm/c7.ts', source: 'console.log(1)', rule: 'eslint(no-console)' },
  { file: 'swarm/CamelCase.ts', source: 'export const a = 1', rule: 'unicorn(filename-case)' },
  { file: 'swarm/c8.ts', source: "throw 'text'", rule: 'typescript(only-throw-error)' },
  { file: 'swarm/c9.ts', source: "import '../swarm/c10.js'\nexport const a = 1", rule: 'import(no-cycle)' },
  { file: 'swarm/c10.ts', source: "import '../swarm/c9.js'\nexport const a = 1", rule: 'import(no-cycle)' },
  {
    file: 'swarm/c11.ts',
    source: "export function f(a: 'x' | 'y') { switch (a) { case 'x': return 1 } return 2 }",
    rule: 'typescript(switch-exhaustiveness-check)',
  },
  {
    file: 'test/swarm/c12.test.ts',
    source: "import { test } from 'node:test'\ntest('x', async () => { await Promise.resolve() })",
    rule: null,
  },
]

/** Static, dynamic and re-exported alike; one file each, so that reports do not mix. */
const PLANTED: readonly Planted[] = [
  ...IMPORTS.flatMap(([from, specifier, allowed], index) =>
    [`import '${specifier}'`, `export const a = () => import('${specifier}')`, `export { a } from '${specifier}'`].map(
      (source, form) => ({
        file: from.endsWith('crypto.ts') && form === 0 ? from : from.replace(/a\.ts$/, `p${index}-${form}.ts`),
        source,
        rule: allowed ? null : RESTRICTED,
      }),
    ),
  ).filter(({ file }, index, all) => all.findIndex((other) => other.file === file) === index),
  ...RULES,
]

describe('the linter', () => {
  const folder = mkdtempSync(join(tmpdir(), 'swarmd-lint-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  const reports = lint(folder)

  for (const { file, source, rule } of PLANTED) {
    const shown = source.split('\n').at(-1)
    if (rule === null) {
      test(`lets ${file} say ${shown}`, () => {
        const found = reports.get(file) ?? []
        assert.deepEqual(
          found.filter((code) => code === RESTRICTED || RULES.some((other) => other.rule === code)),
          [],
        )
      })
    } else {
      test(`${rule} catches ${shown} in ${file}`, () => {
        assert.ok(reports.get(file)?.includes(rule), `reported: ${reports.get(file)?.join(', ') ?? 'nothing'}`)
      })
    }
  }
})

/** Reported rules by file. */
function lint(folder: string): Map<string, string[]> {
  for (const name of ['oxlint.config.mjs', 'tsconfig.json', 'package.json'])
    copyFileSync(join(ROOT, name), join(folder, name))
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'junction')
  for (const { file, source } of PLANTED) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), `${source}\n`)
  }
  const bin = join(ROOT, 'node_modules/oxlint/bin/oxlint')
  const run = spawnSync(process.execPath, [bin, '-c', 'oxlint.config.mjs', '-f', 'json'], {
    cwd: folder,
    encoding: 'utf8',
  })
  assert.equal(run.status, 1, run.stderr)
  const { diagnostics } = JSON.parse(run.stdout) as { diagnostics: { code: string; filename: string }[] }
  const reports = new Map<string, string[]>()
  for (const { code, filename } of diagnostics) reports.set(filename, [...(reports.get(filename) ?? []), code])
  return reports
}
