/** Channels on a chain: opened with the deposit when a provider is first paid, read from the chain when one pays us. */
import { setTimeout as sleep } from 'node:timers/promises'
import b4a from 'b4a'
import safetyCatch from 'safety-catch'
import { NO_LAMPORTS } from '../../ledger/amount.js'
import type { Lamports } from '../../ledger/amount.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import type { KeyPair } from '../crypto.js'
import { codeOf } from '../errors.js'
import type { ChainSettings } from '../node-options.js'
import type { Channels, Incoming, Outgoing } from '../payment/channels.js'
import { PaymentError } from '../payment/errors.js'
import type { ChainLink } from './link.js'

/** Hundredths of a percent: more is never given away. */
const MOST_FEE = 1_000
const PATIENCE_MS = 30_000
const NO_MODEL = new Uint8Array(32)

export interface ChainChannelsOptions {
  readonly settings: ChainSettings
  /** Opened with its first use. */
  readonly link: () => Promise<ChainLink>
  readonly store: () => Promise<Pick<LedgerStore, 'vouchers'>>
  /** Signer of the vouchers to a provider (its node key). */
  readonly signer: (provider: Uint8Array) => KeyPair
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

  /** Throws `NO_MEANS` with what is in the way. */
  outgoing(provider: Uint8Array): Promise<Outgoing> {
    return this.#asking(
      () => this.#outgoing(provider),
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
    return deposit - paid < least(this.#options.settings)
  }

  ending(channel: Uint8Array): boolean {
    return this.#closed.has(b4a.toString(channel, 'hex'))
  }

  /** The chain says so (the watcher reads it): nothing further is served on it. */
  close(channel: Uint8Array): void {
    this.#closed.add(b4a.toString(channel, 'hex'))
  }

  async #outgoing(node: Uint8Array): Promise<Outgoing> {
    const { settings, link, signer, store } = this.#options
    const { bytesOf, isOpen } = await import('./link.js')
    const chain = await link()
    const { client, outbox } = chain
    const provider = await chain.providerOf(node)
    if (!provider)
      throw PaymentError.NO_MEANS('This provider is not registered on the chain, so it cannot be paid there.')
    const pair = signer(node)
    // What is on its way already lands first, and is then among those that are looked at.
    await outbox.tick()
    const usable = (await chain.channelsFrom())
      .filter(({ account }) => isOpen(account) && account.provider.toBase58() === provider.address)
      .filter(({ account }) => b4a.equals(account.signer, pair.publicKey))
    const { vouchers } = await store()
    for (const { address, account } of usable) {
      const channel = bytesOf(address)
      const promised = vouchers.lastSigned(channel)?.cumulative ?? NO_LAMPORTS
      const { deposit, settled } = account
      if (!this.usedUp(deposit, promised > settled ? promised : settled)) return { channel, deposit, signer: pair }
    }
    // The next free number: what is still on its way is waited for, so a crash cannot open two.
    for (let number = 0; ; number++) {
      const id = `${provider.address}/${number}`
      const known = outbox.get(`open/${id}`)
      if (known?.phase === 'finalized') continue
      if (known?.phase === 'confirmed' && (await client.channel(known.purpose['channel'] ?? ''))) continue
      const { deposit, grace } = settings
      const terms = { provider: provider.address, signer: pair.publicKey, model: NO_MODEL, deposit, grace }
      const { channel } = await client.open(terms, id)
      const opened = await client.channel(channel)
      if (opened && isOpen(opened.account))
        return { channel: bytesOf(channel), deposit: opened.account.deposit, signer: pair }
      throw PaymentError.NO_MEANS('The new channel is not to be seen on the chain yet: ask again in a moment.')
    }
  }

  async #incoming(channel: Uint8Array): Promise<Incoming | null> {
    const { settings, link, store } = this.#options
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
    // Settled for a ledger that is lost: its vouchers, shown again, would count here and be worth nothing there.
    if (settled > ((await store()).vouchers.held(channel)?.voucher.cumulative ?? NO_LAMPORTS))
      throw PaymentError.PAYMENT_REQUIRED(
        'More was settled of this channel than this provider knows of: open another one.',
      )
    if (feeBps > MOST_FEE) throw PaymentError.PAYMENT_REQUIRED('This channel takes a fee above 10 %.')
    return { channel, deposit, signer }
  }

  /** What is under way goes on when nobody waits any longer: the next ask finds it. */
  async #asking<T>(ask: () => Promise<T>, refusal: (message: string) => PaymentError): Promise<T> {
    const late = new AbortController()
    const asked = ask()
    asked.catch(safetyCatch)
    try {
      return await Promise.race([
        asked,
        sleep(PATIENCE_MS, null, { signal: late.signal }).then(() => {
          throw refusal('The chain has not answered in time: ask again in a moment.')
        }),
      ])
    } catch (error) {
      const words = await this.#words(error)
      throw words === null ? error : refusal(words)
    } finally {
      late.abort()
    }
  }

  /** null for what is no trouble of the chain. */
  async #words(error: unknown): Promise<string | null> {
    const code = codeOf(error)
    if (!(error instanceof Error) || code === null) return null
    if (code === 'WRONG_CHAIN') return this.#options.wrongChain(error)
    if (code.startsWith('RPC_')) return `The chain cannot be asked, so nothing can be paid now. ${error.message}`
    if (code === 'INSUFFICIENT_FUNDS') {
      const { settings, link } = this.#options
      const { client } = await link()
      const wanted = `a channel with a deposit of ${settings.deposit} lamports, its rent and fee`
      return `The wallet ${client.address} cannot pay for ${wanted}. ${error.message}`
    }
    return /^(TX|BLOCKHASH|PROGRAM)_/.test(code) ? error.message : null
  }
}

/** A channel with less left is passed over for a new one. */
function least({ deposit }: ChainSettings): bigint {
  return deposit / 10n
}
