/**
 * Every lamport of an embedded chain that belongs to a test: who held it at the beginning, who holds it now, what was burnt as
 * fees in between. Fees are computed from the bytes of the transactions, channels are followed from outside, so a lamport
 * that goes anywhere else, or is paid twice, shows.
 */
import { toBase58 } from '../../ledger/chain/base58.js'
import type { EmbeddedChain, LandedEvent } from '../../ledger/chain/embedded/chain.js'
import { feeOf } from '../../ledger/chain/embedded/fees.js'
import { EMBEDDED_PROGRAM } from '../../ledger/chain/embedded/swarmd-chain.js'
import { readTransaction } from '../../ledger/chain/embedded/wire.js'
import { CHANNEL, CONFIG, OFFER, ORDER, PROVIDER } from '../../ledger/chain/layout/accounts.js'
import type { ChannelAccount, OrderAccount } from '../../ledger/chain/layout/accounts.js'
import { fromBase58 } from '../../ledger/chain/base58.js'

const PROGRAM = fromBase58(EMBEDDED_PROGRAM, 32) ?? new Uint8Array(32)
const BPS = 10_000n

export interface Booked<T> {
  /** Base58. */
  readonly address: string
  readonly account: T
  /** Everything that lies in it, rent included; 0 = it is gone, and `account` is what it was last. */
  readonly lamports: bigint
}
export type BookedChannel = Booked<ChannelAccount>
export type BookedOrder = Booked<OrderAccount>

export class ChainBooks {
  /** Transactions that landed on the main chain: signature to error, null = none. */
  readonly landed = new Map<string, unknown>()
  readonly #chain: EmbeddedChain
  readonly #faucet: Uint8Array
  /** Addresses of wallets in base58, by name. */
  readonly #wallets: ReadonlyMap<string, string>
  readonly #start: ReadonlyMap<string, bigint>
  /** Burnt, by the address that paid. */
  readonly #burnt = new Map<string, bigint>()
  readonly #channels = new Map<string, BookedChannel>()
  readonly #orders = new Map<string, BookedOrder>()
  readonly #unlisten: () => void

  /** From now on; the wallets have been filled, and nothing else has happened. */
  constructor(chain: EmbeddedChain, faucet: Uint8Array, wallets: ReadonlyMap<string, Uint8Array>) {
    this.#chain = chain
    this.#faucet = faucet
    this.#wallets = new Map([...wallets].map(([name, key]) => [name, toBase58(key)]))
    this.#start = this.#balances()
    this.#unlisten = chain.onLanded((event) => this.#follow(event))
  }

  close(): void {
    this.#unlisten()
  }

  /** Lamports of fees that this wallet has burnt. */
  burnt(name: string): bigint {
    return this.#burnt.get(this.#wallets.get(name) ?? '') ?? 0n
  }

