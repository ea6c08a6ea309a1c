/**
 * Questions that a store asks its log when it opens, prunes or has been restored.
 */
import { CHAIN_START } from '../receipt.js'
import type { ChainHead } from '../receipt.js'
import { receiptHash } from '../transaction.js'
import type { Transaction } from '../transaction.js'
import type { Entry } from './entry.js'

interface Log {
  readonly length: number
  get(position: number): Promise<Entry>
}

/** Is this receipt of ours in the log, with or without the countersignature? */
export async function isLogged(
  log: Log & { find(id: Uint8Array): Promise<number[]> },
  { statement }: Transaction,
): Promise<boolean> {
  for (const position of await log.find(statement.id)) {
    const { role, transaction } = await log.get(position)
    if (role === 'provider' && transaction.statement.counter === statement.counter) return true
  }
  return false
}

/** Where the owner's chain of receipts stands, as far as the log knows; reads the whole log. */
export async function chainHead(log: Log): Promise<ChainHead> {
  let head = CHAIN_START
  for (let position = 0; position < log.length; position++) {
    const { role, transaction } = await log.get(position)
    const { statement, providerSignature } = transaction
    if (role !== 'provider' || !providerSignature || statement.counter < head.counter) continue
    head = { counter: statement.counter + 1, previous: receiptHash(statement) }
  }
  return head
}

/**
 * The first body block of the oldest transaction that ended at `time` or later, null when there is none. A binary search:
 * a clock that went back moves the cut, by as much as it went back.
 */
export async function firstBodyFrom(log: Log, time: number): Promise<number | null> {
  let low = 0
  let high = log.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((await log.get(middle)).times.done < time) low = middle + 1
    else high = middle
  }
  for (let position = low; position < log.length; position++) {
    const { body } = await log.get(position)
    if (body) return body.first
  }
  return null
}
