/**
 * The program's accounts. Each begins with eight bytes:
 *
 *   kind u8 | version u8 (1) | bump u8 | phase u8 | 0 0 0 0
 *
 * An address that was never used, or was closed, is a system account without data: kind 0 is nobody's.
 */
import { LedgerError } from '../../errors.js'
import type {
  Header,
  ConfigAccount,
  ProviderAccount,
  OfferAccount,
  ChannelAccount,
  OrderAccount,
  StakeAccount,
} from './account-types.js'
import { address, addresses, amount, bytes32, i64, struct, u16, u32, u64 } from './fields.js'
import type { Field, Struct } from './fields.js'

export { CHANNEL_PHASE, ORDER_PHASE } from './account-types.js'
export type {
  Header,
  Fees,
  ConfigAccount,
  ProviderAccount,
  OfferAccount,
  ChannelAccount,
  OrderAccount,
  StakeAccount,
} from './account-types.js'

export const HEADER_BYTES = 8
export const ACCOUNT_VERSION = 1
export const MAX_ALLOWED = 8

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
