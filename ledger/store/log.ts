/**
 * The log of transactions and the ciphertexts beside it: two Hypercores that only grow, appended in groups.
 *
 * Appends that come together are one batch in each core and one fdatasync; an append resolves when it is on the disk.
 * Bodies are appended first: a crash between the two leaves blocks that nothing points at, never a pointer to nothing.
 */
import b4a from 'b4a'
import type Hypercore from 'hypercore'
import { LedgerError } from '../errors.js'
import { bodyHash } from '../content.js'
import type { WriteAheadLogs } from './disk.js'
import { decodeEntry, encodeEntry } from './entry.js'
import type { Entry } from './entry.js'
import { MAX_FORGET } from './forgotten.js'
import type { Forgotten } from './forgotten.js'

/**
 * Hypercore sends a block in one message: bodies are cut into these. Each takes an even number of blocks, filled up with
 * an empty one, so that it begins at an even index and can be cleared without harm (untyped/hypercore.d.ts).
 */
const BODY_BLOCK_BYTES = 256 * 1024
const MAX_GROUP = 256
const MAX_GROUP_BYTES = 16 * 1024 * 1024
/** Waiting appends; above it the node is told to slow down. */
const MAX_WAITING = 16_384

export interface Appended {
  readonly position: number
  readonly entry: Entry
}

/** `ciphertext` null: the content is not kept. */
export interface NewEntry extends Omit<Entry, 'body'> {
  readonly ciphertext: Uint8Array | null
}

interface Waiting {
  readonly entry: NewEntry
  readonly resolve: (appended: Appended) => void
  readonly reject: (error: Error) => void
}

/** Who follows the log, group by group. */
export interface LogObserver {
  /** Before the appends resolve: whoever appended finds its entry at once. */
  durable(appended: readonly Appended[]): void
  /** After they resolved; the next group waits for it, and a failure stops the log. */
  acknowledged(appended: readonly Appended[]): Promise<void>
}

export class TransactionLog {
  readonly #log: Hypercore
  readonly #bodies: Hypercore
  readonly #forgotten: Forgotten
  readonly #disk: Pick<WriteAheadLogs, 'sync'>
  readonly #observer: LogObserver
  #queue: Waiting[] = []
  #flushing: Promise<void> | null = null
  #refusal: LedgerError | null = null

  constructor(
    cores: { readonly log: Hypercore; readonly bodies: Hypercore },
    forgotten: Forgotten,
    disk: Pick<WriteAheadLogs, 'sync'>,
    observer: LogObserver,
  ) {
    this.#log = cores.log
    this.#bodies = cores.bodies
    this.#forgotten = forgotten
    this.#disk = disk
    this.#observer = observer
  }

