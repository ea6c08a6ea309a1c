/**
 * The owner's spending limits over a journal, so that neither a crash nor a restart forgets what was spent today.
 *
 *   reservation r/<n>      = day u32 LE | amount u128 LE | name of the API key, UTF-8
 *   spent       d          = day u32 LE | amount u128 LE                      everything
 *               k/<name>   = day u32 LE | amount u128 LE                      of one API key
 *
 * A reservation goes to the disk when something is about to be signed for it, and a voucher is signed only when it is
 * there. One that a killed daemon leaves behind counts as spent in full on the day of the next start: how much of it was
 * paid is not known any more, and a limit is never exceeded that way. One that is not there was never paid on.
 */
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import b4a from 'b4a'
import { microLamports, NO_COST } from '../ledger/amount.js'
import type { Lamports, MicroLamports } from '../ledger/amount.js'
import { dayOf, leftFor, NO_SPENDING, onDay, reservedOf, stepBudget } from '../ledger/budget.js'
import type { BudgetLimits, BudgetState } from '../ledger/budget.js'
import { Journal } from '../ledger/store/journal.js'
import type { Change } from '../ledger/store/journal-frames.js'

/** One request's part of the budget. Exactly one of `settle` and `release` ends it; later calls are no-ops. */
export interface BudgetReservation {
  /**
   * Writes it down, the first time that this is asked for, and resolves when it is on the disk: sign nothing before that.
   * Rejects with `STORE_WRITE_FAILED` when the disk says no: then pay nothing.
   */
  durable(): Promise<void>
  /** It has ended and cost this much, which is written down even where it is more than was reserved. */
  settle(cost: MicroLamports): void
  /** It has ended and cost nothing. */
  release(): void
}

export interface SpendingView {
  /** Name of an API key; null = everything. */
  readonly key: string | null
  readonly spent: MicroLamports
  readonly reserved: MicroLamports
  readonly perRequest: Lamports | null
  readonly perDay: Lamports | null
}

export interface BudgetOptions {
  /** The journal's file. */
  readonly path: string
  readonly limits: BudgetLimits
  /** Unix milliseconds. */
  readonly now: () => number
}

const SPENT = 'd'

export class Budget {
  readonly #journal: Journal
  readonly #limits: BudgetLimits
  readonly #now: () => number
  #state: BudgetState
  #next = 0

  private constructor(journal: Journal, options: BudgetOptions) {
    this.#journal = journal
    this.#limits = options.limits
    this.#now = options.now
    this.#state = readState(journal, dayOf(options.now()))
  }

  /** Opens or makes the journal. Throws `STORE_CORRUPT` or `STORE_WRITE_FAILED`. */
  static async open(options: BudgetOptions): Promise<Budget> {
    await mkdir(dirname(options.path), { recursive: true, mode: 0o700 })
    const journal = await Journal.open(options.path)
    try {
      const budget = new Budget(journal, options)
      await budget.#settleLeftovers()
      return budget
    } catch (error) {
      await journal.close()
      throw error
    }
  }

