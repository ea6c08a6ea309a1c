/**
 * The part of a log that two nodes share, asked for over a channel on their connection: a party gets the transactions in
 * which it is named, and nobody gets anything else. Hypercore's own replication cannot do that, because whoever may ask for
 * one block of a core may ask for all.
 *
 *   want = version uint8 (1) | before optional uint | most uint
 *   part = version uint8 (1) | next optional uint | list of (role uint8 | transaction | optional ciphertext)
 *
 * What arrives needs no trust: a transaction counts when the asker is named in it, the other side signed it, and the
 * ciphertext has the hash that was signed. `before` and `next` are places in the log of the side that answers.
 */
import b4a from 'b4a'
import { bytes, decode, encode, list, oneOf, optional, struct, uint, version } from '../codec.js'
import type { Codec } from '../codec.js'
import { bodyHash } from '../content.js'
import { LedgerError } from '../errors.js'
import { contradictions, isConsumerSigned, isProviderSigned } from '../receipt.js'
import { decodeTransaction, encodeTransaction, MAX_TRANSACTION_BYTES } from '../transaction.js'
import type { Transaction } from '../transaction.js'
import type { Entry, Role } from './entry.js'
import type { Filter } from './index-keys.js'

/** Transactions of one part. */
export const MAX_SHARED = 32
/** Ciphertexts of one part together, so that it fits into one message of a connection; a longer one stays behind. */
const MAX_BODIES_BYTES = 4 * 1024 * 1024

export interface Want {
  /** Only what lies before this place; null = from the newest on. */
  readonly before: number | null
  readonly most: number
}

export interface SharedEntry {
  /** The side that the answering node was. */
  readonly role: Role
  readonly transaction: Transaction
  readonly ciphertext: Uint8Array | null
}

export interface Part {
  /** To ask on from; null = that was all. */
  readonly next: number | null
  readonly entries: readonly SharedEntry[]
}

interface EncodedEntry {
  readonly role: Role
  readonly transaction: Uint8Array
  readonly ciphertext: Uint8Array | null
}

const PLACE = uint(Number.MAX_SAFE_INTEGER)

const WANT = struct<Want & { version: number }>({
  version: version('the wish for a shared part', 1),
  before: optional(PLACE),
  most: uint(MAX_SHARED),
})

const PART: Codec<{ version: number; next: number | null; entries: readonly EncodedEntry[] }> = struct<{
  version: number
  next: number | null
  entries: readonly EncodedEntry[]
}>({
  version: version('the shared part', 1),
  next: optional(PLACE),
  entries: list(
    struct<EncodedEntry>({
      role: oneOf('a role', ['consumer', 'provider']),
      transaction: bytes(MAX_TRANSACTION_BYTES),
      ciphertext: optional(bytes(MAX_BODIES_BYTES)),
    }),
    MAX_SHARED,
  ),
})

export function encodeWant({ before, most }: Want): Uint8Array {
  return encode(WANT, { version: 1, before, most })
}

/** Throws `BAD_ENCODING` or `UNKNOWN_VERSION`. */
export function decodeWant(encoded: Uint8Array): Want {
  const { before, most } = decode(WANT, encoded)
  return { before, most }
}

export function encodePart({ next, entries }: Part): Uint8Array {
  const encoded = entries.map((entry) => ({ ...entry, transaction: encodeTransaction(entry.transaction) }))
  return encode(PART, { version: 1, next, entries: encoded })
}

/** Throws `BAD_ENCODING` or `UNKNOWN_VERSION`. Nothing is verified yet: `assertShared`. */
export function decodePart(encoded: Uint8Array): Part {
  const { next, entries } = decode(PART, encoded)
  return { next, entries: entries.map((entry) => ({ ...entry, transaction: decodeTransaction(entry.transaction) })) }
}

/** What the answering side reads. */
export interface SharedSource {
  query(filter: Filter, limit: number): Promise<{ position: number; entry: Entry }[]>
  ciphertext(entry: Entry): Promise<Uint8Array | null>
}

/** What is told to `peer`, whose key the connection has proven. Newest first. */
export async function partFor(source: SharedSource, peer: Uint8Array, want: Want): Promise<Part> {
  const most = Math.max(1, want.most)
  const filter = { counterparty: peer, ...(want.before === null ? {} : { before: want.before }) }
  const found = await source.query(filter, most)
  const entries: SharedEntry[] = []
  let room = MAX_BODIES_BYTES
  for (const { entry } of found) {
    const body = entry.transaction.statement.body.bytes <= room ? await source.ciphertext(entry) : null
    room -= body?.byteLength ?? 0
    entries.push({ role: entry.role, transaction: entry.transaction, ciphertext: body })
  }
  const last = found.at(-1)
  return { next: last && found.length === most ? last.position : null, entries }
}

/**
 * Refuses what `peer` has no business to tell `own`: throws `BAD_ENCODING` for a transaction between others or one that
 * contradicts itself, `RECEIPT_BAD_SIGNATURE` where the peer did not sign, `STORE_CORRUPT` for another body.
 */
export function assertShared({ role, transaction, ciphertext }: SharedEntry, own: Uint8Array, peer: Uint8Array): void {
  const { statement } = transaction
  const [theirs, ours] =
    role === 'provider' ? [statement.provider, statement.consumer] : [statement.consumer, statement.provider]
  if (!b4a.equals(theirs, peer) || !b4a.equals(ours, own)) {
    throw LedgerError.BAD_ENCODING('a transaction between others')
  }
  if (contradictions(statement).length > 0) throw LedgerError.BAD_ENCODING('a transaction that contradicts itself')
  const signed = role === 'provider' ? isProviderSigned(transaction) : isConsumerSigned(transaction)
  if (!signed) throw LedgerError.RECEIPT_BAD_SIGNATURE(role)
  if (ciphertext && !b4a.equals(bodyHash(ciphertext), statement.body.hash)) {
    throw LedgerError.STORE_CORRUPT('a body that is not the one that was signed')
  }
}
