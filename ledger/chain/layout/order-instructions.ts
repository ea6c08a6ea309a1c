import { SystemProgram } from '@solana/web3.js'
import type { PublicKey, TransactionInstruction } from '@solana/web3.js'
import type { Lamports } from '../../amount.js'
import { MAX_ALLOWED } from './accounts.js'
import { configAddress, orderAddress } from './addresses.js'
import { addresses, amount, bytes32, i64, struct, u32, u64 } from './fields.js'
import { build, meta, spec } from './instruction.js'

/** Seconds that a deadline may lie ahead. */
export const MAX_DEADLINE = 30n * 86_400n

export interface OrderOpenArgs {
  readonly model: Uint8Array
  readonly requestHash: Uint8Array
  readonly maxCost: Lamports
  /** Unix seconds. */
  readonly deadline: bigint
  /** Lamports that a provider must have settled. */
  readonly minReputation: Lamports
  readonly salt: bigint
  readonly context: number
  /** How many of `allowed` count; 0 = every provider. */
  readonly allowedCount: number
  readonly allowed: readonly PublicKey[]
}

export const ORDER_OPEN = spec({
  name: 'order_open',
  number: 0x40,
  about: 'Publishes one request with the money for it.',
  args: struct<OrderOpenArgs>({
    model: bytes32,
    requestHash: bytes32,
    maxCost: amount,
    deadline: i64,
    minReputation: amount,
    salt: u64,
    context: u32,
    allowedCount: u32,
    allowed: addresses(MAX_ALLOWED),
  }),
  accounts: { payer: 'signer writable', order: 'writable', config: 'readonly', systemProgram: 'readonly' },
})

export interface OrderLockArgs {
  readonly requestHash: Uint8Array
  readonly maxCost: Lamports
}

export const ORDER_LOCK = spec({
  name: 'order_lock',
  number: 0x41,
  about: 'The first allowed provider takes the order, as it knows it: the arguments must fit.',
  args: struct<OrderLockArgs>({ requestHash: bytes32, maxCost: amount }),
  accounts: { authority: 'signer', provider: 'writable', order: 'writable' },
})

export interface OrderClaimArgs {
  readonly responseHash: Uint8Array
  readonly cost: Lamports
}

export const ORDER_CLAIM = spec({
  name: 'order_claim',
  number: 0x42,
  about: 'Pays the cost to the provider that locked the order. The rest waits for the payer.',
  args: struct<OrderClaimArgs>({ responseHash: bytes32, cost: amount }),
  accounts: {
    authority: 'signer',
    provider: 'writable',
    order: 'writable',
    payout: 'writable',
    treasury: 'writable',
    pool: 'writable',
    config: 'readonly',
  },
})

export const ORDER_REFUND = spec({
  name: 'order_refund',
  number: 0x43,
  about:
    'Closes an order and returns what is left to the payer: after the deadline by anyone, after a claim by the payer at ' +
    'once. The account of the provider that locked it follows when the order is locked and not claimed.',
  args: struct<object>({}),
  accounts: { by: 'signer', order: 'writable', payer: 'writable' },
})

export function openOrder(
  program: PublicKey,
  { payer, ...args }: Omit<OrderOpenArgs, 'allowedCount'> & { readonly payer: PublicKey },
): TransactionInstruction {
  const order = orderAddress(program, payer, args.salt)
  const keys = { payer, order, config: configAddress(program), systemProgram: SystemProgram.programId }
  return build(ORDER_OPEN, program, keys, { ...args, allowedCount: args.allowed.length })
}

interface ByProvider {
  readonly authority: PublicKey
  /** The provider's account. */
  readonly provider: PublicKey
  readonly order: PublicKey
}

export function lockOrder(program: PublicKey, given: ByProvider & OrderLockArgs): TransactionInstruction {
  const { authority, provider, order, ...args } = given
  return build(ORDER_LOCK, program, { authority, provider, order }, args)
}

export interface ClaimKeys extends ByProvider {
  readonly payout: PublicKey
  readonly treasury: PublicKey
  readonly pool: PublicKey
}

export function claimOrder(program: PublicKey, given: ClaimKeys & OrderClaimArgs): TransactionInstruction {
  const { responseHash, cost, ...keys } = given
  return build(ORDER_CLAIM, program, { ...keys, config: configAddress(program) }, { responseHash, cost })
}

export interface RefundKeys {
  readonly by: PublicKey
  readonly order: PublicKey
  readonly payer: PublicKey
  /** The provider that locked the order, if it is locked and not claimed; otherwise null. */
  readonly locker: PublicKey | null
}

export function refundOrder(program: PublicKey, { locker, ...keys }: RefundKeys): TransactionInstruction {
  return build(ORDER_REFUND, program, keys, {}, locker ? [meta(locker, 'writable')] : [])
}
