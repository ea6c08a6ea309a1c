/** The channels that this node pays on, one for each provider. Parallel requests to one provider share its channel. */
import b4a from 'b4a'
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
}

export class Purse {
  readonly #options: PurseOptions
  readonly #accounts = new Map<string, Promise<OutgoingAccount>>()
  readonly #opened = new Map<string, OutgoingAccount>()

  constructor(options: PurseOptions) {
    this.#options = options
  }

  /** By the provider's hex node key. */
  get accounts(): ReadonlyMap<string, OutgoingAccount> {
    return this.#opened
  }

  /** Throws `PAYMENT_REQUIRED` without means, `LEDGER_UNAVAILABLE`. */
  async open(provider: Uint8Array): Promise<OutgoingAccount> {
    const name = b4a.toString(provider, 'hex')
    const used = this.#opened.get(name)
    if (used?.idle && this.#options.channels.usedUp?.(used.deposit, used.paid)) {
      this.#opened.delete(name)
      this.#accounts.delete(name)
    }
    let account = this.#accounts.get(name)
    if (!account) {
      account = this.#open(provider, name)
      this.#accounts.set(name, account)
      account.catch(() => this.#accounts.delete(name))
    }
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
