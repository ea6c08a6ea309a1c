/**
 * Vouchers of one peer, taken in the order in which they came: the next one is looked at when the last one is durable.
 * What the ledger refuses is told by its code, about the channel, and those asks go on that others pay for.
 */
import { SwarmError } from '../errors.js'
import type { SignedPayment } from '../port.js'
import { REQUEST_ID_BYTES } from '../wire/ask.js'
import type { Voucher } from '../wire/voucher.js'
import type { Allowance } from './allowance.js'

/** Under way to the disk. An honest peer has a few per request: it pays for what was served, and that waits for the disk. */
export const MAX_PENDING = 1024

export interface VoucherHooks {
  /** Null: this node takes none. */
  readonly take: ((this: void, voucher: SignedPayment) => Promise<void>) | null
  refused(id: Uint8Array, code: string, detail: string): void
  /** What the ledger refused is no accident. */
  strike(): void
}

export class Vouchers {
  readonly #hooks: VoucherHooks
  readonly #allowance: Allowance
  #pending = 0
  #last: Promise<void> = Promise.resolve()

  constructor(hooks: VoucherHooks, allowance: Allowance) {
    this.#hooks = hooks
    this.#allowance = allowance
  }

  /** Throws `FLOODED`. */
  onVoucher(message: Voucher): void {
    if (this.#pending >= MAX_PENDING || this.#allowance.wait('vouchers') !== null) throw SwarmError.FLOODED('vouchers')
    const channel = Uint8Array.from(message.channel)
    const take = this.#hooks.take
    if (!take) return this.#hooks.refused(about(channel), 'UNSUPPORTED', 'This node takes no vouchers.')
    const voucher = { ...message, channel, signature: Uint8Array.from(message.signature) }
    this.#pending++
    this.#last = this.#last
      .then(() => take(voucher))
      .then(
        () => void this.#pending--,
        (error: unknown) => {
          this.#pending--
          this.#refuse(channel, error)
        },
      )
  }

  #refuse(channel: Uint8Array, error: unknown): void {
    const code = codeOf(error)
    this.#hooks.refused(about(channel), code, error instanceof Error ? error.message : '')
    if (code.startsWith('VOUCHER_')) this.#hooks.strike()
  }
}

/** An error about a channel bears the first bytes of the channel where others have a request id. */
export function about(channel: Uint8Array): Uint8Array {
  return channel.subarray(0, REQUEST_ID_BYTES)
}

function codeOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : null
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{0,39}$/.test(code) ? code : 'PAYMENT_REQUIRED'
}
