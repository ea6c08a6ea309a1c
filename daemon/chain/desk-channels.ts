/** The channels of a node: those that it pays on and those that it is paid on, as the chain and its vouchers know them. */
import b4a from 'b4a'
import { NO_LAMPORTS } from '../../ledger/amount.js'
import type { Lamports } from '../../ledger/amount.js'
import { CHANNEL_PHASE } from '../../ledger/chain/layout/accounts.js'
import type { ChannelAccount } from '../../ledger/chain/layout/accounts.js'
import type { Found } from '../../ledger/chain/readings.js'
import { counterparty } from '../../ledger/store/entry.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import { DeskError } from './desk-errors.js'
import type { ChannelRow } from './desk-items.js'
import { bytesOf } from './link.js'
import type { ChainLink } from './link.js'

export type FoundChannel = Found<ChannelAccount> & { readonly direction: ChannelRow['direction'] }

type Vouchers = Pick<LedgerStore, 'vouchers'>['vouchers']

const STATES: Readonly<Record<number, ChannelRow['state']>> = {
  [CHANNEL_PHASE.open]: 'open',
  [CHANNEL_PHASE.closing]: 'closing',
  [CHANNEL_PHASE.ended]: 'ended',
}

/** Newest first, those that this node pays on before the others. */
export async function channelsOf(link: ChainLink): Promise<readonly FoundChannel[]> {
  const [out, into] = await Promise.all([link.channelsFrom(), link.channelsTo()])
  const newest = (a: Found<ChannelAccount>, b: Found<ChannelAccount>): number =>
    a.account.openedAt > b.account.openedAt ? -1 : 1
  return [
    ...out.toSorted(newest).map((found) => ({ ...found, direction: 'out' as const })),
    ...into.toSorted(newest).map((found) => ({ ...found, direction: 'in' as const })),
  ]
}

/** The one channel whose address begins so. Throws `CHANNEL_NOT_FOUND`, `CHANNEL_AMBIGUOUS`. */
export function named<T extends { readonly address: string }>(channels: readonly T[], given: string): T {
  const found = channels.filter(({ address }) => address.startsWith(given))
  const [first] = found
  if (!first) throw DeskError.CHANNEL_NOT_FOUND(given)
  // A channel of a node with itself stands in both lists.
  if (found.some(({ address }) => address !== first.address)) throw DeskError.CHANNEL_AMBIGUOUS(given)
  return first
}

export function rentOf({ lamports, account }: Found<ChannelAccount>): bigint {
  return lamports - restOf(account)
}

/** Of the deposit, not paid out; nothing once it has ended. */
export function restOf({ phase, deposit, settled }: ChannelAccount): bigint {
  return phase === CHANNEL_PHASE.ended ? 0n : deposit - settled
}

/** What a provider's best voucher is worth above what is settled. */
export function unclaimedOf({ address, account }: Found<ChannelAccount>, vouchers: Vouchers): bigint {
  if (account.phase === CHANNEL_PHASE.ended) return 0n
  const best = vouchers.claimable(bytesOf(address), account.deposit)
  return above(best?.voucher.cumulative ?? NO_LAMPORTS, account)
}

/** What this wallet has promised above what is settled. */
export function promisedOf({ address, account }: Found<ChannelAccount>, vouchers: Vouchers): bigint {
  if (account.phase === CHANNEL_PHASE.ended) return 0n
  return above(vouchers.lastSigned(bytesOf(address))?.cumulative ?? NO_LAMPORTS, account)
}

export function rowOf(found: FoundChannel, vouchers: Vouchers, other: string): ChannelRow {
  const { address, account, direction } = found
  const unclaimed = direction === 'out' ? promisedOf(found, vouchers) : unclaimedOf(found, vouchers)
  return {
    channel: address,
    direction,
    counterparty: other,
    deposit: account.deposit.toString(),
    paid: (account.settled + unclaimed).toString(),
    settled: account.settled.toString(),
    unclaimed: unclaimed.toString(),
    left: (restOf(account) - unclaimed).toString(),
    state: STATES[account.phase] ?? 'ended',
    closesAt: account.closeAt > 0n ? Number(account.closeAt) * 1000 : null,
    openedAt: Number(account.openedAt) * 1000,
    rent: rentOf(found).toString(),
  }
}

/** Who is on the other side: the provider's node key where the chain knows it, or the payer's address. */
export function counterparties({ client }: Pick<ChainLink, 'client'>): (found: FoundChannel) => Promise<string> {
  const known = new Map<string, Promise<string>>()
  return ({ direction, account }) => {
    if (direction === 'in') return Promise.resolve(account.payer.toBase58())
    const provider = account.provider.toBase58()
    const name =
      known.get(provider) ??
      client.providerAt(provider).then((found) => (found ? b4a.toString(found.account.node, 'hex') : provider))
    known.set(provider, name)
    return name
  }
}

/** Channels on credit: the deposit is what this node lets stand open. */
export async function* creditRows(store: LedgerStore, credit: Lamports): AsyncGenerator<ChannelRow> {
  const { vouchers } = store
  const all = [
    ...vouchers.allSigned().map((voucher) => ({ ...voucher, direction: 'out' as const })),
    ...vouchers.allHeld().map(({ voucher }) => ({ ...voucher, direction: 'in' as const })),
  ]
  for (const { channel, cumulative, direction } of all) {
    const [newest] = await store.query({ channel }, 1)
    yield {
      channel: b4a.toString(channel, 'hex'),
      direction,
      counterparty: newest ? b4a.toString(counterparty(newest.entry), 'hex') : '',
      deposit: credit.toString(),
      paid: cumulative.toString(),
      settled: '0',
      unclaimed: cumulative.toString(),
      left: (credit > cumulative ? credit - cumulative : 0n).toString(),
      state: 'credit',
      closesAt: null,
      openedAt: null,
      rent: '0',
    }
  }
}

function above(promised: Lamports, { deposit, settled }: ChannelAccount): bigint {
  const payable = promised < deposit ? promised : deposit
  return payable > settled ? payable - settled : 0n
}
