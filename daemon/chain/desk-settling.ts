/** Settling by hand: what a provider holds, as far as it is worth its fee, and what that cost and brought. */
import { settlementFee } from '../../ledger/chain/settle-policy.js'
import { feeOf } from '../../ledger/chain/transaction-fee.js'
import type { ChannelAccount } from '../../ledger/chain/layout/accounts.js'
import type { Found } from '../../ledger/chain/readings.js'
import type { Claim } from '../../ledger/chain/client.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import { unclaimedOf } from './desk-channels.js'
import type { Settlement } from './desk-items.js'
import { bytesOf } from './link.js'
import type { ChainLink } from './link.js'

/** Vouchers that fit into a transaction. */
const TOGETHER = 4
const BPS = 10_000n

/** Throws what the chain throws; what was settled before that stays settled. */
export async function settleNow(
  link: ChainLink,
  vouchers: LedgerStore['vouchers'],
  channels: readonly Found<ChannelAccount>[],
): Promise<Settlement> {
  const worth = channels.filter((channel) => unclaimedOf(channel, vouchers) > settlementFee(1))
  const rest = channels.filter((channel) => !worth.includes(channel) && unclaimedOf(channel, vouchers) > 0n)
  const claims = worth.flatMap((channel): Claim[] => {
    const signed = vouchers.claimable(bytesOf(channel.address), channel.account.deposit)
    return signed ? [{ channel, signed }] : []
  })
  const entries = []
  for (let at = 0; at < claims.length; at += TOGETHER)
    entries.push(...(await link.client.settle(claims.slice(at, at + TOGETHER))))
  let [amount, fee] = [0n, 0n]
  for (const { channel, signed } of claims) {
    const { settled, deposit, feeBps } = channel.account
    const cumulative = signed.voucher.cumulative < deposit ? signed.voucher.cumulative : deposit
    amount += cumulative - settled
    fee += feeOn(cumulative, feeBps) - feeOn(settled, feeBps)
  }
  return {
    channels: claims.length,
    amount: amount.toString(),
    fee: fee.toString(),
    received: (amount - fee).toString(),
    cost: entries.reduce((sum, { wire }) => sum + feeOf(Buffer.from(wire, 'base64')), 0n).toString(),
    signatures: entries.map(({ signature }) => signature),
    notWorth: rest.length,
    leftThere: rest.reduce((sum, channel) => sum + unclaimedOf(channel, vouchers), 0n).toString(),
  }
}

/** As the program rounds it (ledger/program/src/money.c). */
function feeOn(amount: bigint, bps: number): bigint {
  return (amount * BigInt(bps)) / BPS
}