  /** What a wallet has lost since the beginning; negative = gained. */
  lost(name: string): bigint {
    const address = this.#wallets.get(name) ?? ''
    return (this.#start.get(address) ?? 0n) - this.#balance(address)
  }

  /** All that there have ever been, as they are, or were last. */
  channels(): BookedChannel[] {
    for (const { key, account } of this.#owned(CHANNEL.kind)) this.#book(toBase58(key), account)
    return this.#lasting(this.#channels)
  }

  orders(): BookedOrder[] {
    for (const { key, account } of this.#owned(ORDER.kind)) this.#book(toBase58(key), account)
    return this.#lasting(this.#orders)
  }

  /** Channels that this wallet has opened. */
  channelsFrom(name: string): BookedChannel[] {
    return this.channels().filter(({ account }) => account.payer.toBase58() === this.#wallets.get(name))
  }

  /** Channels to the provider of this wallet. */
  channelsTo(name: string): BookedChannel[] {
    const own = this.#providers(name).map(({ key }) => toBase58(key))
    return this.channels().filter(({ account }) => own.includes(account.provider.toBase58()))
  }

  /** Lamports in accounts of a provider other than channels: rent that comes back when they are closed. */
  rentOf(name: string): bigint {
    const own = this.#providers(name)
    const keys = own.map(({ key }) => toBase58(key))
    const offers = this.#owned(OFFER.kind).filter(({ account }) =>
      keys.includes(OFFER.decode(account.data).provider.toBase58()),
    )
    return [...own, ...offers].reduce((sum, { account }) => sum + account.lamports, 0n)
  }

  /** Of all channels and orders, the program's own rule: a part of each sum, rounded down once. */
  fees(): bigint {
    const channels = this.channels().reduce((sum, { account }) => sum + feeOn(account), 0n)
    return this.orders().reduce((sum, { account }) => sum + feeOfOrder(account), channels)
  }

  /** What does not add up, in words. Each wallet to the lamport, and all of them together. */
  broken(): string[] {
    const found: string[] = []
    const expect = (what: string, is: bigint, should: bigint): void => {
      if (is !== should) found.push(`${what}: ${is} lamports, and by its transactions ${should}`)
    }
    for (const name of this.#wallets.keys()) {
      const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((a, b) => a + b, 0n)
      const [own, keys] = [this.#wallets.get(name), this.#providers(name).map(({ key }) => toBase58(key))]
      const paid = this.channelsFrom(name).map(({ account, lamports }) => account.settled + lamports)
      const got = this.channelsTo(name).map(({ account }) => account.settled - feeOn(account))
      for (const { account, lamports } of this.orders()) {
        if (account.payer.toBase58() === own) paid.push(account.cost + lamports)
        if (keys.includes(account.provider.toBase58())) got.push(account.cost - feeOfOrder(account))
      }
      expect(`lost by ${name}`, this.lost(name), this.burnt(name) + sum(paid) + this.rentOf(name) - sum(got))
    }
    const { treasury } = this.#treasury()
    expect('gained by the treasury', this.#balance(treasury) - (this.#start.get(treasury) ?? 0n), this.fees())
    const total = (balances: ReadonlyMap<string, bigint>): bigint => [...balances.values()].reduce((a, b) => a + b, 0n)
    const burnt = [...this.#burnt.values()].reduce((a, b) => a + b, 0n)
    expect('all accounts and fees', total(this.#balances()) + burnt, total(this.#start))
    return found
  }

  #follow({ signature, error, changed }: LandedEvent): void {
    this.landed.set(signature, error)
    const record = this.#chain.history.record(signature)
    const { message } = readTransaction(Buffer.from(record?.wire ?? '', 'base64'))
    const payer = toBase58(message.keys[0] ?? new Uint8Array(32))
    this.#burnt.set(payer, (this.#burnt.get(payer) ?? 0n) + BigInt(feeOf(message)))
    for (const key of changed) {
      const account = this.#chain.account(key)
      if (account && toBase58(account.owner) === EMBEDDED_PROGRAM) this.#book(toBase58(key), account)
    }
  }

  #book(address: string, { data, lamports }: { readonly data: Uint8Array; readonly lamports: bigint }): void {
    if (data[0] === CHANNEL.kind) this.#channels.set(address, { address, account: CHANNEL.decode(data), lamports })
    if (data[0] === ORDER.kind) this.#orders.set(address, { address, account: ORDER.decode(data), lamports })
  }

  /** What is gone stays as it was last, without lamports. */
  #lasting<T>(booked: Map<string, Booked<T>>): Booked<T>[] {
    for (const [address, { account, lamports }] of booked)
      if (lamports > 0n && this.#balance(address) === 0n) booked.set(address, { address, account, lamports: 0n })
    return [...booked.values()]
  }

  #owned(kind: number): ReturnType<EmbeddedChain['accountsOf']> {
    return this.#chain.accountsOf(PROGRAM).filter(({ account }) => account.data[0] === kind)
  }

  #providers(name: string): ReturnType<EmbeddedChain['accountsOf']> {
    return this.#owned(PROVIDER.kind).filter(
      ({ account }) => PROVIDER.decode(account.data).authority.toBase58() === this.#wallets.get(name),
    )
  }

  #treasury(): { readonly treasury: string; readonly pool: string } {
    const [config] = this.#owned(CONFIG.kind)
    if (!config) throw new Error('a chain without its config')
    const { treasury, pool } = CONFIG.decode(config.account.data)
    return { treasury: treasury.toBase58(), pool: pool.toBase58() }
  }

  /** Of everybody who may hold something, by address. */
  #balances(): Map<string, bigint> {
    const { treasury, pool } = this.#treasury()
    const owned = this.#chain.accountsOf(PROGRAM).map(({ key }) => toBase58(key))
    const all = new Set([toBase58(this.#faucet), treasury, pool, ...this.#wallets.values(), ...owned])
    return new Map([...all].map((address) => [address, this.#balance(address)]))
  }

  #balance(address: string): bigint {
    return this.#chain.account(fromBase58(address, 32) ?? new Uint8Array(32))?.lamports ?? 0n
  }
}

function feeOfOrder({ cost, feeBps }: OrderAccount): bigint {
  return (cost * BigInt(feeBps)) / BPS
}

/** Lamports of fee in what was settled of a channel. */
export function feeOn({ settled, feeBps }: ChannelAccount): bigint {
  return (settled * BigInt(feeBps)) / BPS
}
