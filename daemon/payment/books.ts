/**
 * The node's ledger while it runs: opened behind the local API's back, waited for by whoever needs it, and closed after all
 * that is still being written. A ledger that fails stays failed until the node starts again, and says so.
 */
import { setTimeout } from 'node:timers/promises'
import type { LedgerStore } from '../../ledger/store/store.js'
import { codeOf } from '../errors.js'
import { PaymentError } from './errors.js'

export class Books {
  readonly #closing = new AbortController()
  readonly #open: () => Promise<LedgerStore>
  readonly #complain: (message: string) => void
  readonly #work = new Set<Promise<void>>()
  #opening: Promise<LedgerStore> | null = null
  #store: LedgerStore | null = null
  #failure: Error | null = null

  /** `complain`: told once, with what is wrong. */
  constructor(open: () => Promise<LedgerStore>, complain: (message: string) => void) {
    this.#open = open
    this.#complain = complain
  }

  /** Aborted when the node closes: what still waits for a receipt writes what it has. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  /** null before it is open, and once it has failed. */
  get opened(): LedgerStore | null {
    return this.#failure ? null : this.#store
  }

  get state(): 'opening' | 'open' | 'failed' {
    if (this.#failure) return 'failed'
    return this.#store ? 'open' : 'opening'
  }

  /** Opens it at the first call. Throws `LEDGER_UNAVAILABLE`. */
  async store(): Promise<LedgerStore> {
    if (this.#failure) throw PaymentError.LEDGER_UNAVAILABLE(this.#failure)
    if (this.#store) return this.#store
    try {
      this.#store = await (this.#opening ??= this.#open())
    } catch (error) {
      this.fail(error)
      throw PaymentError.LEDGER_UNAVAILABLE(error)
    }
    return this.#store
  }

  /** A write went wrong: nothing is bought or sold from here on. */
  fail(error: unknown): void {
    if (this.#failure || this.#closing.signal.aborted) return
    this.#failure = error instanceof Error ? error : new Error(String(error))
    this.#complain(
      `The ledger cannot be written: ${this.#failure.message}. Peers are neither asked nor served until that is mended and this node starts again; nothing that was recorded is lost.`,
    )
  }

  /** Work that closing waits for. Its failures are told, never thrown. */
  add(work: Promise<unknown>): void {
    const tracked = work.then(
      () => undefined,
      (error: unknown) => this.#failed(error),
    )
    this.#work.add(tracked)
    void tracked.finally(() => this.#work.delete(tracked))
  }

  /** Resolves when nothing is under way any more, or after `ms`. */
  async settle(ms: number): Promise<void> {
    if (this.#work.size === 0) return
    const late = new AbortController()
    await Promise.race([Promise.all(this.#work), setTimeout(ms, null, { signal: late.signal }).catch(() => null)])
    late.abort()
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort()
    while (this.#work.size > 0) await Promise.all(this.#work)
    const store = this.#store ?? (await this.#opening?.catch(() => null))
    await store?.close()
  }

  #failed(error: unknown): void {
    const code = codeOf(error)
    if (code === 'LEDGER_UNAVAILABLE') return
    if (code?.startsWith('STORE_')) this.fail(error)
    else this.#complain(`A record could not be made: ${error instanceof Error ? error.message : String(error)}`)
  }
}
