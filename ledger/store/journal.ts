/**
 * A small durable map in one file: what money depends on between two appends to the log (vouchers, receipts under way).
 * `write` resolves once its changes are on the disk (fdatasync); writers that come together share one frame and one sync.
 *
 * A frame is written only after the one before it is durable, so a crash can tear the last frame alone: a torn end is
 * cut off on opening, and kept beside the file (`.torn`). A damaged frame with a good one behind it is no torn write, and
 * opening refuses (`STORE_CORRUPT`).
 *
 * The file is rewritten once most of it is out of date, on opening and between two writes, so that neither it nor the time
 * to open it grows with what has passed through it.
 */
import { constants } from 'node:fs'
import { open, rename, rm, writeFile } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import b4a from 'b4a'
import { LedgerError } from '../errors.js'
import { syncFolder } from './disk.js'
import { apply, encodeChanges, frameOf, scan, size } from './journal-frames.js'
import type { Change, Scan } from './journal-frames.js'

/** Changes of one frame; more wait for the next. */
const MAX_FRAME_BYTES = 8 * 1024 * 1024
/** Smaller files are left as they are. */
const COMPACT_ABOVE = 256 * 1024

interface Waiting {
  readonly changes: Uint8Array
  readonly plain: readonly Change[]
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** What a journal needs of a file; tests pass one that fails. */
export type JournalFile = Pick<FileHandle, 'write' | 'datasync' | 'close'>

export class Journal {
  readonly #path: string
  readonly #wrap: (file: FileHandle) => JournalFile
  #file: JournalFile
  readonly #map: Map<string, Uint8Array>
  #sequence: bigint
  #end: number
  /** Where it is worth a look whether most of the file is out of date. */
  #lookAt: number
  #queue: Waiting[] = []
  #flushing: Promise<void> | null = null
  #broken: LedgerError | null = null

  private constructor(path: string, file: FileHandle, state: Scan, wrap: (file: FileHandle) => JournalFile) {
    this.#path = path
    this.#wrap = wrap
    this.#file = wrap(file)
    this.#map = state.map
    this.#sequence = state.sequence
    this.#end = state.end
    this.#lookAt = Math.max(COMPACT_ABOVE, 2 * state.end)
  }

  /**
   * Opens or makes the file (0600). Throws `STORE_CORRUPT`, or `STORE_WRITE_FAILED` where the disk says no.
   * `wrap` stands between the journal and its file.
   */
  static async open(path: string, wrap: (file: FileHandle) => JournalFile = (file) => file): Promise<Journal> {
    let file: FileHandle | null = null
    try {
      await rm(`${path}.new`, { force: true })
      file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600)
      const bytes = await file.readFile()
      const state = scan(bytes, path)
      if (state.end < bytes.byteLength) {
        await writeFile(`${path}.torn`, bytes.subarray(state.end), { mode: 0o600 })
        await file.truncate(state.end)
      }
      await file.datasync()
      await syncFolder(dirname(path))
      if (state.end < COMPACT_ABOVE || state.end < 4 * size(state.map)) return new Journal(path, file, state, wrap)
      await file.close()
      const rewritten = await compact(path, state.map)
      return new Journal(path, rewritten.file, rewritten.state, wrap)
    } catch (error) {
      await file?.close()
      throw error instanceof LedgerError ? error : LedgerError.STORE_WRITE_FAILED(path, error)
    }
  }

  get(key: string): Uint8Array | null {
    return this.#map.get(key) ?? null
  }

  /** Durable entries only. */
  entries(): IterableIterator<[string, Uint8Array]> {
    return this.#map.entries()
  }

  /**
   * All of `changes` or none, durable when it resolves and only then visible to `get`. Writes take effect in the order of
   * the calls; one without changes waits for those before it. After a `STORE_WRITE_FAILED` every later write fails with it: what the disk holds is known only after opening again.
   */
  write(changes: readonly Change[]): Promise<void> {
    if (this.#broken) return Promise.reject(this.#broken)
    const bytes = encodeChanges(changes)
    const done = new Promise<void>((resolve, reject) => {
      this.#queue.push({ changes: bytes, plain: changes, resolve, reject })
    })
    this.#flushing ??= this.#flush()
    return done
  }

  /** Idempotent; writes under way are finished first. */
  async close(): Promise<void> {
    const closed = this.#broken?.code === 'STORE_CLOSED'
    await this.#flushing
    this.#broken = LedgerError.STORE_CLOSED(this.#path)
    if (!closed) await this.#file.close()
  }

  async #flush(): Promise<void> {
    // Let everything that is written in this turn of the event loop share the sync.
    await Promise.resolve()
    while (this.#queue.length > 0) {
      const batch = takeBatch(this.#queue)
      try {
        await this.#append(batch.map(({ changes }) => changes))
        for (const { plain } of batch) apply(this.#map, plain)
        for (const { resolve } of batch) resolve()
        if (this.#end >= this.#lookAt) await this.#compact()
      } catch (error) {
        const failure = LedgerError.STORE_WRITE_FAILED(this.#path, error)
        this.#broken = failure
        for (const { reject } of [...batch, ...this.#queue.splice(0)]) reject(failure)
      }
    }
    this.#flushing = null
  }

  /** Between two writes: what the map holds is all that is durable. */
  async #compact(): Promise<void> {
    if (this.#end >= 4 * size(this.#map)) {
      const { file, state } = await compact(this.#path, this.#map)
      await this.#file.close()
      this.#file = this.#wrap(file)
      this.#sequence = state.sequence
      this.#end = state.end
    }
    this.#lookAt = Math.max(COMPACT_ABOVE, 2 * this.#end)
  }

  async #append(changes: readonly Uint8Array[]): Promise<void> {
    if (changes.every(({ byteLength }) => byteLength === 0)) return
    const frame = frameOf(this.#sequence, changes)
    await writeAll(this.#file, frame, this.#end)
    await this.#file.datasync()
    this.#end += frame.byteLength
    this.#sequence++
  }
}

/** Written aside, synced, then renamed: a crash leaves the old file or the new one. */
async function compact(path: string, map: Map<string, Uint8Array>): Promise<{ file: FileHandle; state: Scan }> {
  const file = await open(`${path}.new`, 'w+', 0o600)
  const frames: Uint8Array[] = []
  let sequence = 0n
  const queue = [...map].map((entry) => ({ changes: encodeChanges([entry]) }))
  while (queue.length > 0)
    frames.push(
      frameOf(
        sequence++,
        takeBatch(queue).map(({ changes }) => changes),
      ),
    )
  const bytes = b4a.concat(frames)
  await writeAll(file, bytes, 0)
  await file.datasync()
  await rename(`${path}.new`, path)
  await syncFolder(dirname(path))
  return { file, state: { map, sequence, end: bytes.byteLength } }
}

/** Takes from the front of `queue`: at least one, at most what fits into a frame. */
function takeBatch<T extends { readonly changes: Uint8Array }>(queue: T[]): T[] {
  let count = 0
  for (let bytes = 0; count < queue.length; count++) {
    bytes += queue[count]?.changes.byteLength ?? 0
    if (count > 0 && bytes > MAX_FRAME_BYTES) break
  }
  return queue.splice(0, count)
}

async function writeAll(file: JournalFile, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.byteLength - done, position + done)
    done += bytesWritten
  }
}
