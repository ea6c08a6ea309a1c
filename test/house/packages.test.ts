/**
 * Dependencies are few, exact, explained and used where their owner is (docs/dependencies.md).
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readText, repositoryFiles } from '../helpers/repository.js'

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly overrides: Readonly<Record<string, string>>
}

interface Locked {
  readonly version?: string
  readonly resolved?: string
  readonly link?: boolean
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const MANIFEST = JSON.parse(readText('package.json')) as Manifest
const LOCK = JSON.parse(readText('package-lock.json')) as { packages: Readonly<Record<string, Locked>> }
/** Rows of the tables: | `package` | where | why | */
const ROW = /^\| `([^`]+)` +\| ([^|]+?) +\| ([^|]+?) +\|$/

const documented = readText('docs/dependencies.md')
  .split('\n')
  .flatMap((line) => {
    const [, name, where, why] = ROW.exec(line) ?? []
    return name && where && why
      ? [{ name, where: [...where.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ''), why }]
      : []
  })

const IMPORT = /^(?:import|export|\}).* from '([^'.][^']*)'|^import '([^'.][^']*)'|\bimport\('([^'.][^']*)'\)/gm
/** Outside packages by the files of the program that import them. */
const IMPORTS = repositoryFiles()
  .filter((path) => path.endsWith('.ts') && !/^(test|bench)\//.test(path))
  .flatMap((path) =>
    [...readText(path).matchAll(IMPORT)].map(([, from, bare, dynamic]) => ({
      path,
      name: packageOf(from ?? bare ?? dynamic ?? ''),
    })),
  )

test('every version is pinned exactly', () => {
  const pinned = /^(npm:[^@]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/
  const all = { ...MANIFEST.dependencies, ...MANIFEST.devDependencies, ...MANIFEST.overrides }
  assert.deepEqual(
    Object.entries(all).filter(([, version]) => !pinned.test(version)),
    [],
  )
})

test('docs/dependencies.md explains exactly the packages of package.json', () => {
  const wanted = [...Object.keys(MANIFEST.dependencies), ...Object.keys(MANIFEST.devDependencies)].toSorted()
  assert.deepEqual(documented.map(({ name }) => name).toSorted(), wanted)
})

test('a package is imported exactly where docs/dependencies.md says', () => {
  for (const name of Object.keys(MANIFEST.dependencies)) {
    const where = documented.find((row) => row.name === name)?.where ?? []
    const paths = IMPORTS.filter((site) => site.name === name).map((site) => site.path)
    assert.deepEqual(
      paths.filter((path) => !where.some((folder) => path.startsWith(folder))),
      [],
      `${name} is imported outside ${where.join(', ')}`,
    )
    assert.deepEqual(
      where.filter((folder) => !paths.some((path) => path.startsWith(folder))),
      [],
      `${name} is not imported in every place listed`,
    )
  }
})

test('nothing but node, ourselves and our dependencies is imported by the program', () => {
  const foreign = IMPORTS.filter(({ name }) => !name.startsWith('node:') && !(name in MANIFEST.dependencies))
  assert.deepEqual(foreign, [])
})

test('the lockfile names no host', () => {
  const resolved = Object.entries(LOCK.packages).filter(([, entry]) => entry.resolved !== undefined && !entry.link)
  assert.deepEqual(resolved, [])
  assert.doesNotMatch(readText('package-lock.json'), /"resolved"/)
})

test('the lockfile lists the packages of other platforms too, or npm 11 refuses it', () => {
  const missing = Object.entries(LOCK.packages).flatMap(([path, entry]) =>
    Object.keys(entry.optionalDependencies ?? {}).filter((name) => !reachable(path, name)),
  )
  assert.deepEqual(missing, [])
})

function packageOf(specifier: string): string {
  const parts = specifier.split('/')
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? '')
}

/** As Node resolves: the nearest node_modules up the path. */
function reachable(path: string, name: string): boolean {
  for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    if (`${at === '' ? '' : `${at}/`}node_modules/${name}` in LOCK.packages) return true
    if (at === '') return false
  }
}
