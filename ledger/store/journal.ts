/**
 * A small durable map in one file: what money depends on between two appends to the log (vouchers, receipts under way).
 * `write` resolves once its changes are on the disk (fdatasync); writers that come together share one frame and one sync.
 *
 *   file    = frames
 *   frame   = "SWJ1" | length u32 LE of the payload | sequence u64 LE | hash 32 of all other bytes | payload
 *   payload = changes: key length u8 | key UTF-8 | value length u32 LE, 2^32 − 1 = deleted | value
 *
 * A frame is written only after the one before it is durable, so a crash can tear the last frame alone: a torn end is
 * cut off on opening. A damaged frame with a good one behind it is no torn write, and opening refuses (`STORE_CORRUPT`).
 */
import { constants } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import b4a from 'b4a'
import { HASH_BYTES, hash } from '../crypto.js'
import { LedgerError } from '../errors.js'
import { syncFolder } from './disk.js'

const MAGIC = b4a.from('SWJ1')
const HEADER_BYTES = 16 + HASH_BYTES
const MAX_KEY_BYTES = 255
const MAX_VALUE_BYTES = 1024 * 1024
/** Changes of one frame; more wait for the next. */
const MAX_FRAME_BYTES = 8 * 1024 * 1024
const DELETED = 2 ** 32 - 1
/** Rewritten on opening when most of it is out of date. */
const COMPACT_ABOVE = 256 * 1024

/** null deletes. */
export type Change = readonly [key: string, value: Uint8Array | null]

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
  readonly #file: JournalFile
  readonly #map: Map<string, Uint8Array>
  #sequence: bigint
  #end: number
  #queue: Waiting[] = []
  #flushing: Promise<void> | null = null
  #broken: LedgerError | null = null

  private constructor(path: string, file: JournalFile, state: Scan) {
    this.#path = path
    this.#file = file
    this.#map = state.map
    this.#sequence = state.sequence
    this.#end = state.end
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
      if (state.end < bytes.byteLength) await file.truncate(state.end)
      await file.datasync()
      await syncFolder(dirname(path))
      if (state.end < COMPACT_ABOVE || state.end < 4 * size(state.map)) return new Journal(path, wrap(file), state)
      await file.close()
      const rewritten = await compact(path, state)
      return new Journal(path, wrap(rewritten.file), rewritten.state)
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
      } catch (error) {
        const failure = LedgerError.STORE_WRITE_FAILED(this.#path, error)
        this.#broken = failure
        for (const { reject } of [...batch, ...this.#queue.splice(0)]) reject(failure)
      }
    }
    this.#flushing = null
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

interface Scan {
  readonly map: Map<string, Uint8Array>
  readonly sequence: bigint
  readonly end: number
}

/** Written aside, synced, then renamed: a crash leaves the old file or the new one. */
async function compact(path: string, state: Scan): Promise<{ file: FileHandle; state: Scan }> {
  const file = await open(`${path}.new`, 'w+', 0o600)
  const frames: Uint8Array[] = []
  let sequence = 0n
  const queue = [...state.map].map((entry) => ({ changes: encodeChanges([entry]) }))
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
  return { file, state: { map: state.map, sequence, end: bytes.byteLength } }
}

function scan(bytes: Uint8Array, path: string): Scan {
  const map = new Map<string, Uint8Array>()
  let sequence = 0n
  let end = 0
  for (;;) {
    const payload = readFrame(bytes, end, sequence)
    if (!payload) break
    apply(map, decodeChanges(payload, path))
    end += HEADER_BYTES + payload.byteLength
    sequence++
  }
  for (let at = b4a.indexOf(bytes, MAGIC, end); at >= 0; at = b4a.indexOf(bytes, MAGIC, at + 1)) {
    if (readFrame(bytes, at, null)) throw LedgerError.STORE_CORRUPT(`${path} is damaged at byte ${end}`)
  }
  return { map, sequence, end }
}

/** The payload of a whole frame at `at`; `sequence` null = any. */
function readFrame(bytes: Uint8Array, at: number, sequence: bigint | null): Uint8Array | null {
  if (bytes.byteLength - at < HEADER_BYTES || !b4a.equals(bytes.subarray(at, at + 4), MAGIC)) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, HEADER_BYTES)
  const length = view.getUint32(4, true)
  if (bytes.byteLength - at - HEADER_BYTES < length) return null
  if (sequence !== null && view.getBigUint64(8, true) !== sequence) return null
  const payload = bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length)
  const digest = hash('swarmd/1/journal', bytes.subarray(at, at + 16), payload)
  return b4a.equals(digest, bytes.subarray(at + 16, at + HEADER_BYTES)) ? payload : null
}

function frameOf(sequence: bigint, changes: readonly Uint8Array[]): Uint8Array {
  const payload = b4a.concat([...changes])
  const frame = b4a.allocUnsafe(HEADER_BYTES + payload.byteLength)
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  frame.set(MAGIC)
  view.setUint32(4, payload.byteLength, true)
  view.setBigUint64(8, sequence, true)
  frame.set(hash('swarmd/1/journal', frame.subarray(0, 16), payload), 16)
  frame.set(payload, HEADER_BYTES)
  return frame
}

function encodeChanges(changes: readonly Change[]): Uint8Array {
  return b4a.concat(
    changes.flatMap(([key, value]) => {
      const name = b4a.from(key)
      const length = b4a.alloc(4)
      const view = new DataView(length.buffer, length.byteOffset, 4)
      if (name.byteLength > MAX_KEY_BYTES) throw LedgerError.BAD_ENCODING('a journal key that is too long')
      if (value && value.byteLength > MAX_VALUE_BYTES)
        throw LedgerError.BAD_ENCODING('a journal value that is too long')
      view.setUint32(0, value?.byteLength ?? DELETED, true)
      return [Uint8Array.of(name.byteLength), name, length, value ?? b4a.alloc(0)]
    }),
  )
}

function decodeChanges(payload: Uint8Array, path: string): Change[] {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  const changes: Change[] = []
  try {
    for (let at = 0; at < payload.byteLength;) {
      const name = at + 1
      at = name + view.getUint8(at)
      const key = b4a.toString(payload.subarray(name, at))
      const length = view.getUint32(at, true)
      at += 4
      changes.push([key, length === DELETED ? null : Uint8Array.from(payload.subarray(at, at + length))])
      if (length !== DELETED) at += length
    }
  } catch {
    throw LedgerError.STORE_CORRUPT(`${path} holds a frame that this version cannot read`)
  }
  return changes
}

function apply(map: Map<string, Uint8Array>, changes: readonly Change[]): void {
  for (const [key, value] of changes) {
    if (value) map.set(key, value)
    else map.delete(key)
  }
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

function size(map: Map<string, Uint8Array>): number {
  let bytes = 0
  for (const [key, value] of map) bytes += key.length + value.byteLength + 5
  return bytes
}
