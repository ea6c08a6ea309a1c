/**
 * The program's accounts. Each begins with eight bytes:
 *
 *   kind u8 | version u8 (1) | bump u8 | phase u8 | 0 0 0 0
 *
 * An address that was never used, or was closed, is a system account without data: kind 0 is nobody's.
 */
import type { PublicKey } from '@solana/web3.js'
import type { Lamports } from '../../amount.js'
import { LedgerError } from '../../errors.js'
import { address, addresses, amount, bytes32, i64, struct, u16, u32, u64 } from './fields.js'
import type { Field, Struct } from './fields.js'

export const HEADER_BYTES = 8
export const ACCOUNT_VERSION = 1
export const MAX_ALLOWED = 8

export interface Header {
  readonly bump: number
  /** See `CHANNEL_PHASE` and `ORDER_PHASE`; 0 for the other kinds. */
  readonly phase: number
}

/** Hundredths of a percent. `feeBps` is a part of what is paid; the three others are parts of the fee, together 10,000. */
export interface Fees {
  readonly feeBps: number
  readonly trainerBps: number
  readonly poolBps: number
  readonly treasuryBps: number
}

export interface ConfigAccount extends Header, Fees {
  readonly admin: PublicKey
  readonly treasury: PublicKey
  /** Auditors' pool; the treasury itself while there is none. */
  readonly pool: PublicKey
  /** May slash stakes; all zero = nobody may. */
  readonly slasher: PublicKey
}

export interface ProviderAccount extends Header {
  readonly authority: PublicKey
  /** Noise identity (ed25519). */
  readonly node: Uint8Array
  /** x25519. */
  readonly box: Uint8Array
  readonly payout: PublicKey
  /** Unix seconds, like all times here. */
  readonly registeredAt: bigint
  readonly updatedAt: bigint
  readonly openChannels: bigint
  readonly openOrders: bigint
  readonly offers: bigint
  readonly channelsOpened: bigint
  readonly channelsClosed: bigint
  /** Vouchers that were settled. */
  readonly settlements: bigint
  /** Earned by vouchers and orders, before fees: what `minReputation` of an order is measured against. */
  readonly settled: Lamports
  readonly fees: Lamports
  readonly ordersClaimed: bigint
  /** Locked and not claimed before the deadline. */
  readonly ordersRefunded: bigint
  /** The latest checkpoint of its log, all zero before the first one. */
  readonly log: Uint8Array
  readonly treeHash: Uint8Array
  readonly logLength: bigint
  readonly anchoredAt: bigint
  /** How often a checkpoint named another log than the one before. */
  readonly logChanges: bigint
}

export interface OfferAccount extends Header {
  readonly provider: PublicKey
  readonly model: Uint8Array
  /** Lamports per million tokens. */
  readonly input: bigint
  readonly cached: bigint
  readonly output: bigint
  /** Tokens. */
  readonly context: number
  readonly flags: number
  readonly updatedAt: bigint
}

/** `ended`: all is paid out but the rent, which stays until the address can never be opened again. */
export const CHANNEL_PHASE = { open: 0, closing: 1, ended: 2 } as const

export interface ChannelAccount extends Header, Fees {
  readonly payer: PublicKey
  /** The provider's account, not its authority. */
  readonly provider: PublicKey
  /** ed25519 key that signs vouchers. */
  readonly signer: Uint8Array
  /** Model root whose last trainer shares the fee; all zero = none. */
  readonly model: Uint8Array
  readonly salt: bigint
  readonly openSlot: bigint
  /** All that was ever put in. */
  readonly deposit: Lamports
  /** The highest cumulative amount that was paid out, before fees. */
  readonly settled: Lamports
  /** Seconds between the payer's request to close and the moment when anyone may finish. */
  readonly grace: bigint
  /** When anyone may finish; 0 before a request to close. */
  readonly closeAt: bigint
  readonly openedAt: bigint
}

export const ORDER_PHASE = { open: 0, locked: 1, claimed: 2 } as const

export interface OrderAccount extends Header, Fees {
  readonly payer: PublicKey
  readonly model: Uint8Array
  readonly requestHash: Uint8Array
  /** All zero before the claim. */
  readonly responseHash: Uint8Array
  /** The account that locked it; all zero before. */
  readonly provider: PublicKey
  readonly maxCost: Lamports
  readonly cost: Lamports
  readonly deadline: bigint
  /** At least this much `settled`. */
  readonly minReputation: Lamports
  readonly salt: bigint
  readonly lockedAt: bigint
  /** How many places of `allowed` count; 0 = every provider. */
  readonly allowedCount: number
  /** Tokens of context that the request needs; for providers to read, the chain does not check it. */
  readonly context: number
  readonly allowed: readonly PublicKey[]
}

