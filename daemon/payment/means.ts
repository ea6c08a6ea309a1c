/**
 * With what one ask is paid, as purchase and sale see it: a channel's account, or an order. Amounts are microlamports unless
 * their type says otherwise.
 */
import type { Lamports, MicroLamports } from '../../ledger/amount.js'
import type { Terms } from '../../ledger/channel.js'
import type { Prices } from '../../ledger/price.js'
import type { Statement } from '../../ledger/transaction.js'
import type { AskPayment } from '../../swarm/port.js'

/** Writes down what a request may cost, and resolves when that is on the disk: a write that nothing waits for but a signature. */
export type Reserved = () => Promise<void>

export interface OutgoingMeans {
  /** 32 bytes; the receipt names it as the channel. */
  readonly id: Uint8Array
  /** What further requests may cost. */
  readonly left: MicroLamports
  /** Cost of everything that arrived. */
  readonly accrued: MicroLamports
  readonly paid: Lamports
  /** What the ask brings, which may cost so much; whatever it promises is durable, and `reserved` was before it. */
  payment(ceiling: MicroLamports, reserved: Reserved): Promise<AskPayment>
  /** Before the ask: the most it may cost. Throws `CHANNEL_EXHAUSTED`, `CHANNEL_BUSY`. */
  reserve(request: string, limit: MicroLamports): void
  /**
   * The provider's terms in place of the first reservation; they are within its limit. Nothing is signed before `reserved`
   * was called and has resolved.
   */
  agree(request: string, terms: Terms, reserved: Reserved): void
  /** Throws `RESERVATION_EXCEEDED`: more than was agreed came. */
  deliver(request: string, cost: MicroLamports): void
  release(request: string): void
  /** The connection is gone, and with it what the provider was paid ahead. */
  lost(): void
  /** What it has cost in the end, where that is not known at its end. It may never resolve: then nobody knows yet. */
  spent?(accrued: MicroLamports): Promise<MicroLamports>
}

export interface IncomingMeans {
  /** 32 bytes; the receipt names it as the channel. */
  readonly id: Uint8Array
  /** Nobody was ever paid on it. */
  readonly stranger: boolean
  /** What further requests may cost. */
  readonly left: MicroLamports
  /** Throws `PAYMENT_REQUIRED` for means that do not pay, `CHANNEL_EXHAUSTED`, `CHANNEL_BUSY`. */
  reserve(request: string, terms: Terms, prices: Prices): void
  /** Is everything here that has to be before anything is computed? */
  mayStart(request: string): boolean
  /** What may be delivered now. */
  headroom(request: string): MicroLamports
  deliver(request: string, cost: MicroLamports): void
  /** Resolves when it is worth looking again. Throws the signal's reason, or `PAYMENT_REQUIRED` when that is not within `ms`. */
  payment(signal: AbortSignal, ms: number): Promise<void>
  /** May this much be waived, of what a consumer says it never took? */
  maySpare(amount: MicroLamports, prices: Prices): boolean
  /** The end of a request that cost `cost`, of `delivered`. The sum for its receipt. */
  bill(request: string, cost: MicroLamports, delivered: MicroLamports): MicroLamports
  /** The receipt is on the disk and leaves when this resolves. */
  issued?(statement: Pick<Statement, 'response' | 'cost'>): Promise<void>
  /** It ended without a receipt. */
  release(request: string, delivered: MicroLamports): void
}
