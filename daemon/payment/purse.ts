/** The channels that this node pays on, one for each provider. Parallel requests to one provider share its channel. */
import b4a from 'b4a'
import { ceilToLamports, lamports, microLamports, NO_COST, toMicroLamports } from '../../ledger/amount.js'
import type { MicroLamports } from '../../ledger/amount.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import type { Swarm } from '../../swarm/port.js'
import type { Channels } from './channels.js'
import { PaymentError } from './errors.js'
import { OutgoingAccount } from './outgoing-account.js'

export interface PurseOptions {
  readonly channels: Channels
  readonly store: () => Promise<LedgerStore>
  readonly swarm: () => Pick<Swarm, 'pay'> | null
  readonly background: (work: Promise<void>) => void
  /** Unix milliseconds. */
  readonly now: () => number
}

/** After a larger deposit could not be had, what is left is used for so long before it is tried again. */
const CONTENT_MS = 60_000

export class Purse {
  readonly #options: PurseOptions
  readonly #accounts = new Map<string, Promise<OutgoingAccount>>()
  readonly #opened = new Map<string, OutgoingAccount>()
  readonly #renewals = new Map<string, Promise<OutgoingAccount>>()
  /** Unix milliseconds, by provider. */
  readonly #content = new Map<string, number>()

  constructor(options: PurseOptions) {
    this.#options = options
  }

  /** By the provider's hex node key. */
  get accounts(): ReadonlyMap<string, OutgoingAccount> {
    return this.#opened
  }

  /**
   * `needed`: what the request may cost at least; a channel with less left is filled up where that can be. Throws
   * `PAYMENT_REQUIRED` without means, `NO_MEANS`, `LEDGER_UNAVAILABLE`.
   */
  async open(provider: Uint8Array, needed: MicroLamports = NO_COST): Promise<OutgoingAccount> {
    const name = b4a.toString(provider, 'hex')
    const used = this.#opened.get(name)
    if (used && this.#isLow(used, needed)) return this.#renewed(used, needed, provider, name)
    let account = this.#accounts.get(name)
    if (!account) {
      account = this.#open(provider, name)
      this.#accounts.set(name, account)
      account.catch(() => this.#accounts.delete(name))
    }
    return account
  }

  /** A provider has refused to be paid as before: the next ask looks again where its channel stands. */
  doubt(provider: Uint8Array): void {
    const name = b4a.toString(provider, 'hex')
    if (this.#opened.get(name)?.idle) this.#forget(name)
  }

  /** Is something under way on this channel? */
  busy(channel: Uint8Array): boolean {
    return this.#of(channel).some(([, account]) => !account.idle)
  }

  /** Nothing further is paid on this channel; what the provider is to have is sent once more. False while it is busy. */
  retire(channel: Uint8Array): boolean {
    if (this.busy(channel)) return false
    for (const [name, account] of this.#of(channel)) {
      this.#forget(name)
      this.#options.background(account.remind())
    }
    return true
  }

  #of(channel: Uint8Array): [string, OutgoingAccount][] {
    return [...this.#opened].filter(([, account]) => b4a.equals(account.id, channel))
  }

  #forget(name: string): void {
    this.#opened.delete(name)
    this.#accounts.delete(name)
  }

  #isLow(used: OutgoingAccount, needed: MicroLamports): boolean {
    const { channels } = this.#options
    return channels.usedUp !== undefined && (needed > used.left || channels.usedUp(used.deposit, used.paid))
  }

  /** Those that come meanwhile wait for the same. */
  #renewed(used: OutgoingAccount, needed: MicroLamports, provider: Uint8Array, name: string): Promise<OutgoingAccount> {
    const { now } = this.#options
    const enough = used.left > 0n && used.left >= needed
    if (enough && now() - (this.#content.get(name) ?? -Infinity) < CONTENT_MS) return Promise.resolve(used)
    const running = this.#renewals.get(name)
    if (running) return running
    const renewal = this.#renew(used, needed, provider, name).finally(() => this.#renewals.delete(name))
    this.#renewals.set(name, renewal)
    return renewal
  }

  /** The same channel with more in it, another one, or, where neither can be had, the rest of this one. */
  async #renew(
    used: OutgoingAccount,
    needed: MicroLamports,
    provider: Uint8Array,
    name: string,
  ): Promise<OutgoingAccount> {
    const { channels, now } = this.#options
    try {
      // A voucher is rounded up, so a little less may be taken than was promised.
      const taken = toMicroLamports(lamports(used.deposit - used.paid)) - used.left
      const need = { taken: ceilToLamports(microLamports(taken > 0n ? taken : 0n)), more: ceilToLamports(needed) }
      const means = await channels.outgoing(provider, need)
      if (!means) throw noMeans()
      const same = b4a.equals(means.channel, used.id)
      if (same && means.deposit > used.deposit) {
        used.raise(means.deposit)
        return used
      }
      if (same || !used.idle) {
        this.#content.set(name, now())
        return used
      }
    } catch (error) {
      if (used.left === 0n || used.left < needed) throw error
      this.#content.set(name, now())
      return used
    }
    this.#forget(name)
    const account = this.#open(provider, name)
    this.#accounts.set(name, account)
    return account
  }

  async #open(provider: Uint8Array, name: string): Promise<OutgoingAccount> {
    const { channels, store, swarm, background } = this.#options
    const means = await channels.outgoing(provider)
    if (!means) throw noMeans()
    const { vouchers } = await store()
    const account = new OutgoingAccount({
      means,
      vouchers,
      send: (payment) => void swarm()?.pay(provider, payment),
      background,
    })
    this.#opened.set(name, account)
    return account
  }
}

export function noMeans(): PaymentError {
  return PaymentError.PAYMENT_REQUIRED(
    'This provider wants to be paid, and this node has no means: give it some with --chain URL, or with --credit LAMPORTS, the most that it may owe one provider.',
  )
}
