/** Earned and spent: sums of the ledger's records by UTC day, and what of it the chain has paid out. */
import { lamports, NO_LAMPORTS } from '../../ledger/amount.js'
import type { Lamports } from '../../ledger/amount.js'
import { dayOf } from '../../ledger/budget.js'
import { feeOf } from '../../ledger/chain/transaction-fee.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import { NOTHING_PAID, plus } from '../payment/earnings-book.js'
import type { EarningsBook, Paid, PaidOn } from '../payment/earnings-book.js'
import type { ChainEarnings, EarningsView, Group, Period, Sums } from '../payment/earnings-view.js'
import type { Grouping } from './desk-request.js'
import { unclaimedOf } from './desk-channels.js'
import type { ChainLink } from './link.js'

const DAY_MS = 86_400_000
const WEEK_DAYS = 7

export interface EarningsQuestion {
  /** Unix milliseconds; null = today and this week. */
  readonly since: number | null
  readonly by: Grouping | null
  readonly now: number
  /** A model's name by its hex root. */
  readonly nameOf: (root: string) => string | null
}

export function periodsOf(
  book: Pick<EarningsBook, 'between'>,
  { since, by, now, nameOf }: EarningsQuestion,
): Pick<EarningsView, 'periods' | 'groups'> {
  const today = dayOf(now)
  const begins = since === null ? null : Math.min(today, dayOf(since))
  const firsts: readonly (readonly [Period['name'], number])[] = [
    ['today', today],
    ['week', today - WEEK_DAYS + 1],
    ...(begins === null ? [] : [['since', begins] as const]),
  ]
  const periods = firsts.map(([name, from]) => ({ name, ...period(from, today, [...book.between(from, today)]) }))
  const all = [...book.between(begins ?? today - WEEK_DAYS + 1, today)]
  return { periods, groups: by === null ? [] : groupsOf(all, by, nameOf) }
}

/** Of a provider; all zero before it has registered. */
export async function chainEarnings(
  link: ChainLink,
  { vouchers }: Pick<LedgerStore, 'vouchers'>,
): Promise<ChainEarnings> {
  const { client, outbox } = link
  const [provider, channels] = await Promise.all([client.providerAt(client.provider), link.channelsTo()])
  const { settled, fees } = provider?.account ?? { settled: NO_LAMPORTS, fees: NO_LAMPORTS }
  const unsettled = channels.reduce((sum, channel) => sum + unclaimedOf(channel, vouchers), 0n)
  const networkFees = outbox
    .list()
    .filter(({ purpose, phase }) => purpose['what'] === 'settle' && (phase === 'confirmed' || phase === 'finalized'))
    .reduce((sum, { wire }) => sum + feeOf(Buffer.from(wire, 'base64')), 0n)
  const text = (amount: bigint): string => lamports(amount).toString()
  return {
    settled: text(settled),
    fees: text(fees),
    received: text(settled - fees),
    unsettled: text(unsettled),
    networkFees: text(networkFees),
  }
}

/** What vouchers promise in all, on credit: nothing of it is ever settled by this program. */
export function creditOf({ vouchers }: Pick<LedgerStore, 'vouchers'>): NonNullable<EarningsView['credit']> {
  const sum = (amounts: readonly Lamports[]): string => amounts.reduce((all, one) => all + one, 0n).toString()
  return {
    owedToThis: sum(vouchers.allHeld().map(({ voucher }) => voucher.cumulative)),
    owedByThis: sum(vouchers.allSigned().map(({ cumulative }) => cumulative)),
  }
}

function period(from: number, to: number, paid: readonly PaidOn[]): Omit<Period, 'name'> {
  return { from: dayText(from), to: dayText(to), ...bySide(paid) }
}

function groupsOf(paid: readonly PaidOn[], by: Grouping, nameOf: (root: string) => string | null): readonly Group[] {
  const groups = new Map<string, PaidOn[]>()
  for (const one of paid) {
    const key = by === 'day' ? dayText(one.day) : one.model
    const group = groups.get(key)
    if (group) group.push(one)
    else groups.set(key, [one])
  }
  const weight = (list: readonly PaidOn[]): bigint => list.reduce((sum, { cost }) => sum + cost, 0n)
  return [...groups]
    .sort(([a, ofA], [b, ofB]) => (by === 'day' ? (a < b ? 1 : -1) : weight(ofB) > weight(ofA) ? 1 : -1))
    .map(([key, list]) => ({ key, name: by === 'day' ? null : nameOf(key), ...bySide(list) }))
}

function bySide(paid: readonly PaidOn[]): { readonly earned: Sums; readonly spent: Sums } {
  const sum = (role: PaidOn['role']): Sums =>
    sumsOf(paid.filter((one) => one.role === role).reduce<Paid>(plus, NOTHING_PAID))
  return { earned: sum('provider'), spent: sum('consumer') }
}

function sumsOf({ requests, inputTokens, outputTokens, cost }: Paid): Sums {
  return { requests, inputTokens, outputTokens, cost: cost.toString() }
}

/** `2026-11-22`, UTC. */
function dayText(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10)
}
