/**
 * The part of a log that two nodes share, asked for over a channel on their connection: a party gets the transactions in
 * which it is named, and nobody gets anything else. Hypercore's own replication cannot do that, because whoever may ask for
 * one block of a core may ask for all.
 *
 *   want  = version uint8 (1) | whose optional key 32 | after optional transaction id 16 | most uint
 *   part  = version uint8 (1) | more flag | list of (role uint8 | transaction | optional ciphertext), oldest first
 *   claim = version uint8 (1) | list (128) of (key 32 | signature 64)
 *   held  = version uint8 (1) | list (128) of places in the claim, ascending: keys with which there are transactions
 *
 * `whose` names a key that was claimed on this connection; without it the connection's own is meant. Places in a log are
 * never told: they would say how much there is with others.
 */
import { bytes, decode, encode, fixed, flag, list, oneOf, optional, struct, uint, version } from '../codec.js'
import type { Codec } from '../codec.js'
import { KEY_BYTES, SIGNATURE_BYTES } from '../crypto.js'
import { decodeTransaction, encodeTransaction, MAX_TRANSACTION_BYTES } from '../transaction.js'
import type { Transaction } from '../transaction.js'
import type { Role } from './entry.js'

/** Transactions of one part. */
export const MAX_SHARED = 32
/** Ciphertexts of one part together, so that it fits into one message of a connection; a longer one stays behind. */
export const MAX_BODIES_BYTES = 4 * 1024 * 1024
/** Keys of one claim: a hundredth of a second to check. */
export const MAX_CLAIMED = 128
const ID_BYTES = 16

export interface Want {
  /** A key that was claimed before; null = the asker's key on this connection. */
  readonly whose: Uint8Array | null
  /** Only what follows on this transaction; null = from the oldest on. */
  readonly after: Uint8Array | null
  readonly most: number
}

export interface SharedEntry {
  /** The side that the answering node was. */
  readonly role: Role
  readonly transaction: Transaction
  readonly ciphertext: Uint8Array | null
}

export interface Part {
  /** There is more after the last entry. */
  readonly more: boolean
  readonly entries: readonly SharedEntry[]
}

/** A key that is the asker's as well: its signature is over this very connection (claims.ts). */
export interface Claimed {
  readonly key: Uint8Array
  readonly signature: Uint8Array
}

interface EncodedEntry {
  readonly role: Role
  readonly transaction: Uint8Array
  readonly ciphertext: Uint8Array | null
}

interface EncodedPart {
  readonly version: number
  readonly more: boolean
  readonly entries: readonly EncodedEntry[]
}

const WANT = struct<Want & { version: number }>({
  version: version('the wish for a shared part', 1),
  whose: optional(fixed(KEY_BYTES)),
  after: optional(fixed(ID_BYTES)),
  most: uint(MAX_SHARED),
})

const PART: Codec<EncodedPart> = struct<EncodedPart>({
  version: version('the shared part', 1),
  more: flag,
  entries: list(
    struct<EncodedEntry>({
      role: oneOf('a role', ['consumer', 'provider']),
      transaction: bytes(MAX_TRANSACTION_BYTES),
      ciphertext: optional(bytes(MAX_BODIES_BYTES)),
    }),
    MAX_SHARED,
  ),
})

const CLAIM = struct<{ version: number; keys: readonly Claimed[] }>({
  version: version('the claim to keys', 1),
  keys: list(struct<Claimed>({ key: fixed(KEY_BYTES), signature: fixed(SIGNATURE_BYTES) }), MAX_CLAIMED),
})

const HELD = struct<{ version: number; places: readonly number[] }>({
  version: version('the keys that are known', 1),
  places: list(uint(MAX_CLAIMED - 1), MAX_CLAIMED),
})

export function encodeWant({ whose, after, most }: Want): Uint8Array {
  return encode(WANT, { version: 1, whose, after, most })
}

/** Throws `BAD_ENCODING` or `UNKNOWN_VERSION`, as the decoders below. */
export function decodeWant(encoded: Uint8Array): Want {
  const { whose, after, most } = decode(WANT, encoded)
  return { whose, after, most }
}

export function encodePart({ more, entries }: Part): Uint8Array {
  const encoded = entries.map((entry) => ({ ...entry, transaction: encodeTransaction(entry.transaction) }))
  return encode(PART, { version: 1, more, entries: encoded })
}

/** Nothing is verified yet: shared-checks.ts. */
export function decodePart(encoded: Uint8Array): Part {
  const { more, entries } = decode(PART, encoded)
  return { more, entries: entries.map((entry) => ({ ...entry, transaction: decodeTransaction(entry.transaction) })) }
}

export function encodeClaim(keys: readonly Claimed[]): Uint8Array {
  return encode(CLAIM, { version: 1, keys })
}

export function decodeClaim(encoded: Uint8Array): readonly Claimed[] {
  return decode(CLAIM, encoded).keys
}

export function encodeHeld(places: readonly number[]): Uint8Array {
  return encode(HELD, { version: 1, places })
}

/** Places in no order are as good as any; one that was not claimed is for the caller to see. */
export function decodeHeld(encoded: Uint8Array): readonly number[] {
  return decode(HELD, encoded).places
}
