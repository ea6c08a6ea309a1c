/**
 * The repository as the house tests see it: every file that is or would be committed.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Compiled, this file lies in dist/test/helpers. */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

const NOT_OURS = new Set(['.git', 'node_modules', 'dist', 'coverage', '.cache', '__pycache__'])

/** Paths relative to the root, `/`-separated, sorted. Without git (a tarball) every file outside the build counts. */
export function repositoryFiles(): string[] {
  return (existsSync(join(ROOT, '.git')) ? listed() : walked('')).toSorted()
}

export function readText(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

function listed(): string[] {
  const flags = ['ls-files', '-z', '--cached', '--others', '--exclude-standard']
  const output = execFileSync('git', ['-C', ROOT, ...flags], { encoding: 'utf8', maxBuffer: 2 ** 26 })
  return output.split('\0').filter((path) => path !== '' && existsSync(join(ROOT, path)))
}

function walked(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .filter((entry) => !NOT_OURS.has(entry.name))
    .flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      return entry.isDirectory() ? walked(path) : [path]
    })
}
