/**
 * What one connected peer is told of this log: the transactions in which it is named, under its key on the connection or
 * under earlier ones that it has proven, with the key that this node has on the connection. A node that has another key at
 * each start never shows a peer which of its earlier ones were its own.
 */
import b4a from 'b4a'
import { LedgerError } from '../errors.js'
import { isClaimed } from './claims.js'
import type { Ends } from './claims.js'
import { counterparty } from './entry.js'
import type { Entry } from './entry.js'
import type { Filter } from './index-keys.js'
import { MAX_BODIES_BYTES, MAX_SHARED } from './shared.js'
import type { Claimed, Part, SharedEntry, Want } from './shared.js'

/** Earlier keys of one peer with which there is something. */
const MAX_PROVEN = 65_536
/** Entries with a peer that are passed over in a row, because another key of this node signed them. */
const MAX_PASSED = 4096

/** What is read of the log. */
export interface SharedSource {
  /** Entries with a counterparty, oldest first, behind a position (null: from the first on). */
  forward(filter: Filter, after: number | null, limit: number): Promise<{ position: number; entry: Entry }[]>
  /** Positions with this transaction id. */
  find(id: Uint8Array): Promise<number[]>
  get(position: number): Promise<Entry>
  ciphertext(entry: Entry): Promise<Uint8Array | null>
}

export class SharedAnswers {
  readonly #source: SharedSource
  readonly #ends: Ends
  readonly #proven = new Set<string>()

  constructor(source: SharedSource, ends: Ends) {
    this.#source = source
    this.#ends = ends
  }

  /** Places of the claimed keys with which there is something. Throws `RECEIPT_BAD_SIGNATURE` when one is not the peer's. */
  async held(claimed: readonly Claimed[]): Promise<number[]> {
    for (const one of claimed) if (!isClaimed(one, this.#ends)) throw LedgerError.RECEIPT_BAD_SIGNATURE('consumer')
    const places: number[] = []
    for (const [place, { key }] of claimed.entries()) {
      const first = await this.#with(key, null, 1)
      if (first.length === 0) continue
      if (this.#proven.size >= MAX_PROVEN) throw LedgerError.BAD_ENCODING('a claim to too many keys')
      this.#proven.add(b4a.toString(key, 'hex'))
      places.push(place)
    }
    return places
  }

  /** Throws `BAD_ENCODING` for a key that was not proven. */
  async part({ whose, after, most }: Want): Promise<Part> {
    const { asker } = this.#ends
    if (whose && !this.#proven.has(b4a.toString(whose, 'hex'))) throw LedgerError.BAD_ENCODING('a key without a proof')
    const peer = whose ?? asker
    const behind = after && (await this.#positionOf(after, peer))
    if (after && behind === null) return { more: false, entries: [] }
    const limit = Math.max(1, most)
    const found = await this.#with(peer, behind, limit)
    const entries: SharedEntry[] = []
    let room = MAX_BODIES_BYTES
    for (const entry of found) {
      const body = entry.transaction.statement.body.bytes <= room ? await this.#source.ciphertext(entry) : null
      room -= body?.byteLength ?? 0
      entries.push({ role: entry.role, transaction: entry.transaction, ciphertext: body })
    }
    return { more: found.length === limit, entries }
  }

  /** Entries between a key of the peer's and this node's key on the connection, oldest first. */
  async #with(peer: Uint8Array, after: number | null, limit: number): Promise<Entry[]> {
    const found: Entry[] = []
    for (let passed = 0, behind = after; passed < MAX_PASSED;) {
      const page = await this.#source.forward({ counterparty: peer }, behind, MAX_SHARED)
      for (const { position, entry } of page) {
        behind = position
        if (!b4a.equals(ownKey(entry), this.#ends.answerer)) passed++
        else if (found.push(entry) === limit) return found
      }
      if (page.length < MAX_SHARED) break
    }
    return found
  }

  /** Several may claim one id: the last of them that this peer is in, as it was told. */
  async #positionOf(id: Uint8Array, peer: Uint8Array): Promise<number | null> {
    for (const position of (await this.#source.find(id)).reverse()) {
      const entry = await this.#source.get(position)
      if (b4a.equals(counterparty(entry), peer) && b4a.equals(ownKey(entry), this.#ends.answerer)) return position
    }
    return null
  }
}

function ownKey({ role, transaction: { statement } }: Entry): Uint8Array {
  return role === 'consumer' ? statement.consumer : statement.provider
}
