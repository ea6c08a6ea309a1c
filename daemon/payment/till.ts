/** The channels that this node is paid on. */
import b4a from 'b4a'
import { lamports, NO_COST } from '../../ledger/amount.js'
import type { MicroLamports } from '../../ledger/amount.js'
import { LedgerError } from '../../ledger/errors.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import type { ShownPayment, SignedPayment } from '../../swarm/port.js'
import { codeOf } from '../errors.js'
import type { Channels, Incoming } from './channels.js'
import { PaymentError } from './errors.js'
import { IncomingAccount } from './incoming-account.js'
import { Proofs } from './proofs.js'

export interface TillOptions {
  readonly channels: Channels
  readonly store: () => Promise<LedgerStore>
  /** A voucher could not be made durable. */
  readonly failed: (error: unknown) => void
  /** Unix milliseconds. */
  readonly now: () => number
}

type ShownChannel = Extract<ShownPayment, { readonly kind: 'channel' }>

/** In memory; channels at rest are read again from the store. */
const MAX_ACCOUNTS = 4096
/** Anybody can make channels that are never used again, and each leaves a voucher on the disk. */
const MAX_CHANNELS = 100_000
/** Receipts of parallel requests reach the log in any order, but not further apart. */
const NEWEST = 256

export class Till {
  readonly #options: TillOptions
  readonly #accounts = new Map<string, Promise<IncomingAccount>>()
  readonly #opened = new Map<string, IncomingAccount>()
  readonly #proofs = new Proofs()
  readonly #looking = new Map<IncomingAccount, Promise<Incoming | null>>()
  /** The highest that came between asks. */
  readonly #between = new WeakMap<IncomingAccount, bigint>()

  constructor(options: TillOptions) {
    this.#options = options
  }

  get accounts(): ReadonlyMap<string, IncomingAccount> {
    return this.#opened
  }

  /**
   * The channel of an ask, with the voucher it brought, for whoever proves to hold the key that signs its vouchers. An ask
   * that wants more than is left may come with a larger deposit. Throws `PAYMENT_REQUIRED`, `VOUCHER_*`,
   * `LEDGER_UNAVAILABLE`.
   */
  async open(payment: ShownChannel, peer: Uint8Array, wanted: bigint = 0n): Promise<IncomingAccount> {
    const { channel, voucher } = payment
    if (this.#options.channels.ending?.(channel))
      throw PaymentError.PAYMENT_REQUIRED('This channel is being closed: open another one.')
    const account = await this.#account(channel, peer)
    if (!this.#proofs.holds(payment, account.signer))
      throw PaymentError.PAYMENT_REQUIRED("This ask does not prove that it comes from the channel's owner.")
    if (voucher) {
      try {
        await this.#take(account, voucher)
      } catch (error) {
        // A higher one overtook it on the way here.
        if (codeOf(error) !== 'VOUCHER_NOT_HIGHER') throw error
      }
    }
    if (wanted > account.left) await this.#raise(account, peer)
    return account
  }

  /** Is something under way on this channel? */
  busy(channel: Uint8Array): boolean {
    const account = this.#opened.get(b4a.toString(channel, 'hex'))
    return account !== undefined && !account.idle
  }

  /**
   * A voucher between asks: only for a channel that an ask has named. These wait for each other and asks do not wait for
   * them, so an ask may have brought a higher one before; sent twice, one is refused. Throws `VOUCHER_*`, `STORE_WRITE_FAILED`.
   */
  async accept(voucher: SignedPayment): Promise<void> {
    const account = await this.#accounts.get(b4a.toString(voucher.channel, 'hex'))
    if (!account) throw LedgerError.VOUCHER_OTHER_CHANNEL()
    const inOrder = voucher.cumulative > (this.#between.get(account) ?? 0n)
    try {
      await this.#take(account, voucher)
    } catch (error) {
      if (!inOrder || codeOf(error) !== 'VOUCHER_NOT_HIGHER') throw error
    }
    if (inOrder) this.#between.set(account, voucher.cumulative)
  }

  async #take(account: IncomingAccount, voucher: SignedPayment): Promise<void> {
    if (voucher.expires !== 0n && this.#options.channels.cashed)
      throw PaymentError.PAYMENT_REQUIRED('This provider takes no vouchers that expire.')
    try {
      await account.accept(signedOf(voucher))
    } catch (error) {
      if (codeOf(error) === 'STORE_WRITE_FAILED') this.#options.failed(error)
      throw error
    }
  }

  async #account(channel: Uint8Array, peer: Uint8Array): Promise<IncomingAccount> {
    const name = b4a.toString(channel, 'hex')
    let account = this.#accounts.get(name)
    if (!account) {
      this.#makeRoom()
      account = this.#open(channel, peer, name)
      this.#accounts.set(name, account)
      account.catch(() => this.#accounts.delete(name))
    }
    return account
  }

  /** Asks that come meanwhile wait for the same look. What cannot be seen now leaves the channel as it is known. */
  async #raise(account: IncomingAccount, peer: Uint8Array): Promise<void> {
    const { channels } = this.#options
    let looking = this.#looking.get(account)
    if (!looking) {
      looking = channels.incoming(account.id, peer).finally(() => this.#looking.delete(account))
      this.#looking.set(account, looking)
    }
    try {
      const source = await looking
      if (source) account.raise(source.deposit)
    } catch (error) {
      if (channels.ending?.(account.id)) throw error
    }
  }

  async #open(channel: Uint8Array, peer: Uint8Array, name: string): Promise<IncomingAccount> {
    const { channels, store, now } = this.#options
    const source = await channels.incoming(channel, peer)
    if (!source) throw PaymentError.PAYMENT_REQUIRED('This provider knows no such channel, or gives no credit.')
    const { vouchers, query } = await opened(store)
    const known = vouchers.held(channel) !== null
    if (!known && vouchers.allHeld().length >= MAX_CHANNELS) {
      throw PaymentError.PAYMENT_REQUIRED('This provider takes no further channels.')
    }
    const billed = await query(channel)
    const account = new IncomingAccount({ source, vouchers, billed, now })
    this.#opened.set(name, account)
    return account
  }

  #makeRoom(): void {
    if (this.#accounts.size < MAX_ACCOUNTS) return
    for (const [name, account] of this.#opened) {
      if (!account.idle) continue
      this.#accounts.delete(name)
      this.#opened.delete(name)
      return
    }
    throw PaymentError.PAYMENT_REQUIRED('This provider serves too many channels at once.')
  }
}

async function opened(store: () => Promise<LedgerStore>): Promise<{
  readonly vouchers: LedgerStore['vouchers']
  /** The sum that the newest receipt of a channel states. */
  readonly query: (channel: Uint8Array) => Promise<MicroLamports>
}> {
  const ledger = await store()
  return {
    vouchers: ledger.vouchers,
    query: async (channel) => {
      const rows = await ledger.query({ channel }, NEWEST)
      return rows
        .filter(({ entry }) => entry.role === 'provider')
        .reduce((most, { entry }) => {
          const { cumulative } = entry.transaction.statement
          return cumulative > most ? cumulative : most
        }, NO_COST)
    },
  }
}

/** Throws `AMOUNT_OUT_OF_RANGE`. */
function signedOf({ channel, cumulative, expires, signature }: SignedPayment): {
  readonly voucher: {
    readonly channel: Uint8Array
    readonly cumulative: ReturnType<typeof lamports>
    readonly expiresAt: bigint
  }
  readonly signature: Uint8Array
} {
  return { voucher: { channel, cumulative: lamports(cumulative), expiresAt: expires }, signature }
}
