/** What the program's accounts say. Their bytes are in accounts.ts. */
import type { PublicKey } from '@solana/web3.js'
import type { Lamports } from '../../amount.js'

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
