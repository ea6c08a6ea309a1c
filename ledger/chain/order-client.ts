/**
 * Orders on chain, in swarmd's words: one request published with the money for it, taken by one provider, paid by what the
 * provider states, and the rest taken back. Every change goes through the outbox.
 */
import { PublicKey } from '@solana/web3.js'
import type { TransactionInstruction } from '@solana/web3.js'
import type { Lamports } from '../amount.js'
import { randomBytes } from '../crypto.js'
import type { KeyPair } from '../crypto.js'
import { fromBase58 } from './base58.js'
import { accountOf } from './calls.js'
import { ChainError } from './errors.js'
import { CONFIG, ORDER_PHASE } from './layout/accounts.js'
import type { OrderAccount } from './layout/accounts.js'
import { configAddress, orderAddress, providerAddress } from './layout/addresses.js'
import { claimOrder, lockOrder, openOrder, refundOrder } from './layout/order-instructions.js'
import { providerAt } from './readings.js'
import type { Found } from './readings.js'
import type { OutboxEntry } from './outbox-states.js'
import type { Rpc } from './rpc.js'
import type { Transactor } from './transactor.js'

export interface OrderClientOptions {
  readonly rpc: Rpc
  readonly transactor: Transactor
  /** Base58. */
  readonly program: string
  /** Pays for orders and fees; a provider's authority. */
  readonly wallet: KeyPair
}

export interface OpenOrder {
  /** 32 bytes: the model root. */
  readonly model: Uint8Array
  /** 32 bytes (ledger/order.ts). */
  readonly requestHash: Uint8Array
  readonly maxCost: Lamports
  /** Unix seconds; the chain takes at most thirty days. */
  readonly deadline: bigint
  /** Lamports that a provider must have settled. */
  readonly minReputation: Lamports
  /** Tokens that the request needs; for providers to read. */
  readonly context: number
  /** Base58: accounts of the providers that may take it, at most eight; none = everybody. */
  readonly allowed: readonly string[]
}

export interface OpenedOrder {
  /** Base58. */
  readonly order: string
  readonly entry: OutboxEntry
}

export class OrderClient {
  readonly #rpc: Rpc
  readonly #transactor: Transactor
  readonly #program: PublicKey
  readonly #wallet: KeyPair
  readonly #self: PublicKey

  /** Throws `BAD_ADDRESS`. */
  constructor({ rpc, transactor, program, wallet }: OrderClientOptions) {
    this.#rpc = rpc
    this.#transactor = transactor
    this.#program = keyOf(program)
    this.#wallet = wallet
    this.#self = new PublicKey(wallet.publicKey)
  }

  /**
   * Publishes an order; its address is in the outbox before anything is sent. `id` names the intention: with the same id, an
   * order that is on its way or open already is returned instead of a second one.
   */
  async open({ allowed, ...terms }: OpenOrder, id: string): Promise<OpenedOrder> {
    const salt = Buffer.from(randomBytes(8)).readBigUInt64LE()
    const order = orderAddress(this.#program, this.#self, salt).toBase58()
    const instruction = openOrder(this.#program, { ...terms, payer: this.#self, salt, allowed: allowed.map(keyOf) })
    const purpose = { what: 'order-open', order, amount: terms.maxCost.toString(), until: terms.deadline.toString() }
    const entry = await this.#perform(`order-open/${id}`, purpose, [instruction])
    return { order: entry.purpose['order'] ?? order, entry }
  }

  /** Takes an order as it was read. That it is ours, the caller reads from the chain: an address may be opened again. */
  async lock({ address, account }: Found<OrderAccount>): Promise<OutboxEntry> {
    const { requestHash, maxCost, deadline } = account
    const keys = { authority: this.#self, provider: providerAddress(this.#program, this.#self), order: keyOf(address) }
    const instruction = lockOrder(this.#program, { ...keys, requestHash, maxCost })
    return this.#perform(`order-lock/${address}/${deadline}`, { what: 'order-lock', order: address }, [instruction])
  }

  /** Is paid the cost of an order that this provider has locked. Throws `TX_REJECTED` above the maximum, or too late. */
  async claim(
    { address, account }: Found<OrderAccount>,
    responseHash: Uint8Array,
    cost: Lamports,
  ): Promise<OutboxEntry> {
    const provider = providerAddress(this.#program, this.#self)
    const [config, own] = await Promise.all([
      accountOf(this.#rpc, configAddress(this.#program).toBase58()),
      providerAt(this.#rpc, this.#program.toBase58(), provider.toBase58()),
    ])
    if (!config || !own)
      throw ChainError.PROGRAM_MISMATCH('There is no config, or no provider of this wallet, on chain.')
    const { treasury, pool } = CONFIG.decode(config.data)
    const payees = { payout: own.account.payout, treasury, pool }
    const keys = { authority: this.#self, provider, order: keyOf(address), ...payees }
    const purpose = { what: 'order-claim', order: address, amount: cost.toString() }
    const instruction = claimOrder(this.#program, { ...keys, responseHash, cost })
    return this.#perform(`order-claim/${address}/${account.lockedAt}`, purpose, [instruction])
  }

  /** Closes an order and returns what is left: by its payer once it is claimed, by anyone after the deadline. */
  async refund({ address, lamports, account }: Found<OrderAccount>): Promise<OutboxEntry> {
    const locker = account.phase === ORDER_PHASE.locked ? account.provider : null
    const keys = { by: this.#self, order: keyOf(address), payer: account.payer, locker }
    const purpose = { what: 'order-refund', order: address, amount: lamports.toString() }
    return this.#perform(`order-refund/${address}/${account.deadline}`, purpose, [refundOrder(this.#program, keys)])
  }

  #perform(
    id: string,
    purpose: Readonly<Record<string, string>>,
    instructions: readonly TransactionInstruction[],
  ): Promise<OutboxEntry> {
    return this.#transactor.perform({ id, purpose, instructions, payer: this.#wallet })
  }
}

function keyOf(text: string): PublicKey {
  const bytes = fromBase58(text, 32)
  if (!bytes) throw ChainError.BAD_ADDRESS(text)
  return new PublicKey(bytes)
}
