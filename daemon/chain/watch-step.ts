/**
 * What a watchtower does about one channel, as a pure function of what the chain says:
 *
 *   open ──payer asks to close──► closing ──wait──► submit        unless the provider has settled meanwhile
 *
 * The provider's own node settles within seconds when it is up, so the watchtower gives it a while first: its fee is then
 * never paid for nothing. The while ends early enough for retries.
 */
import { CHANNEL_PHASE } from '../../ledger/chain/layout/accounts.js'
import type { ChannelAccount } from '../../ledger/chain/layout/accounts.js'
import { settlementFee } from '../../ledger/chain/settle-policy.js'
import type { Voucher } from '../../ledger/voucher.js'

export type WatchVerdict =
  | { readonly kind: 'gone' } // not on the chain: finished, or it never was there
  | { readonly kind: 'open' }
  | { readonly kind: 'settled' } // closing, and nothing of this voucher is left to claim
  | { readonly kind: 'small'; readonly unclaimed: bigint } // the fee would be more
  | { readonly kind: 'expired' }
  | { readonly kind: 'uncovered' } // above the deposit: the chain takes no such voucher
  | { readonly kind: 'wait'; readonly unclaimed: bigint; readonly until: bigint; readonly closesAt: bigint }
  | { readonly kind: 'submit'; readonly unclaimed: bigint; readonly closesAt: bigint }

/** Part of the grace after which nobody is waited for any longer. */
const LATEST_PART = 4n

/** `now` and `wait` in seconds. */
export function watchStep(account: ChannelAccount | null, voucher: Voucher, now: bigint, wait: bigint): WatchVerdict {
  if (!account || account.phase === CHANNEL_PHASE.ended) return { kind: 'gone' }
  if (account.phase === CHANNEL_PHASE.open) return { kind: 'open' }
  if (voucher.cumulative <= account.settled) return { kind: 'settled' }
  if (voucher.cumulative > account.deposit) return { kind: 'uncovered' }
  if (voucher.expiresAt > 0n && voucher.expiresAt <= now) return { kind: 'expired' }
  const unclaimed = voucher.cumulative - account.settled
  if (unclaimed <= settlementFee(1)) return { kind: 'small', unclaimed }
  const { closeAt, grace } = account
  const asked = closeAt - grace
  const patience = wait < grace / LATEST_PART ? wait : grace / LATEST_PART
  const ends = voucher.expiresAt > 0n && voucher.expiresAt < closeAt ? voucher.expiresAt : closeAt
  const until = min(asked + patience, ends - grace / LATEST_PART)
  return now >= until
    ? { kind: 'submit', unclaimed, closesAt: closeAt }
    : { kind: 'wait', unclaimed, until, closesAt: closeAt }
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}
