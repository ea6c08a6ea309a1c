/**
 * The bytes of a journal (journal.ts).
 *
 *   file    = frames
 *   frame   = "SWJ1" | length u32 LE of the payload | sequence u64 LE | hash 32 of all other bytes | payload
 *   payload = changes: key length u8 | key UTF-8 | value length u32 LE, 2^32 − 1 = deleted | value
 */
import b4a from 'b4a'
import { HASH_BYTES, hash } from '../crypto.js'
import { LedgerError } from '../errors.js'

const MAGIC = b4a.from('SWJ1')
const HEADER_BYTES = 16 + HASH_BYTES
const MAX_KEY_BYTES = 255
const MAX_VALUE_BYTES = 1024 * 1024
const DELETED = 2 ** 32 - 1

/** null deletes. */
export type Change = readonly [key: string, value: Uint8Array | null]

/** What a file says: its map, the next frame's sequence, and where the good frames end. */
export interface Scan {
  readonly map: Map<string, Uint8Array>
  readonly sequence: bigint
  readonly end: number
}

/** Reads all good frames. Throws `STORE_CORRUPT` when one follows on damage. */
export function scan(bytes: Uint8Array, path: string): Scan {
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

export function frameOf(sequence: bigint, changes: readonly Uint8Array[]): Uint8Array {
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

export function encodeChanges(changes: readonly Change[]): Uint8Array {
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

export function apply(map: Map<string, Uint8Array>, changes: readonly Change[]): void {
  for (const [key, value] of changes) {
    if (value) map.set(key, value)
    else map.delete(key)
  }
}

/** Bytes that a file with these entries takes, about. */
export function size(map: Map<string, Uint8Array>): number {
  let bytes = 0
  for (const [key, value] of map) bytes += key.length + value.byteLength + 5
  return bytes
}
