/** When to settle, as a pure function: the fee of a settlement is paid by the provider, so k decides what a request costs. */
import { lamports } from '../amount.js'
import type { Lamports } from '../amount.js'

/** A signature of the transaction, and one of each voucher that the Ed25519 precompile checks. */
export const LAMPORTS_PER_SIGNATURE = 5_000n

export interface SettleState {
  /** What the best voucher promises above what is settled. */
  readonly unclaimed: Lamports
  /** Unix seconds by which it must have landed: the end of a grace, a voucher's expiry; null = none. */
  readonly deadline: bigint | null
  /** The channel is being closed by this side. */
  readonly closing: boolean
  /** The node ends and was asked to settle before. */
  readonly shutdown: boolean
}

export interface SettleRules {
  /** Settle when the unclaimed amount is this many times the fee. */
  readonly worth: bigint
  /** Seconds before a deadline at which waiting ends: time for retries and for a busy chain. */
  readonly margin: bigint
}

export const SETTLE_RULES: SettleRules = { worth: 100n, margin: 3_600n }

export type SettleReason = 'worth' | 'deadline' | 'close' | 'shutdown'

/** Lamports of base fee to settle that many channels in one transaction: 5,000 × (1 + n). */
export function settlementFee(channels: number): Lamports {
  return lamports(LAMPORTS_PER_SIGNATURE * (1n + BigInt(channels)))
}

/**
 * Why to settle now, or null. `now` in Unix seconds, `grace` the channel's: with a short one the margin is half of it, or
 * every channel would be settled at once. An amount below the fee is only claimed when it would be lost otherwise and
 * never at a loss.
 */
export function settlePolicy(
  state: SettleState,
  now: bigint,
  grace: bigint,
  rules: SettleRules = SETTLE_RULES,
): SettleReason | null {
  const fee = settlementFee(1)
  if (state.unclaimed <= fee) return null
  const margin = rules.margin < grace / 2n ? rules.margin : grace / 2n
  if (state.deadline !== null && now >= state.deadline - margin) return 'deadline'
  if (state.closing) return 'close'
  if (state.shutdown) return 'shutdown'
  return state.unclaimed >= fee * rules.worth ? 'worth' : null
}
