/**
 * How one transaction lies in a node's log: two blocks, so that its content keys can be forgotten alone.
 *
 *   block 2n      keys   = version uint8 (1) | sealed for consumer 80 | sealed for provider 80, or one byte 0: none
 *   block 2n + 1  record = version uint8 (1) | role uint8 | own times | optional (first body block, blocks)
 *                          | length | transaction with the hashes of its sealed keys in their place
 *
 * The keys come first because hypercore can clear a block without harm only at an even index (untyped/hypercore.d.ts).
 */
import b4a from 'b4a'
import { bytes, decode, encode, fixed, oneOf, optional, struct, uint, version } from '../codec.js'
import { SEALED_KEY_BYTES } from '../crypto.js'
import { LedgerError } from '../errors.js'
import {
  decodeTransaction,
  encodeTransaction,
  MAX_TRANSACTION_BYTES,
  TIMES,
  withKeys,
  withoutKeys,
} from '../transaction.js'
import type { Times, Transaction } from '../transaction.js'

const ROLES = ['consumer', 'provider'] as const
export type Role = (typeof ROLES)[number]

export interface Entry {
  /** The side that this log's owner was. */
  readonly role: Role
  /** On the owner's clock. */
  readonly times: Times
  /** Where the ciphertext lies in the bodies core; null = it was not kept. */
  readonly body: { readonly first: number; readonly blocks: number } | null
  readonly transaction: Transaction
}

interface Keys {
  readonly version: number
  readonly consumer: Uint8Array
  readonly provider: Uint8Array
}

interface Encoded extends Omit<Entry, 'transaction'> {
  readonly version: number
  readonly transaction: Uint8Array
}

const BLOCK = uint(Number.MAX_SAFE_INTEGER)
const NO_KEYS = b4a.alloc(1)

const KEYS = struct<Keys>({
  version: version('the keys of a log entry', 1),
  consumer: fixed(SEALED_KEY_BYTES),
  provider: fixed(SEALED_KEY_BYTES),
})

const RECORD = struct<Encoded>({
  version: version('the log entry', 1),
  role: oneOf('a role', ROLES),
  times: TIMES,
  body: optional(struct<{ first: number; blocks: number }>({ first: BLOCK, blocks: BLOCK })),
  transaction: bytes(MAX_TRANSACTION_BYTES),
})

export function encodeEntry(entry: Entry): readonly [keys: Uint8Array, record: Uint8Array] {
  const { sealedForConsumer: consumer, sealedForProvider: provider } = entry.transaction.statement
  const whole = consumer.kind === 'sealed' && provider.kind === 'sealed'
  return [
    whole ? encode(KEYS, { version: 1, consumer: consumer.sealed, provider: provider.sealed }) : NO_KEYS,
    encode(RECORD, { version: 1, ...entry, transaction: encodeTransaction(withoutKeys(entry.transaction)) }),
  ]
}

/**
 * `keys` null: they were forgotten. Throws `BAD_ENCODING`, `UNKNOWN_VERSION`, or `STORE_CORRUPT` for keys that belong to
 * another transaction.
 */
export function decodeEntry(keys: Uint8Array | null, record: Uint8Array): Entry {
  const { role, times, body, transaction } = decode(RECORD, record)
  const bare = decodeTransaction(transaction)
  if (!keys || b4a.equals(keys, NO_KEYS)) return { role, times, body, transaction: bare }
  const { consumer, provider } = decode(KEYS, keys)
  const whole = withKeys(bare, consumer, provider)
  if (!whole) throw LedgerError.STORE_CORRUPT('the content keys of another transaction')
  return { role, times, body, transaction: whole }
}

/** The key of the other side. */
export function counterparty({ role, transaction: { statement } }: Entry): Uint8Array {
  return role === 'consumer' ? statement.provider : statement.consumer
}