export interface StakeAccount extends Header {
  readonly provider: PublicKey
  /** The provider's authority: the only one who gets it back. */
  readonly owner: PublicKey
  readonly active: Lamports
  readonly unbonding: Lamports
  /** When `unbonding` may be withdrawn. */
  readonly unbondAt: bigint
  readonly slashed: Lamports
  /** Hash of the latest verdict that took something. */
  readonly verdict: Uint8Array
  readonly depositedAt: bigint
}

export interface AccountLayout<T extends Header> {
  readonly name: string
  readonly kind: number
  /** Whole account, header included. */
  readonly size: number
  readonly body: Struct<Omit<T, keyof Header>>
  /** From the account's first byte: for memcmp filters. */
  offsetOf(name: Exclude<keyof T & string, keyof Header>): number
  encode(account: T): Uint8Array
  /** Throws `BAD_ENCODING` for another kind or length, `UNKNOWN_VERSION`. */
  decode(bytes: Uint8Array): T
}

const FEES = { feeBps: u16, trainerBps: u16, poolBps: u16, treasuryBps: u16 }

export const CONFIG = layout<ConfigAccount>('Config', 1, {
  admin: address,
  treasury: address,
  pool: address,
  slasher: address,
  ...FEES,
})

export const PROVIDER = layout<ProviderAccount>('Provider', 2, {
  authority: address,
  node: bytes32,
  box: bytes32,
  payout: address,
  registeredAt: i64,
  updatedAt: i64,
  openChannels: u64,
  openOrders: u64,
  offers: u64,
  channelsOpened: u64,
  channelsClosed: u64,
  settlements: u64,
  settled: amount,
  fees: amount,
  ordersClaimed: u64,
  ordersRefunded: u64,
  log: bytes32,
  treeHash: bytes32,
  logLength: u64,
  anchoredAt: i64,
  logChanges: u64,
})

export const OFFER = layout<OfferAccount>('Offer', 3, {
  provider: address,
  model: bytes32,
  input: u64,
  cached: u64,
  output: u64,
  context: u32,
  flags: u32,
  updatedAt: i64,
})

export const CHANNEL = layout<ChannelAccount>('Channel', 4, {
  payer: address,
  provider: address,
  signer: bytes32,
  model: bytes32,
  salt: u64,
  openSlot: u64,
  deposit: amount,
  settled: amount,
  grace: u64,
  ...FEES,
  closeAt: i64,
  openedAt: i64,
})

export const ORDER = layout<OrderAccount>('Order', 5, {
  payer: address,
  model: bytes32,
  requestHash: bytes32,
  responseHash: bytes32,
  provider: address,
  maxCost: amount,
  cost: amount,
  deadline: i64,
  minReputation: amount,
  salt: u64,
  ...FEES,
  lockedAt: i64,
  allowedCount: u32,
  context: u32,
  allowed: addresses(MAX_ALLOWED),
})

export const STAKE = layout<StakeAccount>('Stake', 6, {
  provider: address,
  owner: address,
  active: amount,
  unbonding: amount,
  unbondAt: i64,
  slashed: amount,
  verdict: bytes32,
  depositedAt: i64,
})

function layout<T extends Header>(
  name: string,
  kind: number,
  fields: { readonly [K in Exclude<keyof T, keyof Header>]: Field<T[K]> },
): AccountLayout<T> {
  const body = struct<Omit<T, keyof Header>>(fields)
  const size = HEADER_BYTES + body.size
  return {
    name,
    kind,
    size,
    body,
    offsetOf: (field) => HEADER_BYTES + body.offsetOf(field),
    encode(account) {
      const out = new Uint8Array(size)
      out.set([kind, ACCOUNT_VERSION, account.bump, account.phase])
      out.set(body.encode(account), HEADER_BYTES)
      return out
    },
    decode(bytes) {
      const [first, version = 0, bump = 0, phase = 0] = bytes
      if (first !== kind)
        throw LedgerError.BAD_ENCODING(`an account of kind ${first ?? 'none'} where ${name} has ${kind}`)
      if (version !== ACCOUNT_VERSION) throw LedgerError.UNKNOWN_VERSION(name, version)
      return { bump, phase, ...body.decode(bytes.subarray(HEADER_BYTES)) } as T
    },
  }
}
