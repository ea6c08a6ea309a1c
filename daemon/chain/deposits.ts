/**
 * The payer's side of channels: which one a provider is paid on, with how much in it, and which ones are left because they
 * are being closed. The chain is asked each time; what is on its way is in the outbox, so a crash opens or tops up nothing
 * twice.
 *
 *   a channel with a tenth of the deposit left        is used again
 *   one with less, or with too little for a request   is filled up to the deposit
 *   none                                              is opened
 */
import b4a from 'b4a'
import { lamports, NO_LAMPORTS } from '../../ledger/amount.js'
import type { Lamports } from '../../ledger/amount.js'
import type { ChannelAccount } from '../../ledger/chain/layout/accounts.js'
import type { Found } from '../../ledger/chain/readings.js'
import { LedgerError } from '../../ledger/errors.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import type { KeyPair } from '../crypto.js'
import type { ChainSettings } from '../node-options.js'
import type { Need, Outgoing } from '../payment/channels.js'
import { PaymentError } from '../payment/errors.js'
import type { ChainLink } from './link.js'

const NO_NEED: Need = { taken: NO_LAMPORTS, more: NO_LAMPORTS }
const NO_MODEL = new Uint8Array(32)
/** What a top-up leaves in the wallet: some fees above the least that the chain lets an account hold. */
const KEPT = 1_000_000n
/** By then the list of channels shows what was opened. */
const FRESH_MS = 600_000

/** What the owner allows. */
export interface Allowance {
  /** What may be spent in a day; null = no limit. No deposit is larger. */
  readonly perDay: Lamports | null
  /** Is that used up today? */
  readonly spent: () => boolean
  /** null = deposits may be made; else what to tell who asks for one. */
  readonly objection: () => string | null
}

export interface DepositsOptions {
  readonly settings: ChainSettings
  /** Opened with its first use. */
  readonly link: () => Promise<ChainLink>
  readonly store: () => Promise<Pick<LedgerStore, 'vouchers'>>
  /** Signer of the vouchers to a provider (its node key). */
  readonly signer: (provider: Uint8Array) => KeyPair
  readonly allowance: Allowance
  /** Unix milliseconds. */
  readonly now: () => number
}

/** A channel of ours, with what no voucher promises yet. */
type Mine = Found<ChannelAccount> & { readonly left: bigint }

/** What a search has at hand. */
interface Search {
  readonly chain: ChainLink
  /** Base58: the provider's account. */
  readonly provider: string
  readonly signer: KeyPair
}

export class Deposits {
  readonly #options: DepositsOptions
  /** By node key: who asks meanwhile gets the same answer. */
  readonly #running = new Map<string, Promise<Outgoing>>()
  /** Addresses that nothing further is paid on. */
  readonly #left = new Set<string>()
  /** By address, Unix milliseconds. */
  readonly #handedOut = new Map<string, number>()

  constructor(options: DepositsOptions) {
    this.#options = options
  }

  /** What a channel holds when it is new, and after a top-up. */
  get size(): Lamports {
    const { settings, allowance } = this.#options
    const { perDay } = allowance
    return perDay !== null && perDay < settings.deposit ? perDay : settings.deposit
  }

  usedUp(deposit: Lamports, paid: Lamports): boolean {
    return deposit - paid < this.#least
  }

  /** Throws `NO_MEANS`, `BUDGET_EXCEEDED`, and what the chain says. */
  outgoing(node: Uint8Array, need: Need = NO_NEED): Promise<Outgoing> {
    const name = b4a.toString(node, 'hex')
    const running = this.#running.get(name)
    if (running) return running
    const finding = this.#find(node, need).finally(() => this.#running.delete(name))
    this.#running.set(name, finding)
    return finding
  }

  /** Was any handed out since the start? */
  get used(): boolean {
    return this.#handedOut.size > 0
  }

  /** When a channel was last handed out to be paid on; null = not since the start. Unix milliseconds. */
  handedOut(address: string): number | null {
    return this.#handedOut.get(address) ?? null
  }

  /** Nothing further is paid on it. False, and nothing changes, while somebody is looking for a channel. */
  leave(address: string): boolean {
    if (this.#running.size > 0) return false
    this.#left.add(address)
    return true
  }

  /** It is not being closed after all. */
  comeBack(address: string): void {
    this.#left.delete(address)
  }

  get #least(): bigint {
    return this.size / 10n
  }

