/**
 * Where an export goes: standard output, or a file that appears under its name only when it is complete. Writing waits for
 * whoever reads.
 */
import { once } from 'node:events'
import { open, rename, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { absolute } from '../daemon/paths.js'
import { codeOf, DaemonError } from '../daemon/errors.js'
import type { Io } from './io.js'

export class FileOutput {
  readonly #io: Io
  readonly #path: string | null
  #file: FileHandle | null = null

  /** `path` null: standard output. */
  constructor(io: Io, path: string | null) {
    this.#io = io
    this.#path = path === null ? null : absolute(path, io.cwd)
  }

  /** Throws `DATA_UNUSABLE` when the file cannot be written. */
  async write(text: string): Promise<void> {
    if (this.#path === null) {
      const { stdout } = this.#io
      if (!stdout.write(text)) await once(stdout, 'drain')
      return
    }
    try {
      // 0600: an export holds what was said.
      this.#file ??= await open(`${this.#path}.part`, 'w', 0o600)
      await this.#file.appendFile(text)
    } catch (error) {
      throw this.#unwritable(error)
    }
  }

  async finish(): Promise<void> {
    if (this.#path === null) return
    await this.write('')
    try {
      await this.#file?.sync()
      await this.#file?.close()
      await rename(`${this.#path}.part`, this.#path)
    } catch (error) {
      throw this.#unwritable(error)
    }
  }

  /** What was begun is taken away. */
  async discard(): Promise<void> {
    await this.#file?.close().catch(() => undefined)
    if (this.#file !== null) await rm(`${this.#path}.part`, { force: true })
  }

  #unwritable(error: unknown): DaemonError {
    return DaemonError.DATA_UNUSABLE(`${this.#path} cannot be written (${codeOf(error) ?? 'unknown reason'}).`, error)
  }
}
