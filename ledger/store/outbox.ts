/**
 * The provider's receipts between signing and the log. A receipt is on the disk, together with the chain's new head,
 * before it is sent: no counter is ever used twice, and no receipt is lost because the consumer or this process vanished.
 */
import b4a from 'b4a'
import { HASH_BYTES } from '../crypto.js'
import { CHAIN_START, issueReceipt } from '../receipt.js'
import type { ChainHead } from '../receipt.js'
import { decodeTransaction, encodeTransaction } from '../transaction.js'
import type { Statement, Transaction } from '../transaction.js'
import { Journal } from './journal.js'

const HEAD = 'head'

export class ReceiptOutbox {
  readonly #journal: Journal
  #head: ChainHead

  private constructor(journal: Journal, head: ChainHead) {
    this.#journal = journal
    this.#head = head
  }

  /** Throws `STORE_CORRUPT` or `STORE_WRITE_FAILED`. */
  static async open(path: string): Promise<ReceiptOutbox> {
    const journal = await Journal.open(path)
    const bytes = journal.get(HEAD)
    return new ReceiptOutbox(journal, bytes ? decodeHead(bytes) : CHAIN_START)
  }

  get head(): ChainHead {
    return this.#head
  }

  /** Signs the next receipt of the chain; resolves when it may be sent. Throws `STORE_WRITE_FAILED`. */
  async issue(statement: Omit<Statement, 'counter' | 'previous'>, secretKey: Uint8Array): Promise<Transaction> {
    const { transaction, head } = issueReceipt(statement, this.#head, secretKey)
    this.#head = head
    await this.#journal.write([
      [idOf(transaction), encodeTransaction(transaction)],
      [HEAD, encodeHead(head)],
    ])
    return transaction
  }

  /** False for a new file beside an old log: the caller reads the head from the log and `advance`s to it. */
  get knowsHead(): boolean {
    return this.#journal.get(HEAD) !== null
  }

  /** Goes on from `head` if it is the later one, and remembers where the chain stands. */
  async advance(head: ChainHead): Promise<void> {
    if (head.counter > this.#head.counter) this.#head = head
    await this.#journal.write([[HEAD, encodeHead(this.#head)]])
  }

  /** Receipts that are in no log yet: to be appended half-signed after a crash, or once the consumer is given up. */
  pending(): Transaction[] {
    return [...this.#journal.entries()].filter(([key]) => key !== HEAD).map(([, bytes]) => decodeTransaction(bytes))
  }

  /** The log holds them now. */
  async settled(transactions: readonly Transaction[]): Promise<void> {
    await this.#journal.write(transactions.map((transaction) => [idOf(transaction), null] as const))
  }

  async close(): Promise<void> {
    await this.#journal.close()
  }
}

function idOf({ statement }: Transaction): string {
  return `r/${b4a.toString(statement.id, 'hex')}/${statement.counter}`
}

/** counter u64 LE | previous 32 */
function encodeHead(head: ChainHead): Uint8Array {
  const out = b4a.alloc(8 + HASH_BYTES)
  new DataView(out.buffer, out.byteOffset, 8).setBigUint64(0, BigInt(head.counter), true)
  out.set(head.previous, 8)
  return out
}

function decodeHead(bytes: Uint8Array): ChainHead {
  const counter = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true)
  return { counter: Number(counter), previous: bytes.subarray(8) }
}
