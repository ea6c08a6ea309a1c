/**
 * The evidence of answers on the disk: files that are only added to, each for one hour at most, so that age is pruned by
 * removing whole ones. There is no index: the time of a transaction says which files to look into.
 *
 *   file   = records; its name is the Unix millisecond at which it was begun, and ".evidence"
 *   record = "SWE1" | length u32 LE of `sealed` | receipt hash 32 | sealed (evidence.ts)
 *
 * A file is never gone on with after a restart: what a crash has torn is the end of a file, and costs the newest records.
 */
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import b4a from 'b4a'
import safetyCatch from 'safety-catch'
import { HASH_BYTES } from '../crypto.js'
import { LedgerError } from '../errors.js'

/** Nothing is added to a file that is older, milliseconds. */
export const SPAN_MS = 3_600_000
const MAGIC = b4a.from('SWE1')
const HEADER_BYTES = 8 + HASH_BYTES
const SUFFIX = '.evidence'
/** Between the end of an answer and the start of the file that its evidence is in, milliseconds: it may have had to wait. */
const LATE_MS = 60_000

export function fileNameOf(start: number): string {
  return `${start}${SUFFIX}`
}

export function recordOf(receipt: Uint8Array, sealed: Uint8Array): Uint8Array {
  const length = b4a.alloc(4)
  new DataView(length.buffer, length.byteOffset, 4).setUint32(0, sealed.byteLength, true)
  return b4a.concat([MAGIC, length, receipt, sealed])
}

/** The sealed evidence of a receipt whose answer ended at `at` (Unix milliseconds, own clock); null = it is not kept. */
export async function readEvidence(folder: string, receipt: Uint8Array, at: number): Promise<Uint8Array | null> {
  const starts = (await startsIn(folder)).filter((start) => start <= at + LATE_MS && start > at - SPAN_MS - LATE_MS)
  for (const start of starts.toReversed()) {
    const found = find(await contentOf(join(folder, fileNameOf(start))), receipt)
    if (found) return found
  }
  return null
}

/** Removes the files in which everything is older than `before` (Unix milliseconds). */
export async function pruneEvidence(folder: string, before: number): Promise<void> {
  for (const start of await startsIn(folder)) {
    // Where a file cannot be removed while it is open, it is the next time.
    if (start + SPAN_MS <= before) await rm(join(folder, fileNameOf(start)), { force: true }).catch(safetyCatch)
  }
}

/** Rising. */
async function startsIn(folder: string): Promise<number[]> {
  try {
    const names = await readdir(folder)
    const starts = names.filter((name) => /^\d{1,15}\.evidence$/.test(name)).map((name) => parseInt(name, 10))
    return starts.toSorted((a, b) => a - b)
  } catch (error) {
    return absent(error, [])
  }
}

async function contentOf(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (error) {
    return absent(error, b4a.alloc(0))
  }
}

/** A file that was removed since it was listed is none. */
function absent<T>(error: unknown, nothing: T): T {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return nothing
  throw LedgerError.STORE_CORRUPT(
    `the evidence cannot be read: ${error instanceof Error ? error.message : 'no reason'}`,
  )
}

function find(bytes: Uint8Array, receipt: Uint8Array): Uint8Array | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at + HEADER_BYTES <= bytes.byteLength;) {
    if (!b4a.equals(bytes.subarray(at, at + 4), MAGIC)) return null
    const end = at + HEADER_BYTES + view.getUint32(at + 4, true)
    if (end > bytes.byteLength) return null
    if (b4a.equals(bytes.subarray(at + 8, at + HEADER_BYTES), receipt)) return bytes.subarray(at + HEADER_BYTES, end)
    at = end
  }
  return null
}
