/** Channels on a chain: opened with the deposit when a provider is first paid, read from the chain when one pays us. */
import b4a from 'b4a'
import type { Lamports } from '../../ledger/amount.js'
import type { ChainSettings } from '../node-options.js'
import type { Channels, Incoming, Need, Outgoing } from '../payment/channels.js'
import { PaymentError } from '../payment/errors.js'
import { asking } from './asking.js'
import type { Deposits } from './deposits.js'
import type { ChainLink } from './link.js'

/** Hundredths of a percent: more is never given away. */
const MOST_FEE = 1_000

export interface ChainChannelsOptions {
  readonly settings: ChainSettings
  /** Opened with its first use. */
  readonly link: () => Promise<Pick<ChainLink, 'client'>>
  readonly deposits: Deposits
  /** Words for a chain that is another one than before. */
  readonly wrongChain: (error: Error) => string
}

export class ChainChannels implements Channels {
  readonly pays = true
  readonly cashed = true
  readonly #options: ChainChannelsOptions
  /** Addresses that the chain knows as closing or closed: final, because no channel opens again. */
  readonly #closed = new Set<string>()

  constructor(options: ChainChannelsOptions) {
    this.#options = options
  }

  /** Throws `NO_MEANS` with what is in the way, `BUDGET_EXCEEDED`. */
  outgoing(provider: Uint8Array, need?: Need): Promise<Outgoing> {
    return this.#asking(
      () => this.#options.deposits.outgoing(provider, need),
      (message) => PaymentError.NO_MEANS(message),
    )
  }

  /** Throws `PAYMENT_REQUIRED` for a channel that cannot be enforced. */
  incoming(channel: Uint8Array): Promise<Incoming | null> {
    return this.#asking(
      () => this.#incoming(channel),
      (message) => PaymentError.PAYMENT_REQUIRED(message),
    )
  }

  usedUp(deposit: Lamports, paid: Lamports): boolean {
    return this.#options.deposits.usedUp(deposit, paid)
  }

  ending(channel: Uint8Array): boolean {
    return this.#closed.has(b4a.toString(channel, 'hex'))
  }

  /** The chain says so (the watcher reads it): nothing further is served on it. */
  close(channel: Uint8Array): void {
    this.#closed.add(b4a.toString(channel, 'hex'))
  }

  async #incoming(channel: Uint8Array): Promise<Incoming | null> {
    const { settings, link } = this.#options
    const { addressOf, isOpen } = await import('./link.js')
    const { client } = await link()
    const found = await client.channel(addressOf(channel))
    if (found?.account.provider.toBase58() !== client.provider)
      throw PaymentError.PAYMENT_REQUIRED('The chain knows no such channel to this provider.')
    const { grace, feeBps, deposit, settled, signer } = found.account
    if (!isOpen(found.account)) {
      this.close(channel)
      throw PaymentError.PAYMENT_REQUIRED('This channel is being closed: open another one.')
    }
    if (grace < settings.leastGrace)
      throw PaymentError.PAYMENT_REQUIRED(
        `This channel's grace of ${grace} s is too short: this provider wants ${settings.leastGrace} s.`,
      )
    if (feeBps > MOST_FEE) throw PaymentError.PAYMENT_REQUIRED('This channel takes a fee above 10 %.')
    return { channel, deposit, signer, settled }
  }

  #asking<T>(ask: () => Promise<T>, refusal: (message: string) => PaymentError): Promise<T> {
    const { wrongChain, deposits, link } = this.#options
    const poor = async (error: Error): Promise<string> => {
      const { client } = await link()
      const wanted = `a channel with a deposit of ${deposits.size} lamports, its rent and fee`
      return `The wallet ${client.address} cannot pay for ${wanted}. ${error.message}`
    }
    return asking(ask, { refusal, wrongChain, poor })
  }
}