  /** Transactions. */
  get length(): number {
    return Math.floor(this.#log.length / 2)
  }

  /**
   * Resolves when the entry is durable. Throws `STORE_WRITE_FAILED`, after which nothing more is taken until the store is
   * opened again, and `STORE_CLOSED`.
   */
  append(entry: NewEntry): Promise<Appended> {
    if (this.#refusal) return Promise.reject(this.#refusal)
    if (this.#queue.length >= MAX_WAITING) {
      return Promise.reject(LedgerError.STORE_WRITE_FAILED('the log', new Error('too many appends are waiting')))
    }
    const done = new Promise<Appended>((resolve, reject) => {
      this.#queue.push({ entry, resolve, reject })
    })
    this.#flushing ??= this.#flush()
    return done
  }

  /** The entry at a position, without content keys where they are forgotten. Throws `STORE_CORRUPT` when it is not here. */
  async get(position: number): Promise<Entry> {
    const forgotten = this.#forgotten.has(position)
    const [keys, record] = await Promise.all([
      forgotten ? null : this.#log.get(2 * position, { wait: false }),
      this.#log.get(2 * position + 1, { wait: false }),
    ])
    if (!record) throw LedgerError.STORE_CORRUPT(`the log has no transaction ${position}`)
    return decodeEntry(keys, record)
  }

  /** The same without content keys, as if they were forgotten: half the reads, for whoever only adds up. */
  async bare(position: number): Promise<Entry> {
    const record = await this.#log.get(2 * position + 1, { wait: false })
    if (!record) throw LedgerError.STORE_CORRUPT(`the log has no transaction ${position}`)
    return decodeEntry(null, record)
  }

  /** The ciphertext of an entry, or null when it was not kept or is pruned. Throws `STORE_CORRUPT` when its hash differs. */
  async body(entry: Entry): Promise<Uint8Array | null> {
    if (!entry.body) return null
    const { first, blocks } = entry.body
    const indices = Array.from({ length: blocks }, (_, i) => first + i)
    const parts = await Promise.all(indices.map((index) => this.#bodies.get(index, { wait: false })))
    const whole = parts.filter((part) => part !== null)
    if (whole.length < blocks) return null
    const ciphertext = b4a.concat(whole)
    if (!b4a.equals(bodyHash(ciphertext), entry.transaction.statement.body.hash)) {
      throw LedgerError.STORE_CORRUPT(`the body at block ${first} is not the one that was signed`)
    }
    return ciphertext
  }

  /**
   * Destroys content keys and bodies of these transactions on this disk: first a durable note that it is wanted, then the
   * blocks, then the space they took. Statements and signatures stay.
   */
  async forget(positions: readonly number[]): Promise<void> {
    const wanted = [...new Set(positions)].filter((one) => one < this.length && !this.#forgotten.has(one))
    for (let i = 0; i < wanted.length; i += MAX_FORGET) {
      await this.#forgotten.add(wanted.slice(i, i + MAX_FORGET).sort((a, b) => a - b))
      await this.#disk.sync()
      await this.finishForgetting()
    }
  }

  /** Clears what the newest note of `Forgotten` names; also after a crash, so it may be done already. */
  async finishForgetting(): Promise<void> {
    let cleared = false
    for (const position of this.#forgotten.last) {
      if (!(await this.#log.has(2 * position))) continue
      const { body } = await this.get(position)
      if (body) await this.#bodies.clear(body.first, body.first + body.blocks)
      // The keys last: while they are there, this position is not finished.
      await this.#log.clear(2 * position, 2 * position + 1)
      cleared = true
    }
    if (!cleared) return
    await this.#disk.sync()
    await this.#log.compact()
    await this.#bodies.compact()
  }

  /** Clears all bodies before a body block; resolves with how many blocks that were. */
  async clearBodies(before: number): Promise<number> {
    let held = 0
    for (let block = 0; block < before; block++) if (await this.#bodies.has(block)) held++
    if (held === 0) return 0
    await this.#bodies.clear(0, before)
    await this.#disk.sync()
    await this.#bodies.compact()
    return held
  }

  /** Idempotent; appends under way are finished first. */
  async close(): Promise<void> {
    this.refuse(LedgerError.STORE_CLOSED('the log'))
    await this.#flushing
  }

  /** No more appends, for the reason given; null = take them again. */
  refuse(reason: LedgerError | null): void {
    this.#refusal = reason
  }

  async #flush(): Promise<void> {
    await Promise.resolve()
    while (this.#queue.length > 0) {
      const group = takeGroup(this.#queue)
      try {
        const appended = await this.#appendGroup(group.map(({ entry }) => entry))
        this.#observer.durable(appended)
        group.forEach(({ resolve, reject }, i) => {
          const one = appended[i]
          if (one) resolve(one)
          else reject(LedgerError.STORE_CORRUPT('an append without a position'))
        })
        await this.#observer.acknowledged(appended)
      } catch (error) {
        const failure = error instanceof LedgerError ? error : LedgerError.STORE_WRITE_FAILED('the log', error)
        this.#refusal = failure
        for (const { reject } of [...group, ...this.#queue.splice(0)]) reject(failure)
      }
    }
    this.#flushing = null
  }

  async #appendGroup(group: readonly NewEntry[]): Promise<Appended[]> {
    let next = this.#bodies.length
    const blocks: Uint8Array[] = []
    const entries = group.map(({ role, times, transaction, ciphertext }): Entry => {
      if (!ciphertext) return { role, times, body: null, transaction }
      const first = next
      const parts = cut(ciphertext)
      blocks.push(...parts, ...(parts.length % 2 === 1 ? [b4a.alloc(0)] : []))
      next += parts.length + (parts.length % 2)
      return { role, times, body: { first, blocks: parts.length }, transaction }
    })
    const encoded = entries.flatMap(encodeEntry)
    if (blocks.length > 0) await this.#bodies.append(blocks)
    const { length } = await this.#log.append(encoded)
    await this.#disk.sync()
    return entries.map((entry, i) => ({ position: length / 2 - entries.length + i, entry }))
  }
}

/** Takes from the front: at least one, at most a group. */
function takeGroup(queue: Waiting[]): Waiting[] {
  let count = 0
  for (let bytes = 0; count < Math.min(queue.length, MAX_GROUP); count++) {
    bytes += queue[count]?.entry.ciphertext?.byteLength ?? 0
    if (count > 0 && bytes > MAX_GROUP_BYTES) break
  }
  return queue.splice(0, count)
}

function cut(ciphertext: Uint8Array): Uint8Array[] {
  const count = Math.ceil(ciphertext.byteLength / BODY_BLOCK_BYTES)
  return Array.from({ length: count }, (_, i) => ciphertext.subarray(i * BODY_BLOCK_BYTES, (i + 1) * BODY_BLOCK_BYTES))
}
