/** What the receipts of a day (UTC) add up to. */
import { microLamports, NO_COST } from '../../ledger/amount.js'
import type { MicroLamports } from '../../ledger/amount.js'
import { dayOf } from '../../ledger/budget.js'
import type { LedgerStore } from '../../ledger/store/store.js'

const DAY_MS = 86_400_000
const PAGE = 1000

export class Earnings {
  readonly #now: () => number
  #day = 0
  #sum: MicroLamports = NO_COST

  /** `now`: Unix milliseconds. */
  constructor(now: () => number) {
    this.#now = now
  }

  get today(): MicroLamports {
    this.#turn()
    return this.#sum
  }

  add(cost: MicroLamports): void {
    this.#turn()
    this.#sum = microLamports(this.#sum + cost)
  }

  /** Reads what earlier runs have earned on this day, a page at a time. */
  async read(store: Pick<LedgerStore, 'query' | 'length'>): Promise<void> {
    const from = dayOf(this.#now()) * DAY_MS
    let before = store.length
    for (;;) {
      const rows = await store.query({ from, before }, PAGE)
      for (const { entry } of rows) {
        if (entry.role === 'provider') this.add(entry.transaction.statement.cost)
      }
      const last = rows.at(-1)
      if (!last || rows.length < PAGE) return
      before = last.position
    }
  }

  #turn(): void {
    const day = dayOf(this.#now())
    if (day <= this.#day) return
    this.#day = day
    this.#sum = NO_COST
  }
}
