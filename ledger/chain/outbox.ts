/**
 * Transactions on their way, in a journal of their own. One `tick` does what there is to do now; whoever owns the outbox
 * calls it again and again. Nothing is sent before the disk holds that it may have been.
 */
import { LedgerError } from '../errors.js'
import type { Journal } from '../store/journal.js'
import { ChainError } from './errors.js'
import { isOpen, step } from './outbox-states.js'
import type { OutboxEntry, Sighting } from './outbox-states.js'

const VERSION = 1
const MAX_OPEN = 256
/** Finished entries that are kept to be looked at. */
const MAX_DONE = 1_000
/** A transaction that nobody has seen is sent again this often while this process lives. */
const RESEND_MS = 2_000

/** What the outbox needs of a chain. */
export interface OutboxChain {
  /** Hands it to a node. Whatever this throws, the transaction may be on its way. */
  send(wire: Uint8Array): Promise<void>
  /** In the order of the signatures, all by one node. Throws when no node answers. */
  look(signatures: readonly string[]): Promise<Sighting[]>
}

export type OutboxJournal = Pick<Journal, 'entries' | 'write' | 'close'>

export interface OutboxOptions {
  readonly journal: OutboxJournal
  readonly chain: OutboxChain
  /** Unix milliseconds. */
  readonly now: () => number
}

export type Draft = Pick<OutboxEntry, 'id' | 'signature' | 'wire' | 'lastValidBlockHeight' | 'purpose'>

export class Outbox {
  readonly #journal: OutboxJournal
  readonly #chain: OutboxChain
  readonly #now: () => number
  readonly #entries = new Map<string, OutboxEntry>()
  readonly #listeners = new Set<(entry: OutboxEntry) => void>()
  /** When a transaction was sent by this process. One that an earlier process sent is not here, and is only asked for. */
  readonly #sent = new Map<string, number>()
  #turn: Promise<void> = Promise.resolve()
  #closed = false

  /** Throws `STORE_CORRUPT` for entries that no version wrote. */
  constructor({ journal, chain, now }: OutboxOptions) {
    this.#journal = journal
    this.#chain = chain
    this.#now = now
    for (const [key, bytes] of journal.entries()) this.#entries.set(key, decode(bytes))
  }

  get(id: string): OutboxEntry | null {
    return this.#entries.get(id) ?? null
  }

  /** Oldest first. */
  list(): OutboxEntry[] {
    return [...this.#entries.values()]
  }

  /** Told after the change is on the disk. */
  onChange(listener: (entry: OutboxEntry) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Durable when it resolves; nothing is sent yet. Throws `REQUEST_DUPLICATE`, `CHANNEL_BUSY`, `STORE_WRITE_FAILED`. */
  async prepare(draft: Draft): Promise<OutboxEntry> {
    if (this.#entries.has(draft.id)) throw LedgerError.REQUEST_DUPLICATE(draft.id)
    if (this.list().filter(isOpen).length >= MAX_OPEN) throw LedgerError.CHANNEL_BUSY(MAX_OPEN)
    const entry: OutboxEntry = { ...draft, phase: 'prepared', preparedAt: this.#now(), missing: 0, failure: null }
    // Taken before it is written: a second `prepare` with this id must not pass meanwhile.
    this.#entries.set(entry.id, entry)
    try {
      await this.#journal.write([[entry.id, encode(entry)], ...this.#forgotten()])
    } catch (error) {
      this.#entries.delete(entry.id)
      throw error
    }
    return entry
  }

  /**
   * Sends what is prepared, asks for what is under way, writes down what has become of it. Resolves when that is done;
   * no failure of a node ends it. Throws `STORE_WRITE_FAILED`, `STORE_CLOSED`. Calls wait for each other.
   */
  tick(): Promise<void> {
    if (this.#closed) return Promise.reject(LedgerError.STORE_CLOSED('the outbox'))
    const next = this.#turn.then(() => this.#tick())
    this.#turn = next.catch(() => undefined)
    return next
  }

  /** Forgets a finished entry. */
  async forget(id: string): Promise<void> {
    const entry = this.#entries.get(id)
    if (!entry || isOpen(entry)) return
    this.#entries.delete(id)
    await this.#journal.write([[id, null]])
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#listeners.clear()
    await this.#turn
    await this.#journal.close()
  }

  async #tick(): Promise<void> {
    await this.#look()
    for (const entry of this.list()) {
      if (entry.phase === 'prepared') await this.#submit(entry)
      else if (entry.phase === 'submitted') await this.#resend(entry)
    }
    await this.#look((entry) => this.#sent.has(entry.id))
  }

  async #submit(entry: OutboxEntry): Promise<void> {
    await this.#change(step(entry, { type: 'submit' }))
    await this.#send(entry)
  }

  /** The same bytes again: a chain takes a signature once, however often it comes. */
  async #resend(entry: OutboxEntry): Promise<void> {
    const sent = this.#sent.get(entry.id)
    if (sent !== undefined && entry.missing === 0 && this.#now() - sent >= RESEND_MS) await this.#send(entry)
  }

  async #send({ id, wire }: OutboxEntry): Promise<void> {
    this.#sent.set(id, this.#now())
    try {
      await this.#chain.send(Buffer.from(wire, 'base64'))
    } catch (error) {
      // Lost, refused or taken: only the chain knows, and is asked.
      if (!(error instanceof Error)) throw error
    }
  }

  async #look(wanted: (entry: OutboxEntry) => boolean = () => true): Promise<void> {
    const open = this.list().filter((entry) => isOpen(entry) && wanted(entry))
    if (open.length === 0) return
    let sightings: Sighting[]
    try {
      sightings = await this.#chain.look(open.map(({ signature }) => signature))
    } catch (error) {
      if (error instanceof ChainError) return
      throw error
    }
    for (const [index, entry] of open.entries()) {
      const sighting = sightings[index]
      if (sighting) await this.#change(step(entry, { type: 'sighting', ...sighting }))
    }
  }

  async #change(entry: OutboxEntry): Promise<void> {
    if (this.#entries.get(entry.id) === entry) return
    await this.#journal.write([[entry.id, encode(entry)]])
    this.#entries.set(entry.id, entry)
    if (!isOpen(entry)) this.#sent.delete(entry.id)
    for (const listener of this.#listeners) listener(entry)
  }

  /** Makes room: the oldest finished entries, as deletions. */
  #forgotten(): [string, null][] {
    const done = this.list().filter((entry) => !isOpen(entry))
    const old = done.slice(0, Math.max(0, done.length - MAX_DONE))
    for (const { id } of old) this.#entries.delete(id)
    return old.map(({ id }) => [id, null])
  }
}

function encode(entry: OutboxEntry): Uint8Array {
  return Buffer.from(JSON.stringify({ version: VERSION, ...entry }))
}

function decode(bytes: Uint8Array): OutboxEntry {
  const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
  if (typeof value !== 'object' || value === null || !('version' in value) || value.version !== VERSION)
    throw LedgerError.STORE_CORRUPT('an entry of the settlement outbox that this version cannot read')
  const { version: _, ...entry } = value as OutboxEntry & { readonly version: number }
  return entry
}
