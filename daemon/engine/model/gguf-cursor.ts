/** Reads a file forward in bounded pieces. Anything past the end of the file is a truncated GGUF. */
import type { FileHandle } from 'node:fs/promises'
import { EngineError } from '../errors.js'

const PIECE = 256 * 1024

export class GgufCursor {
  readonly #file: FileHandle
  readonly #size: number
  #buffer = Buffer.alloc(0)
  #at = 0
  /** File offset of the buffer's first byte. */
  #base = 0

  constructor(file: FileHandle, size: number) {
    this.#file = file
    this.#size = size
  }

  get offset(): number {
    return this.#base + this.#at
  }

  get buffered(): number {
    return this.#buffer.length - this.#at
  }

  /** Makes at least `bytes` readable with the plain getters below. Only called when they are not, so that it is rarely awaited. */
  async fill(bytes: number): Promise<void> {
    if (this.offset + bytes > this.#size) throw truncated(this.offset + bytes, this.#size)
    const want = Math.max(bytes, Math.min(PIECE, this.#size - this.offset))
    const next = Buffer.allocUnsafe(want)
    const { bytesRead } = await this.#file.read(next, 0, want, this.offset)
    if (bytesRead < bytes) throw truncated(this.offset + bytes, this.offset + bytesRead)
    this.#base = this.offset
    this.#at = 0
    this.#buffer = next.subarray(0, bytesRead)
  }

  async skip(bytes: number): Promise<void> {
    if (bytes > this.buffered && this.offset + bytes > this.#size) throw truncated(this.offset + bytes, this.#size)
    if (bytes <= this.buffered) {
      this.#at += bytes
      return
    }
    this.#base = this.offset + bytes
    this.#buffer = Buffer.alloc(0)
    this.#at = 0
  }

  u32(): number {
    this.#at += 4
    return this.#buffer.readUInt32LE(this.#at - 4)
  }

  /** A count or length; what does not fit a safe integer cannot belong to a real file. */
  u64(): number {
    this.#at += 8
    const value = this.#buffer.readBigUInt64LE(this.#at - 8)
    if (value > BigInt(Number.MAX_SAFE_INTEGER))
      throw EngineError.MODEL_INVALID(`a length in the header is absurd: ${value}`)
    return Number(value)
  }

  text(bytes: number): string {
    this.#at += bytes
    return this.#buffer.toString('utf8', this.#at - bytes, this.#at)
  }

  bytes(length: number): Buffer {
    this.#at += length
    return this.#buffer.subarray(this.#at - length, this.#at)
  }
}

function truncated(needed: number, size: number): EngineError {
  return EngineError.MODEL_INVALID(
    `the file is cut off: its header needs at least ${needed} bytes, the file has ${size}`,
  )
}