  async #find(node: Uint8Array, need: Need): Promise<Outgoing> {
    const [{ bytesOf }, chain] = await Promise.all([import('./link.js'), this.#options.link()])
    const provider = await chain.providerOf(node)
    if (!provider)
      throw PaymentError.NO_MEANS('This provider is not registered on the chain, so it cannot be paid there.')
    const signer = this.#options.signer(node)
    const search: Search = { chain, provider: provider.address, signer }
    // What is on its way already lands first, and is then among those that are looked at.
    await chain.outbox.tick()
    const all = await chain.channelsFrom()
    const [best] = (await this.#usable(search, all)).toSorted((a, b) => (a.left < b.left ? 1 : -1))
    const { address, account } = best ? await this.#filled(search, best, need) : await this.#open(search, all)
    this.#handedOut.set(address, this.#options.now())
    return { channel: bytesOf(address), deposit: account.deposit, signer }
  }

  /** Open ones to this provider, with our signer, that still have the grace that is wanted now. */
  async #usable({ chain, provider, signer }: Search, all: readonly Found<ChannelAccount>[]): Promise<Mine[]> {
    const { bytesOf, isOpen } = await import('./link.js')
    const { vouchers } = await this.#options.store()
    return all
      .filter(({ account }) => isOpen(account) && account.provider.toBase58() === provider)
      .filter(({ account }) => b4a.equals(account.signer, signer.publicKey))
      .filter(({ account }) => account.grace >= this.#options.settings.grace)
      .filter(({ address }) => !this.#left.has(address) && !isUnderWay(chain, `request-close/${address}`))
      .map((found) => {
        const { deposit, settled } = found.account
        const promised = vouchers.lastSigned(bytesOf(found.address))?.cumulative ?? NO_LAMPORTS
        return { ...found, left: deposit - (promised > settled ? promised : settled) }
      })
  }

  /** With enough left in it; as it is, when the wallet has nothing for it. What a deposit cannot hold is not tried. */
  async #filled(search: Search, mine: Mine, { taken, more }: Need): Promise<Found<ChannelAccount>> {
    const enough = more <= this.size && more > this.#least ? more : this.#least
    if (mine.left - taken >= enough) return mine
    const { client } = search.chain
    const wanted = this.size - (mine.left - taken)
    const balance = await client.balance()
    const free = balance > KEPT ? balance - KEPT : 0n
    const amount = free < wanted ? free : wanted
    const poor = amount < (wanted < this.#least ? wanted : this.#least)
    const objection = this.#options.allowance.objection()
    if (mine.left > 0n && (objection !== null || poor)) return mine
    this.#assertAllowed(objection)
    // Too little for it: the chain says what is missing.
    const added = lamports(poor ? wanted : amount)
    // A deposit only grows, so each has a name of its own, and a crash repeats none.
    await client.topUp(mine.address, added, `${mine.address}/${mine.account.deposit}`)
    const found = await client.channel(mine.address)
    if (found && found.account.deposit > mine.account.deposit) return found
    throw PaymentError.NO_MEANS('The larger deposit is not to be seen on the chain yet: ask again in a moment.')
  }

  /** Under the next free number: what is still on its way is waited for, so a crash cannot open two. */
  async #open(
    { chain, provider, signer }: Search,
    all: readonly Found<ChannelAccount>[],
  ): Promise<Found<ChannelAccount>> {
    const { isOpen } = await import('./link.js')
    const { client, outbox } = chain
    const { settings, allowance, now } = this.#options
    for (let number = 0; ; number++) {
      const id = `${provider}/${number}`
      const known = outbox.get(`open/${id}`)
      const landed = known?.phase === 'finalized' || known?.phase === 'confirmed'
      const address = known?.purpose['channel'] ?? ''
      if (landed && all.some((one) => one.address === address)) continue
      if (landed) {
        // It landed after the list was read, or it is closed and gone.
        const found = now() - known.preparedAt < FRESH_MS ? await client.channel(address) : null
        if (found && isOpen(found.account) && !this.#left.has(address)) return found
        if (found || known.phase === 'finalized') continue
      }
      if (!known) this.#assertAllowed(allowance.objection())
      const terms = { provider, signer: signer.publicKey, model: NO_MODEL, deposit: this.size, grace: settings.grace }
      const { channel } = await client.open(terms, id)
      const opened = await client.channel(channel)
      if (opened && isOpen(opened.account)) return opened
      throw PaymentError.NO_MEANS('The new channel is not to be seen on the chain yet: ask again in a moment.')
    }
  }

  #assertAllowed(objection: string | null): void {
    if (objection !== null) throw PaymentError.NO_MEANS(objection)
    if (this.#options.allowance.spent())
      throw LedgerError.BUDGET_EXCEEDED('The budget per day is used up, so no deposit is made today ("swarmd budget").')
  }
}

function isUnderWay({ outbox }: ChainLink, id: string): boolean {
  const phase = outbox.get(id)?.phase
  return phase !== undefined && phase !== 'failed'
}
