/**
 * Who signs what, in which order. The provider signs the receipt hash (the *receipt*); the consumer compares it with
 * what it received and countersigns; a consumer whose provider vanished signs a *claim*, which no countersignature can
 * be mistaken for. Receipts of one provider form a chain by counter and previous hash: one that is hidden leaves a hole,
 * two with the same counter are proof of a double account.
 */
import b4a from 'b4a'
import type { MicroLamports } from './amount.js'
import { HASH_BYTES, sign, verify } from './crypto.js'
import { LedgerError } from './errors.js'
import { cost } from './price.js'
import { receiptHash } from './transaction.js'
import type { Statement, Transaction } from './transaction.js'

/** Where a provider's chain stands: the next receipt's `counter` and `previous`. */
export interface ChainHead {
  readonly counter: number
  readonly previous: Uint8Array
}

export const CHAIN_START: ChainHead = { counter: 0, previous: b4a.alloc(HASH_BYTES) }

/**
 * The fields that a consumer knows by itself, and compares with the receipt. The channel's sum is the provider's to state:
 * the consumer holds it against the most that it can be. So are the token root, the prompt tokens' hash and the template's:
 * a consumer has neither candidates nor tokeniser. They bind the provider alone and cost the consumer nothing: the
 * response's hash covers the token ids, and an audit holds a shown window against both.
 */
export interface Seen extends SeenFields {
  readonly response: Pick<Statement['response'], 'hash' | 'bytes'>
  /** What the consumer counts on the channel, this request included, and what may have been lost on the way. */
  readonly cumulativeAtMost: MicroLamports
}

type SeenFields = Pick<
  Statement,
  | 'id'
  | 'kind'
  | 'network'
  | 'modelRoot'
  | 'consumer'
  | 'provider'
  | 'request'
  | 'usage'
  | 'finish'
  | 'sampling'
  | 'prices'
  | 'cost'
  | 'channel'
  | 'sealedForConsumer'
  | 'sealedForProvider'
  | 'body'
>

const SEEN: readonly (keyof SeenFields)[] = [
  'id',
  'kind',
  'network',
  'modelRoot',
  'consumer',
  'provider',
  'request',
  'usage',
  'finish',
  'sampling',
  'prices',
  'cost',
  'channel',
  'sealedForConsumer',
  'sealedForProvider',
  'body',
]

/** The provider's half: the statement with its place in the chain, and the chain's next head. */
export function issueReceipt(
  statement: Omit<Statement, 'counter' | 'previous'>,
  head: ChainHead,
  secretKey: Uint8Array,
): { readonly transaction: Transaction; readonly head: ChainHead } {
  const complete: Statement = { ...statement, counter: head.counter, previous: head.previous }
  const name = receiptHash(complete)
  const providerSignature = sign(secretKey, 'swarmd/1/receipt', name)
  return {
    transaction: { statement: complete, providerSignature, consumerSignature: null },
    head: { counter: head.counter + 1, previous: name },
  }
}

/**
 * The consumer's half. Throws `RECEIPT_BAD_SIGNATURE` when the provider did not sign this, `RECEIPT_MISMATCH` with the
 * names of the fields that differ from what was seen.
 */
export function countersign(receipt: Transaction, seen: Seen, secretKey: Uint8Array): Transaction {
  if (!isProviderSigned(receipt)) throw LedgerError.RECEIPT_BAD_SIGNATURE('provider')
  const differing = differences(receipt.statement, seen)
  if (differing.length > 0) throw LedgerError.RECEIPT_MISMATCH(differing)
  return {
    ...receipt,
    consumerSignature: sign(secretKey, 'swarmd/1/countersign', receiptHash(receipt.statement)),
  }
}

/** The provider adds what came back. Throws `RECEIPT_BAD_SIGNATURE`. */
export function complete(receipt: Transaction, consumerSignature: Uint8Array): Transaction {
  const both: Transaction = { ...receipt, consumerSignature }
  if (!isConsumerSigned(both)) throw LedgerError.RECEIPT_BAD_SIGNATURE('consumer')
  return both
}

/** The consumer's own record of a request whose provider vanished: counter 0, no place in any chain. */
export function claim(statement: Omit<Statement, 'counter' | 'previous'>, secretKey: Uint8Array): Transaction {
  const whole: Statement = { ...statement, ...CHAIN_START }
  return {
    statement: whole,
    providerSignature: null,
    consumerSignature: sign(secretKey, 'swarmd/1/claim', receiptHash(whole)),
  }
}

export function isProviderSigned({ statement, providerSignature }: Transaction): boolean {
  if (!providerSignature) return false
  return verify(providerSignature, statement.provider, 'swarmd/1/receipt', receiptHash(statement))
}

/** Countersigned, or a claim where there is no provider's signature. */
export function isConsumerSigned({ statement, providerSignature, consumerSignature }: Transaction): boolean {
  if (!consumerSignature) return false
  const domain = providerSignature ? 'swarmd/1/countersign' : 'swarmd/1/claim'
  return verify(consumerSignature, statement.consumer, domain, receiptHash(statement))
}

/** True when `next` follows directly on `before` in one provider's chain. */
export function follows(before: Statement, next: Statement): boolean {
  return (
    b4a.equals(before.provider, next.provider) &&
    next.counter === before.counter + 1 &&
    b4a.equals(next.previous, receiptHash(before))
  )
}

/** Names of the fields that cannot be true whatever happened: checked on both sides and by every third party. */
export function contradictions(statement: Statement): string[] {
  const { prices, usage, cumulative, times } = statement
  const first = statement.counter === 0
  const zero = b4a.equals(statement.previous, CHAIN_START.previous)
  const found: string[] = []
  if (statement.cost !== cost(prices, usage)) found.push('cost')
  if (cumulative < statement.cost) found.push('cumulative')
  if (first !== zero) found.push('previous')
  if (times.done < times.asked) found.push('times.done')
  if (times.firstToken !== null && (times.firstToken < times.asked || times.firstToken > times.done)) {
    found.push('times.firstToken')
  }
  return found
}

function differences(statement: Statement, seen: Seen): string[] {
  const found = contradictions(statement)
  for (const name of SEEN) if (!equal(statement[name], seen[name])) found.push(name)
  const { response } = statement
  if (!b4a.equals(response.hash, seen.response.hash) || response.bytes !== seen.response.bytes) found.push('response')
  if (statement.cumulative > seen.cumulativeAtMost) found.push('cumulative')
  return found
}

function equal(a: unknown, b: unknown): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return b4a.equals(a, b)
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b
  const left = Object.entries(a)
  const right = new Map(Object.entries(b))
  return left.length === right.size && left.every(([name, value]) => right.has(name) && equal(value, right.get(name)))
}
