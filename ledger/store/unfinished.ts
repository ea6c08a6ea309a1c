/**
 * A restore that has begun and not ended: an empty file `restoring` in the ledger's folder. While it is there the log has
 * holes, so nothing is read of it and nothing appended; the restore itself goes on where it was cut.
 */
import { existsSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { syncFolder } from './disk.js'

export class Unfinished {
  readonly #folder: string
  #is: boolean

  constructor(folder: string) {
    this.#folder = folder
    this.#is = existsSync(this.#path)
  }

  get is(): boolean {
    return this.#is
  }

  /** Durable when it resolves. */
  async begin(): Promise<void> {
    const file = await open(this.#path, 'w', 0o600)
    await file.close()
    await syncFolder(this.#folder)
    this.#is = true
  }

  async end(): Promise<void> {
    await rm(this.#path, { force: true })
    await syncFolder(this.#folder)
    this.#is = false
  }

  get #path(): string {
    return join(this.#folder, 'restoring')
  }
}