  /**
   * Call before any byte of a request leaves, once for each attempt. `worst`: the most that it may cost; `apiKey`: the name
   * of the API key that asks, null = none. Throws `BUDGET_EXCEEDED`, which the API answers with 402.
   */
  reserve(worst: MicroLamports, apiKey: string | null): BudgetReservation {
    const id = this.#next++
    this.#state = stepBudget(
      this.#state,
      { type: 'reserve', id, key: apiKey, amount: worst },
      this.#limits,
      dayOf(this.#now()),
    )
    // What costs nothing leaves no trace: a free swarm pays no disk write for its budget.
    const free = worst === 0n
    let written: Promise<void> | null = null
    const write = (changes: readonly Change[]): Promise<void> => {
      const done = this.#journal.write(changes)
      done.catch(() => undefined)
      return done
    }
    const { day } = this.#state
    let ended = false
    const durable = (): Promise<void> =>
      (written ??= free || ended ? Promise.resolve() : write([[nameOf(id), encode(day, worst, apiKey)]]))
    const end = (cost: MicroLamports): void => {
      if (ended) return
      ended = true
      this.#state = stepBudget(this.#state, { type: 'settle', id, cost }, this.#limits, dayOf(this.#now()))
      // Not waited for: until it is durable, a reservation that was paid on stands in its place.
      if (cost === 0n && (free || written === null)) return
      const sums = write(this.#changes(id, apiKey))
      written ??= sums
    }
    return { durable, settle: end, release: () => end(NO_COST) }
  }

  /** The most that a request of this API key may cost now: a ceiling for its tokens. null = no limit. */
  left(apiKey: string | null): MicroLamports | null {
    return leftFor(this.#state, this.#limits, apiKey, dayOf(this.#now()))
  }

  /** Today, UTC: everything first, then each API key that has a limit or has spent something. */
  view(): readonly SpendingView[] {
    return spendingOf(onDay(this.#state, dayOf(this.#now())), this.#limits)
  }

  /** The view of a node that never spent anything. */
  static unspent(limits: BudgetLimits): readonly SpendingView[] {
    return spendingOf(NO_SPENDING, limits)
  }

  /** Idempotent; what is written is durable then. */
  async close(): Promise<void> {
    await this.#journal.close()
  }

  /** Everything that the last run reserved and never ended counts as spent. */
  async #settleLeftovers(): Promise<void> {
    const { held } = this.#state
    if (held.size === 0) return
    const day = dayOf(this.#now())
    const changes: Change[] = []
    for (const [id, { key, amount }] of held) {
      this.#state = stepBudget(this.#state, { type: 'settle', id, cost: amount }, this.#limits, day)
      changes.push(...this.#changes(id, key))
    }
    await this.#journal.write(changes)
    this.#next = Math.max(...held.keys()) + 1
  }

  /** The sums as they stand, and the end of a reservation: one frame, all of it or nothing. */
  #changes(id: number, key: string | null): Change[] {
    const { day, spent, spentByKey } = this.#state
    const ofKey: Change[] = key === null ? [] : [[`k/${key}`, encode(day, spentByKey.get(key) ?? NO_COST, null)]]
    return [[nameOf(id), null], [SPENT, encode(day, spent, null)], ...ofKey]
  }
}

function spendingOf(state: BudgetState, { all, keys }: BudgetLimits): readonly SpendingView[] {
  const names = new Set([...keys.keys(), ...state.spentByKey.keys()])
  return [
    { key: null, spent: state.spent, reserved: reservedOf(state), ...all },
    ...[...names].sort().map((key) => ({
      key,
      spent: state.spentByKey.get(key) ?? NO_COST,
      reserved: reservedOf(state, key),
      perRequest: keys.get(key)?.perRequest ?? null,
      perDay: keys.get(key)?.perDay ?? null,
    })),
  ]
}

function nameOf(id: number): string {
  return `r/${id}`
}

/**
 * Sums of an earlier day are history; a later one stands where the clock went back. Reservations are kept whatever their
 * day, to be settled.
 */
function readState(journal: Journal, today: number): BudgetState {
  const entries = [...journal.entries()].map(([name, bytes]) => ({ name, ...decode(bytes) }))
  const sums = entries.filter(({ name }) => !name.startsWith('r/'))
  const day = sums.reduce((latest, one) => Math.max(latest, one.day), today)
  const current = sums.filter((one) => one.day === day)
  return {
    day,
    spent: current.find(({ name }) => name === SPENT)?.amount ?? NO_COST,
    spentByKey: new Map(
      current.filter(({ name }) => name !== SPENT).map(({ name, amount }) => [name.slice(2), amount]),
    ),
    held: new Map(
      entries
        .filter(({ name }) => name.startsWith('r/'))
        .map(({ name, key, amount }) => [Number(name.slice(2)), { key, amount }]),
    ),
  }
}

function encode(day: number, amount: MicroLamports, key: string | null): Uint8Array {
  const head = b4a.alloc(20)
  const view = new DataView(head.buffer, head.byteOffset, 20)
  view.setUint32(0, day, true)
  view.setBigUint64(4, amount & (2n ** 64n - 1n), true)
  view.setBigUint64(12, amount >> 64n, true)
  return b4a.concat([head, b4a.from(key ?? '')])
}

function decode(bytes: Uint8Array): { day: number; amount: MicroLamports; key: string | null } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const amount = microLamports(view.getBigUint64(4, true) | (view.getBigUint64(12, true) << 64n))
  const key = b4a.toString(bytes.subarray(20))
  return { day: view.getUint32(0, true), amount, key: key === '' ? null : key }
}
