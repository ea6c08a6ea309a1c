/**
 * One channel that this node pays on. The rules are in ledger/channel.ts; here is the order of things: a voucher counts from
 * the moment it is decided, is on the disk before it is signed, and leaves only then.
 *
 * What was paid counts as delivered after a start or a lost connection: what the other side still remembers is never more,
 * so the two can always go on. At most what was agreed ahead and a fraction of a lamport is given up by that.
 */
import b4a from 'b4a'
import safetyCatch from 'safety-catch'
import { microLamports, NO_COST, NO_LAMPORTS, toMicroLamports } from '../../ledger/amount.js'
import type { Lamports, MicroLamports } from '../../ledger/amount.js'
import { openChannel, paymentDue, step } from '../../ledger/channel.js'
import type { Channel, Terms } from '../../ledger/channel.js'
import { signRaw } from '../../ledger/crypto.js'
import type { VoucherStore } from '../../ledger/store/vouchers.js'
import type { AskPayment, SignedPayment } from '../../swarm/port.js'
import type { Outgoing } from './channels.js'
import type { OutgoingMeans, Reserved } from './means.js'

export interface OutgoingAccountOptions {
  readonly means: Outgoing
  readonly vouchers: Pick<VoucherStore, 'lastSigned' | 'sign'>
  /** Hands a voucher to the provider; without a connection the next ask carries it. */
  readonly send: (payment: SignedPayment) => void
  /** Vouchers being signed, for closing to wait for; told when one could not be made durable. */
  readonly background: (work: Promise<void>) => void
}

export class OutgoingAccount implements OutgoingMeans {
  readonly id: Uint8Array
  readonly #options: OutgoingAccountOptions
  #channel: Channel
  #signing: Promise<void> | null = null
  /** Durable and signed. */
  #newest: SignedPayment | null = null
  /** What has to be on the disk before anything is signed. */
  readonly #reserved = new Set<Reserved>()
  /** The proof of the last connection: each makes its own claim. */
  #shown: { readonly claim: Uint8Array; readonly proof: Uint8Array } | null = null

  constructor(options: OutgoingAccountOptions) {
    const { means, vouchers } = options
    const paid = vouchers.lastSigned(means.channel)?.cumulative ?? NO_LAMPORTS
    this.id = means.channel
    this.#options = options
    // A credit that was lowered below what is promised already buys nothing more.
    const deposit = paid > means.deposit ? paid : means.deposit
    this.#channel = openChannel('consumer', deposit, { accrued: toMicroLamports(paid), paid })
  }

  get deposit(): Lamports {
    return this.#channel.deposit
  }

  get paid(): Lamports {
    return this.#channel.paid
  }

  /** Nothing is under way on it. */
  get idle(): boolean {
    return this.#channel.reservations.size === 0 && this.#signing === null
  }

