/**
 * Writes the evidence of answers and removes what is older than the audit window. It runs beside the receipts, never before
 * one: what a crash or a full disk takes is the newest evidence, and the log knows nothing of it.
 */
import { mkdir, open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import b4a from 'b4a'
import safetyCatch from 'safety-catch'
import { fileNameOf, pruneEvidence, recordOf, SPAN_MS } from './evidence-files.js'

export interface EvidenceKeeperOptions {
  readonly folder: string
  /** Milliseconds; 0 = nothing is kept. */
  readonly keepMs: number
  /** Unix milliseconds. */
  readonly now: () => number
  /** Told once for a run of failures. */
  readonly complain: (message: string) => void
}

/** A file is read as a whole when a window is shown. */
const MAX_FILE_BYTES = 32 * 1024 * 1024
/** Of what waits for the disk; more is let go. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024

interface Part {
  readonly file: FileHandle
  readonly start: number
  bytes: number
}

export class EvidenceKeeper {
  /** Resolves when what was too old at the start is gone. */
  readonly pruned: Promise<void>
  readonly #options: EvidenceKeeperOptions
  readonly #timer: NodeJS.Timeout
  #queue: Uint8Array[] = []
  #waiting = 0
  #flushing: Promise<void> | null = null
  #part: Part | null = null
  #failing = false
  #closed = false

  constructor(options: EvidenceKeeperOptions) {
    this.#options = options
    this.pruned = this.#prune()
    this.#timer = setInterval(() => void this.#prune(), SPAN_MS / 4).unref()
  }

  /** Resolves when it is in the file, or given up. Never rejects. */
  async add(receipt: Uint8Array, sealed: Uint8Array): Promise<void> {
    if (this.#closed || this.#options.keepMs === 0) return
    if (this.#waiting + sealed.byteLength > MAX_WAITING_BYTES) return this.#failed('the disk is too slow')
    const record = recordOf(receipt, sealed)
    this.#waiting += record.byteLength
    this.#queue.push(record)
    await (this.#flushing ??= this.#flush())
  }

  /** Idempotent; what waits is written first. */
  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    await this.#flushing
    await this.#end()
  }

  async #flush(): Promise<void> {
    while (this.#queue.length > 0) {
      const group = b4a.concat(this.#queue.splice(0))
      try {
        const part = await this.#current()
        await writeAll(part.file, group)
        part.bytes += group.byteLength
        this.#failing = false
      } catch (error) {
        this.#failed(error instanceof Error ? error.message : 'no reason')
        // A record that is half there ends its file.
        await this.#end()
      }
      this.#waiting -= group.byteLength
    }
    this.#flushing = null
  }

  async #current(): Promise<Part> {
    const now = this.#options.now()
    const part = this.#part
    if (part && now >= part.start && now < part.start + SPAN_MS && part.bytes < MAX_FILE_BYTES) return part
    await this.#end()
    await mkdir(this.#options.folder, { recursive: true, mode: 0o700 })
    return (this.#part = await begin(this.#options.folder, now))
  }

  async #end(): Promise<void> {
    const part = this.#part
    this.#part = null
    await part?.file.datasync().catch(safetyCatch)
    await part?.file.close().catch(safetyCatch)
  }

  #prune(): Promise<void> {
    const { folder, keepMs, now } = this.#options
    return pruneEvidence(folder, now() - keepMs).catch(safetyCatch)
  }

  #failed(reason: string): void {
    if (!this.#failing)
      this.#options.complain(
        `The evidence of answers cannot be kept: ${reason}. Answers and receipts go on; an audit of these would find nothing.`,
      )
    this.#failing = true
  }
}

/** In one millisecond a file may have been begun and filled. */
async function begin(folder: string, now: number): Promise<Part> {
  for (let start = now; ; start++) {
    try {
      return { file: await open(join(folder, fileNameOf(start)), 'wx', 0o600), start: now, bytes: 0 }
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    }
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.byteLength - done)
    done += bytesWritten
  }
}
