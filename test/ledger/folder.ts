/** A temporary folder that is removed after the test, and pairs of streams between two stores. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

export function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'swarmd-ledger-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

interface End {
  replicate(initiator: boolean): NodeJS.ReadWriteStream & { destroy(): void }
}

/** Connects two ends; returns what cuts the line. */
export function connect(a: End, b: End): () => void {
  const [one, two] = [a.replicate(true), b.replicate(false)]
  for (const stream of [one, two]) stream.on('error', () => undefined)
  one.pipe(two).pipe(one)
  return () => {
    one.destroy()
    two.destroy()
  }
}

/** Does any file below the folder hold these bytes? */
export function filesContain(folder: string, needle: Buffer): boolean {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).some((name) => {
    const path = join(folder, name)
    return statSync(path).isFile() && readFileSync(path).includes(needle)
  })
}