  /** More was put into the channel. */
  raise(deposit: Lamports): void {
    if (deposit > this.#channel.deposit) this.#channel = step(this.#channel, { type: 'top-up', deposit })
  }

  /** Cost of everything that arrived. */
  get accrued(): MicroLamports {
    return this.#channel.accrued
  }

  /** What further requests may cost. */
  get left(): MicroLamports {
    let left = toMicroLamports(this.#channel.deposit) - this.#channel.accrued
    for (const { limit, delivered } of this.#channel.reservations.values()) left -= limit - delivered
    return microLamports(left > 0n ? left : 0n)
  }

  /** Before the ask: the most it may cost. Throws `CHANNEL_EXHAUSTED`, `CHANNEL_BUSY`. */
  reserve(request: string, limit: MicroLamports): void {
    this.#channel = step(this.#channel, { type: 'reserve', request, limit, window: NO_COST, ahead: NO_COST })
  }

  /**
   * The provider's terms in place of the first reservation; they are within its limit. Tokens need not wait for the disk:
   * nothing is signed before `reserved` has resolved, and never again once it has rejected.
   */
  agree(request: string, terms: Terms, reserved: Reserved): void {
    const free = step(this.#channel, { type: 'release', request })
    this.#channel = step(free, { type: 'reserve', request, ...terms })
    this.#reserved.add(reserved)
    this.settle()
  }

  /** Throws `RESERVATION_EXCEEDED`: more than was agreed came. */
  deliver(request: string, cost: MicroLamports): void {
    this.#channel = step(this.#channel, { type: 'deliver', request, cost })
    this.settle()
  }

  release(request: string): void {
    if (!this.#channel.reservations.has(request)) return
    this.#channel = step(this.#channel, { type: 'release', request })
    this.settle()
    // Nothing came of them that is still to be signed for.
    if (this.idle) this.#reserved.clear()
  }

  /** The connection is gone, and with it what the provider was paid ahead. */
  lost(): void {
    const paid = toMicroLamports(this.#channel.paid)
    if (paid > this.#channel.accrued) this.#channel = { ...this.#channel, accrued: paid }
  }

  /** Signs what is due now, and what becomes due meanwhile; never waits. */
  settle(): void {
    if (this.#signing || paymentDue(this.#channel) === null) return
    this.#signing = this.#sign()
    this.#options.background(this.#signing)
  }

  /** The channel, its newest voucher, and the right to it. */
  async payment(_ceiling: MicroLamports, reserved: Reserved): Promise<AskPayment> {
    // Strangers pay ahead: what is to be on the disk before that had better be on its way.
    if (this.#channel.paid === 0n) reserved().catch(safetyCatch)
    return { kind: 'channel', channel: this.id, voucher: await this.voucher(), prove: this.#prove }
  }

  /** The newest voucher, durable; null before the first. Whatever is due without a request under way is in it. */
  async voucher(): Promise<SignedPayment | null> {
    if (this.#channel.reservations.size === 0) this.settle()
    // Beside other requests, what is being signed for them follows by itself.
    if (this.#newest && (this.#signing === null || this.#channel.reservations.size > 0)) return this.#newest
    await this.#signing
    const { means, vouchers } = this.#options
    const last = vouchers.lastSigned(means.channel)
    if (!last) return null
    // The same one again costs no write and gives the same bytes.
    this.#newest = paymentOf(await vouchers.sign(last, this.#channel.deposit, means.signer.secretKey))
    return this.#newest
  }

  /** Sends the newest voucher again: on a channel that is being left there is no later ask to bring it. */
  async remind(): Promise<void> {
    const voucher = await this.voucher()
    if (voucher) this.#options.send(voucher)
  }

  #prove = (claim: Uint8Array): Uint8Array => {
    if (!this.#shown || !b4a.equals(this.#shown.claim, claim))
      this.#shown = { claim, proof: signRaw(this.#options.means.signer.secretKey, claim) }
    return this.#shown.proof
  }

  /** Together: one write does for all of them. */
  async #written(): Promise<void> {
    const all = [...this.#reserved]
    await Promise.all(all.map((reserved) => reserved()))
    for (const reserved of all) this.#reserved.delete(reserved)
  }

  async #sign(): Promise<void> {
    const { means, vouchers, send } = this.#options
    for (;;) {
      await this.#written()
      const amount = paymentDue(this.#channel)
      if (amount === null) break
      this.#channel = step(this.#channel, { type: 'pay', cumulative: amount })
      const voucher = { channel: means.channel, cumulative: amount, expiresAt: 0n }
      this.#newest = paymentOf(await vouchers.sign(voucher, this.#channel.deposit, means.signer.secretKey))
      send(this.#newest)
    }
    // In the same turn as the last look at what is due, or something that comes due in between would be nobody's.
    this.#signing = null
  }
}

function paymentOf({ voucher, signature }: Awaited<ReturnType<VoucherStore['sign']>>): SignedPayment {
  return {
    channel: b4a.from(voucher.channel),
    cumulative: voucher.cumulative,
    expires: voucher.expiresAt,
    signature,
  }
}
