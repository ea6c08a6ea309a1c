/**
 * What a crash must not make this node forget of orders, in a journal of their own:
 *
 *   claim/<order>   JSON { response: hex, cost: lamports, until: Unix seconds }    an answer for it is to be claimed
 *   out/<id>        JSON { until: Unix seconds }                                  an order of this node's own may be out
 *
 * Everything else about an order is on the chain.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import b4a from 'b4a'
import { lamports } from '../../ledger/amount.js'
import type { Lamports } from '../../ledger/amount.js'
import { LedgerError } from '../../ledger/errors.js'
import { Journal } from '../../ledger/store/journal.js'

export interface OrderClaim {
  /** Base58. */
  readonly order: string
  /** 32 bytes; zeros = nothing was delivered. */
  readonly responseHash: Uint8Array
  readonly cost: Lamports
  /** Unix seconds: the order's deadline. */
  readonly until: bigint
}

const CLAIM = 'claim/'
const OUT = 'out/'

export class OrderBook {
  readonly #journal: Journal

  private constructor(journal: Journal) {
    this.#journal = journal
  }

  /** Throws `STORE_CORRUPT`, `STORE_WRITE_FAILED`. */
  static async open(dataDir: string): Promise<OrderBook> {
    const folder = join(dataDir, 'ledger')
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const book = new OrderBook(await Journal.open(join(folder, 'orders')))
    try {
      book.claims()
    } catch {
      throw LedgerError.STORE_CORRUPT('an entry of the orders that this version cannot read')
    }
    return book
  }

  claims(): readonly OrderClaim[] {
    return this.#under(CLAIM).map(([order, bytes]) => {
      const {
        response = '',
        cost = '',
        until = '',
      } = JSON.parse(b4a.toString(bytes)) as Readonly<Record<string, string>>
      return { order, responseHash: b4a.from(response, 'hex'), cost: lamports(BigInt(cost)), until: BigInt(until) }
    })
  }

  /** Durable when it resolves. */
  owed({ order, responseHash, cost, until }: OrderClaim): Promise<void> {
    const response = b4a.toString(responseHash, 'hex')
    const text = JSON.stringify({ response, cost: cost.toString(), until: until.toString() })
    return this.#journal.write([[CLAIM + order, b4a.from(text)]])
  }

  claimed(order: string): Promise<void> {
    return this.#journal.write([[CLAIM + order, null]])
  }

  /** May an order of this node's own be out there? */
  get isOut(): boolean {
    return this.#under(OUT).length > 0
  }

  /** Durable when it resolves: before anything of the order is sent. */
  goesOut(id: string, until: bigint): Promise<void> {
    return this.#journal.write([[OUT + id, b4a.from(JSON.stringify({ until: until.toString() }))]])
  }

  /** Nothing is out any more, but for what began after `ids` were read. */
  allBack(ids: readonly string[]): Promise<void> {
    return this.#journal.write(ids.map((id) => [OUT + id, null] as const))
  }

  out(): readonly string[] {
    return this.#under(OUT).map(([id]) => id)
  }

  close(): Promise<void> {
    return this.#journal.close()
  }

  #under(prefix: string): readonly (readonly [string, Uint8Array])[] {
    const found: (readonly [string, Uint8Array])[] = []
    for (const [name, bytes] of this.#journal.entries())
      if (name.startsWith(prefix)) found.push([name.slice(prefix.length), bytes])
    return found
  }
}
