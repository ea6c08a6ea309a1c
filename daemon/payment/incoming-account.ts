/**
 * One channel that this node is paid on. The rules are in ledger/channel.ts; here is who waits for what, and what becomes of
 * tokens that left and never arrived.
 *
 *   billed   = the sum of the receipts issued on the channel, which is what each receipt states
 *   accrued  = what the consumer owes for; below `billed` by what was lost in cut streams and given up
 *
 * When nothing is under way, a consumer that pays has paid everything that arrived. What is open then is given up, as long as
 * that stays `forgivable` in all; above it the channel counts as one that does not pay.
 */
import { formatMicroLamports, microLamports, NO_COST, NO_LAMPORTS, toMicroLamports } from '../../ledger/amount.js'
import type { Lamports, MicroLamports } from '../../ledger/amount.js'
import { headroom, mayStart, openChannel, step } from '../../ledger/channel.js'
import type { Channel, Terms } from '../../ledger/channel.js'
import type { Prices } from '../../ledger/price.js'
import type { VoucherStore } from '../../ledger/store/vouchers.js'
import type { SignedVoucher } from '../../ledger/voucher.js'
import type { Incoming } from './channels.js'
import { PaymentError } from './errors.js'
import type { IncomingMeans } from './means.js'
import { forgivable } from './policy.js'

export interface IncomingAccountOptions {
  readonly source: Incoming
  readonly vouchers: Pick<VoucherStore, 'accept' | 'held'>
  /** Sum of the receipts that the log holds of this channel. */
  readonly billed: MicroLamports
  /** Unix milliseconds. */
  readonly now: () => number
}

export class IncomingAccount implements IncomingMeans {
  readonly id: Uint8Array
  readonly #options: IncomingAccountOptions
  #channel: Channel
  #billed: MicroLamports
  /** Given up while nothing was under way; taken back as far as it is paid after all. */
  #doubtful: MicroLamports = NO_COST
  /** Given up because the consumer says that it never took it. */
  #waived: MicroLamports = NO_COST
  #waiters = new Set<() => void>()

  constructor(options: IncomingAccountOptions) {
    const { source, vouchers, billed } = options
    const held = vouchers.held(source.channel)?.voucher.cumulative ?? NO_LAMPORTS
    // Settled for a ledger that is lost: the vouchers of then, shown again, are no money.
    const paid = source.settled !== undefined && source.settled > held ? source.settled : held
    this.id = source.channel
    this.#options = options
    this.#billed = billed
    // What was paid without a receipt was delivered by a process that is gone; rounding may be one lamport of it.
    const delivered = paid > 0n ? (paid - 1n) * 1_000_000n + 1n : 0n
    const accrued = microLamports(billed > delivered ? billed : delivered)
    const deposit = paid > source.deposit ? paid : source.deposit
    this.#channel = openChannel('provider', deposit, { accrued, paid })
  }

  /** Nobody was ever paid on it. */
  get stranger(): boolean {
    return this.#channel.paid === 0n
  }

  /** ed25519 key that signs its vouchers. */
  get signer(): Uint8Array {
    return this.#options.source.signer
  }

  get idle(): boolean {
    return this.#channel.reservations.size === 0
  }

  get deposit(): Lamports {
    return this.#channel.deposit
  }

  get paid(): Lamports {
    return this.#channel.paid
  }

