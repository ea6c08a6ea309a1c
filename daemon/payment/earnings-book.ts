/**
 * What was earned and spent, by UTC day, side and model: sums of the log, kept beside it in a journal, so that a question
 * costs what is new since the last one and not the whole log. Derived: deleted, it is made again from the log.
 *
 *   at                             →  how far the log is summed: positions, and the id of the last one
 *   <day>/<consumer|provider>/<root hex>  →  sums of what was paid
 *
 * A batch of positions and the sums that it changes are one write, so a crash counts nothing twice. What was free of charge
 * is left out.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import b4a from 'b4a'
import { NO_COST, microLamports } from '../../ledger/amount.js'
import type { MicroLamports } from '../../ledger/amount.js'
import { dayOf } from '../../ledger/budget.js'
import { Journal } from '../../ledger/store/journal.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import type { Entry } from '../../ledger/store/entry.js'

/** Read at once. */
const PAGE = 256
/** Positions between two writes: what a crash makes this read again. */
const BATCH = 8192
const AT = 'at'

export interface Paid {
  readonly requests: number
  /** Cached ones included. */
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cost: MicroLamports
}

export interface PaidOn extends Paid {
  /** Days since 1970, UTC. */
  readonly day: number
  readonly role: Entry['role']
  /** Hex. */
  readonly model: string
}

export const NOTHING_PAID: Paid = { requests: 0, inputTokens: 0, outputTokens: 0, cost: NO_COST }

export function plus(a: Paid, b: Paid): Paid {
  return {
    requests: a.requests + b.requests,
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    cost: microLamports(a.cost + b.cost),
  }
}

export interface Progress {
  readonly done: number
  readonly total: number
}

export interface Pace {
  /** Between two pages: what else the process does goes first. */
  readonly pauseMs: number
  /** One batch, and then whoever else waits. */
  readonly once: boolean
}

const FAST: Pace = { pauseMs: 0, once: false }
/** Beside answers: about a quarter of a core, until it is level with the log. */
export const CALM: Pace = { pauseMs: 50, once: true }

type Log = Pick<LedgerStore, 'bare' | 'length'>

/** Its place in a data folder. */
export function earningsPath(dataDir: string): string {
  return join(dataDir, 'ledger', 'earnings')
}

export class EarningsBook {
  readonly #journal: Journal
  readonly #sums = new Map<string, Paid>()
  #position = 0
  #last = ''
  #turn: Promise<void> = Promise.resolve()

  private constructor(journal: Journal) {
    this.#journal = journal
    for (const [key, bytes] of journal.entries()) {
      if (key === AT) ({ position: this.#position, last: this.#last } = JSON.parse(b4a.toString(bytes)) as At)
      else this.#sums.set(key, decode(bytes))
    }
  }

  /** Opens or makes the file. Throws `STORE_CORRUPT` or `STORE_WRITE_FAILED`. */
  static async open(path: string): Promise<EarningsBook> {
    return new EarningsBook(await Journal.open(path))
  }

  /**
   * Adds what the log has since the last time, and tells how far it is after each batch. Calls wait for each other. Throws
   * `STORE_*`, or the signal's reason; what was added until then stays.
   */
  async *catchUp(log: Log, signal: AbortSignal, pace: Pace = FAST): AsyncGenerator<Progress> {
    const before = this.#turn
    let done: () => void = () => undefined
    this.#turn = new Promise((resolve) => (done = resolve))
    await before
    try {
      if (!(await this.#isOf(log))) await this.#forget()
      const total = log.length
      while (this.#position < total) {
        signal.throwIfAborted()
        await this.#add(log, Math.min(total, this.#position + BATCH), pace.pauseMs, signal)
        yield { done: this.#position, total }
        if (pace.once) return
      }
    } finally {
      done()
    }
  }

  /** Everything between two days, both included. */
  *between(from: number, to: number): Generator<PaidOn> {
    for (const [key, paid] of this.#sums) {
      const [digits = '', role, model = ''] = key.split('/')
      const day = Number(digits)
      if (day < from || day > to || (role !== 'consumer' && role !== 'provider')) continue
      yield { ...paid, day, role, model }
    }
  }

  /** How much of the log is summed. */
  get position(): number {
    return this.#position
  }

  /** Was anything ever paid? */
  get empty(): boolean {
    return this.#sums.size === 0
  }

  async close(): Promise<void> {
    await this.#turn
    await this.#journal.close()
  }

  /** From where it stands up to `end`. */
  async #add(log: Log, end: number, pauseMs: number, signal: AbortSignal): Promise<void> {
    const changed = new Map<string, Paid>()
    let last = this.#last
    for (let at = this.#position; at < end; at += PAGE) {
      if (pauseMs > 0 && at > this.#position) await sleep(pauseMs, null, { signal })
      const positions = Array.from({ length: Math.min(PAGE, end - at) }, (_, i) => at + i)
      for (const entry of await Promise.all(positions.map((position) => log.bare(position)))) {
        last = nameOf(entry)
        if (entry.transaction.statement.cost === 0n) continue
        const key = keyOf(entry)
        changed.set(key, plus(changed.get(key) ?? this.#sums.get(key) ?? NOTHING_PAID, paidFor(entry)))
      }
    }
    const at: At = { position: end, last }
    await this.#journal.write([
      ...[...changed].map(([key, paid]): [string, Uint8Array] => [key, encode(paid)]),
      [AT, b4a.from(JSON.stringify(at))],
    ])
    for (const [key, paid] of changed) this.#sums.set(key, paid)
    this.#position = end
    this.#last = last
  }

  /** Is this the log that was summed? A restored one may be another. */
  async #isOf(log: Log): Promise<boolean> {
    if (this.#position === 0) return true
    if (log.length < this.#position) return false
    return nameOf(await log.bare(this.#position - 1)) === this.#last
  }

  async #forget(): Promise<void> {
    await this.#journal.write([...this.#journal.entries()].map(([key]): [string, null] => [key, null]))
    this.#sums.clear()
    this.#position = 0
    this.#last = ''
  }
}

interface At {
  readonly position: number
  readonly last: string
}

function keyOf({ role, times, transaction }: Entry): string {
  return `${dayOf(times.done)}/${role}/${b4a.toString(transaction.statement.modelRoot, 'hex')}`
}

function nameOf({ role, transaction: { statement } }: Entry): string {
  return `${role} ${b4a.toString(statement.id, 'hex')}`
}

function paidFor({ transaction: { statement } }: Entry): Paid {
  const { usage, cost } = statement
  return { requests: 1, inputTokens: usage.input + usage.cached, outputTokens: usage.output, cost }
}

function encode({ requests, inputTokens, outputTokens, cost }: Paid): Uint8Array {
  return b4a.from(JSON.stringify([requests, inputTokens, outputTokens, cost.toString()]))
}

function decode(bytes: Uint8Array): Paid {
  const [requests, inputTokens, outputTokens, cost] = JSON.parse(b4a.toString(bytes)) as [
    number,
    number,
    number,
    string,
  ]
  return { requests, inputTokens, outputTokens, cost: microLamports(BigInt(cost)) }
}
