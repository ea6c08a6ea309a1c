/** Remembers model roots by path, size and time of change, so that a large file is hashed once. A JSON file; losing it is harmless. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { randomBytes } from 'node:crypto'

export interface CachedPart {
  readonly path: string
  readonly size: number
  /** Milliseconds. */
  readonly changed: number
}

const ENTRY_LIMIT = 500

export class RootCache {
  readonly #file: string

  constructor(file: string) {
    this.#file = file
  }

  async find(parts: readonly CachedPart[]): Promise<Uint8Array | null> {
    const root = (await this.#read()).get(keyOf(parts))
    return root === undefined ? null : Buffer.from(root, 'hex')
  }

  /** Never fails: a cache that cannot be written only costs time. */
  async remember(parts: readonly CachedPart[], root: Uint8Array): Promise<void> {
    const entries = await this.#read()
    entries.delete(keyOf(parts))
    entries.set(keyOf(parts), Buffer.from(root).toString('hex'))
    const kept = [...entries].slice(-ENTRY_LIMIT)
    const temporary = `${this.#file}.${randomBytes(4).toString('hex')}`
    try {
      await mkdir(dirname(this.#file), { recursive: true })
      await writeFile(temporary, JSON.stringify(Object.fromEntries(kept), null, 1))
      await rename(temporary, this.#file)
    } catch {
      return
    }
  }

  async #read(): Promise<Map<string, string>> {
    try {
      const content: unknown = JSON.parse(await readFile(this.#file, 'utf8'))
      if (typeof content !== 'object' || content === null) return new Map()
      return new Map(Object.entries(content).filter((entry): entry is [string, string] => isRoot(entry[1])))
    } catch {
      return new Map()
    }
  }
}

function isRoot(value: unknown): boolean {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)
}

function keyOf(parts: readonly CachedPart[]): string {
  return parts.map(({ path, size, changed }) => `${path}|${size}|${changed}`).join('\n')
}