  /** More was put into the channel. */
  raise(deposit: Lamports): void {
    if (deposit > this.#channel.deposit) this.#channel = step(this.#channel, { type: 'top-up', deposit })
  }

  get accrued(): MicroLamports {
    return this.#channel.accrued
  }

  get left(): MicroLamports {
    let left = toMicroLamports(this.#channel.deposit) - this.#channel.accrued
    for (const { limit, delivered } of this.#channel.reservations.values()) left -= limit - delivered
    return microLamports(left > 0n ? left : 0n)
  }

  /** Takes a voucher; resolves when it is durable. Throws `VOUCHER_*`, `STORE_WRITE_FAILED`. */
  async accept(signed: SignedVoucher): Promise<void> {
    const { source, vouchers, now } = this.#options
    const { deposit } = this.#channel
    const rule = { channel: source.channel, signer: source.signer, deposit, now: BigInt(Math.floor(now() / 1000)) }
    await vouchers.accept(signed, rule)
    // Two of them may become durable together, and the higher one be told first.
    if (signed.voucher.cumulative <= this.#channel.paid) return
    this.#channel = step(this.#channel, { type: 'pay', cumulative: signed.voucher.cumulative })
    this.#reclaim()
    this.#wake()
  }

  /** Throws `PAYMENT_REQUIRED` for a channel that does not pay, `CHANNEL_EXHAUSTED`, `CHANNEL_BUSY`. */
  reserve(request: string, terms: Terms, prices: Prices): void {
    const channel = this.idle ? this.#settled(prices) : this.#channel
    const reserved = step(channel, { type: 'reserve', request, ...terms })
    this.#doubtful = microLamports(this.#doubtful + this.#channel.accrued - channel.accrued)
    this.#channel = reserved
  }

  /** Is everything that was to be paid ahead here? */
  mayStart(request: string): boolean {
    return mayStart(this.#channel, request)
  }

  /** What may be delivered now. */
  headroom(request: string): MicroLamports {
    return headroom(this.#channel, request)
  }

  deliver(request: string, cost: MicroLamports): void {
    this.#channel = step(this.#channel, { type: 'deliver', request, cost })
  }

  /**
   * Resolves at the next voucher, or when another request ends, which may leave room too. Throws the signal's reason, or
   * `PAYMENT_REQUIRED` when neither came within `ms`.
   */
  payment(signal: AbortSignal, ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', abort)
        this.#waiters.delete(wake)
      }
      const wake = (): void => {
        leave()
        resolve()
      }
      const abort = (): void => {
        leave()
        reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
      }
      const timer = setTimeout(() => {
        leave()
        reject(PaymentError.PAYMENT_REQUIRED(`No voucher came within ${ms / 1000} s.`))
      }, ms)
      this.#waiters.add(wake)
      if (signal.aborted) abort()
      else signal.addEventListener('abort', abort, { once: true })
    })
  }

  /** May this much be waived, of what a consumer says it never took? */
  maySpare(amount: MicroLamports, prices: Prices): boolean {
    return this.#lost(prices) + amount <= forgivable(prices, this.#channel.paid)
  }

  /** The end of a request that cost `cost`, of `delivered`. The sum for its receipt. */
  bill(request: string, cost: MicroLamports, delivered: MicroLamports): MicroLamports {
    this.#channel = step(this.#channel, { type: 'release', request })
    this.#waive(microLamports(delivered - cost))
    this.#billed = microLamports(this.#billed + cost)
    this.#wake()
    return this.#billed
  }

  /** It ended without a receipt. */
  release(request: string, delivered: MicroLamports): void {
    this.#channel = step(this.#channel, { type: 'release', request })
    this.#waive(delivered)
    this.#wake()
  }

  /** What was waived, or will not be paid ahead any more, brings no voucher: for the consumer nothing is due. */
  #wake(): void {
    for (const wake of this.#waiters) wake()
  }

  #waive(amount: MicroLamports): void {
    const unpaid = this.#unpaid()
    const waived = microLamports(amount < unpaid ? amount : unpaid)
    if (waived === 0n) return
    this.#channel = step(this.#channel, { type: 'write-off', amount: waived })
    this.#waived = microLamports(this.#waived + waived)
  }

  /** Without what a consumer that has paid all it owes still has open. */
  #settled(prices: Prices): Channel {
    const unpaid = this.#unpaid()
    if (unpaid === 0n) return this.#channel
    const lost = this.#lost(prices)
    if (lost > forgivable(prices, this.#channel.paid)) {
      const owed = formatMicroLamports(microLamports(lost))
      throw PaymentError.PAYMENT_REQUIRED(`This channel has left ${owed} of earlier answers unpaid.`)
    }
    return step(this.#channel, { type: 'write-off', amount: unpaid })
  }

  #lost(prices: Prices): bigint {
    const open = this.#billed - toMicroLamports(this.#channel.paid)
    // A free offer has no window to be measured by, and nothing to lose.
    return prices.output === 0n && prices.input === 0n ? 0n : (open > 0n ? open : 0n) + this.#waived
  }

  #unpaid(): MicroLamports {
    const unpaid = this.#channel.accrued - toMicroLamports(this.#channel.paid)
    return microLamports(unpaid > 0n ? unpaid : 0n)
  }

  #reclaim(): void {
    const ahead = toMicroLamports(this.#channel.paid) - this.#channel.accrued
    const back = ahead < this.#doubtful ? ahead : this.#doubtful
    if (back <= 0n) return
    this.#channel = { ...this.#channel, accrued: microLamports(this.#channel.accrued + back) }
    this.#doubtful = microLamports(this.#doubtful - back)
  }
}
