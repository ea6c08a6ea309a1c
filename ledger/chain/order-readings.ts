/** Orders as they stand on chain. */
import { toBase58 } from './base58.js'
import { ORDER, ORDER_PHASE } from './layout/accounts.js'
import type { OrderAccount } from './layout/accounts.js'
import { all, one } from './readings.js'
import type { Found } from './readings.js'
import type { Rpc } from './rpc.js'

export function orderAt(rpc: Rpc, program: string, address: string): Promise<Found<OrderAccount> | null> {
  return one(rpc, program, address, ORDER)
}

/** `payer` in base58. */
export function ordersOfPayer(rpc: Rpc, program: string, payer: string): Promise<Found<OrderAccount>[]> {
  return all(rpc, program, ORDER, { offset: ORDER.offsetOf('payer'), bytes: payer })
}

/** `model` 32 bytes: the model root. */
export function ordersOfModel(rpc: Rpc, program: string, model: Uint8Array): Promise<Found<OrderAccount>[]> {
  return all(rpc, program, ORDER, { offset: ORDER.offsetOf('model'), bytes: toBase58(model) })
}

/** That this provider (base58: its account) has locked or claimed. */
export function ordersOfProvider(rpc: Rpc, program: string, provider: string): Promise<Found<OrderAccount>[]> {
  return all(rpc, program, ORDER, { offset: ORDER.offsetOf('provider'), bytes: provider })
}

/** May this provider (base58: its account) with this much settled take the order at `now` (Unix seconds)? */
export function isOpenFor(account: OrderAccount, provider: string, settled: bigint, now: bigint): boolean {
  if (account.phase !== ORDER_PHASE.open || now > account.deadline || settled < account.minReputation) return false
  const { allowed, allowedCount } = account
  return allowedCount === 0 || allowed.slice(0, allowedCount).some((key) => key.toBase58() === provider)
}
