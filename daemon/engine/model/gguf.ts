/**
 * A bounded reader of GGUF headers (versions 2 and 3, little-endian), for naming a model, estimating its memory and
 * refusing broken files before anything is loaded. The daemon cannot use the library's reader: importing it costs 0.4 s
 * and native code.
 *
 *   file    = "GGUF" u32:version u64:tensors u64:pairs pair* tensor* padding data
 *   pair    = string:key u32:type value              string = u64:length bytes
 *   tensor  = string:name u32:dimensions u64* u32:type u64:offset
 *
 * Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
import { open } from 'node:fs/promises'
import { EngineError } from '../errors.js'
import { GgufCursor } from './gguf-cursor.js'
import { tensorBytes } from './tensor-types.js'

export type GgufScalar = string | number | boolean
export type GgufValue = GgufScalar | readonly number[] | { readonly length: number }

export interface GgufHeader {
  readonly version: number
  /** Arrays of strings and long arrays are there as their length only. */
  readonly metadata: ReadonlyMap<string, GgufValue>
  readonly tensors: number
  /** Number of weights. */
  readonly parameters: number
  /** Bytes of all tensors of this file. */
  readonly tensorBytes: number
  /** The file has at least this many bytes; 0 when a tensor type is unknown. */
  readonly dataEnd: number
}

export const GGUF_LIMITS = {
  pairs: 65_536,
  tensors: 65_536,
  key: 65_535,
  text: 4 << 20,
  keptArray: 4_096,
  dimensions: 4,
}

/** Throws `MODEL_INVALID`; opens and closes the file. `size`: bytes of the file. */
export async function readGgufHeader(path: string, size: number): Promise<GgufHeader> {
  const file = await open(path, 'r')
  try {
    return await parse(new GgufCursor(file, size))
  } finally {
    await file.close()
  }
}

async function parse(cursor: GgufCursor): Promise<GgufHeader> {
  await cursor.fill(24)
  if (cursor.text(4) !== 'GGUF') throw EngineError.MODEL_INVALID('not a GGUF file: it does not begin with "GGUF"')
  const version = cursor.u32()
  if (version !== 2 && version !== 3)
    throw EngineError.MODEL_INVALID(`GGUF version ${version} is not supported (2 and 3 are)`)
  const tensors = cursor.u64()
  const pairs = cursor.u64()
  if (tensors > GGUF_LIMITS.tensors) throw EngineError.MODEL_INVALID(`the header claims ${tensors} tensors`)
  if (pairs > GGUF_LIMITS.pairs) throw EngineError.MODEL_INVALID(`the header claims ${pairs} metadata pairs`)
  const metadata = new Map<string, GgufValue>()
  for (let i = 0; i < pairs; i++) {
    const key = await readText(cursor, GGUF_LIMITS.key)
    await need(cursor, 4)
    metadata.set(key, await readValue(cursor, cursor.u32()))
  }
  const weights = await readTensors(cursor, tensors)
  const alignment = Number(metadata.get('general.alignment') ?? 32) || 32
  const dataStart = Math.ceil(cursor.offset / alignment) * alignment
  return {
    version,
    metadata,
    tensors,
    parameters: weights.parameters,
    tensorBytes: weights.bytes ?? 0,
    dataEnd: weights.end === null ? 0 : dataStart + weights.end,
  }
}

interface Weights {
  readonly parameters: number
  readonly bytes: number | null
  readonly end: number | null
}

async function readTensors(cursor: GgufCursor, tensors: number): Promise<Weights> {
  let parameters = 0
  let bytes: number | null = 0
  let end: number | null = 0
  for (let i = 0; i < tensors; i++) {
    await readText(cursor, GGUF_LIMITS.key)
    await need(cursor, 4)
    const dimensions = cursor.u32()
    if (dimensions > GGUF_LIMITS.dimensions) throw EngineError.MODEL_INVALID(`a tensor claims ${dimensions} dimensions`)
    await need(cursor, dimensions * 8 + 12)
    let elements = 1
    for (let d = 0; d < dimensions; d++) elements *= cursor.u64()
    const length = tensorBytes(cursor.u32(), elements)
    const offset = cursor.u64()
    parameters += elements
    bytes = bytes === null || length === null ? null : bytes + length
    end = end === null || length === null ? null : Math.max(end, offset + length)
  }
  return { parameters, bytes, end }
}

async function need(cursor: GgufCursor, bytes: number): Promise<void> {
  if (cursor.buffered < bytes) await cursor.fill(bytes)
}

async function readText(cursor: GgufCursor, limit: number): Promise<string> {
  await need(cursor, 8)
  const length = cursor.u64()
  if (length > limit) throw EngineError.MODEL_INVALID(`a text in the header claims ${length} bytes`)
  await need(cursor, length)
  return cursor.text(length)
}

/** GGUF value types by number: how many bytes, and how to read them. */
const SCALARS: readonly (readonly [bytes: number, read: (bytes: Buffer) => GgufScalar] | null)[] = [
  [1, (b) => b.readUInt8(0)],
  [1, (b) => b.readInt8(0)],
  [2, (b) => b.readUInt16LE(0)],
  [2, (b) => b.readInt16LE(0)],
  [4, (b) => b.readUInt32LE(0)],
  [4, (b) => b.readInt32LE(0)],
  [4, (b) => b.readFloatLE(0)],
  [1, (b) => b.readUInt8(0) !== 0],
  null,
  null,
  [8, (b) => Number(b.readBigUInt64LE(0))],
  [8, (b) => Number(b.readBigInt64LE(0))],
  [8, (b) => b.readDoubleLE(0)],
]
const TEXT = 8
const ARRAY = 9

async function readValue(cursor: GgufCursor, type: number): Promise<GgufValue> {
  if (type === TEXT) return readText(cursor, GGUF_LIMITS.text)
  if (type === ARRAY) return readArray(cursor)
  const scalar = SCALARS[type]
  if (scalar === undefined || scalar === null)
    throw EngineError.MODEL_INVALID(`unknown metadata type ${type} in the header`)
  await need(cursor, scalar[0])
  return scalar[1](cursor.bytes(scalar[0]))
}

async function readArray(cursor: GgufCursor): Promise<GgufValue> {
  await need(cursor, 12)
  const type = cursor.u32()
  const length = cursor.u64()
  if (type === ARRAY) throw EngineError.MODEL_INVALID('arrays of arrays are not supported in a header')
  if (type === TEXT) {
    for (let i = 0; i < length; i++) {
      if (cursor.buffered < 8) await cursor.fill(8)
      const bytes = cursor.u64()
      if (bytes > GGUF_LIMITS.text) throw EngineError.MODEL_INVALID(`a text in the header claims ${bytes} bytes`)
      await cursor.skip(bytes)
    }
    return { length }
  }
  const scalar = SCALARS[type]
  if (scalar === undefined || scalar === null)
    throw EngineError.MODEL_INVALID(`unknown array type ${type} in the header`)
  if (length > GGUF_LIMITS.keptArray) {
    await cursor.skip(length * scalar[0])
    return { length }
  }
  const values: number[] = []
  await need(cursor, length * scalar[0])
  for (let i = 0; i < length; i++) values.push(Number(scalar[1](cursor.bytes(scalar[0]))))
  return values
}
