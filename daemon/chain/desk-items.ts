/**
 * What the desk answers: a stream of items, JSON values only. Amounts are decimal strings of lamports (of microlamports
 * where a field says so), times Unix milliseconds, addresses base58. Fields may be added; none is ever re-meant.
 */
import type { EarningsView } from '../payment/earnings-view.js'

export type DeskItem =
  | { readonly wallet: WalletView }
  | { readonly deposit: DepositView }
  | { readonly plan: Withdrawal }
  | { readonly sent: Sent }
  | { readonly transaction: TransactionView }
  | { readonly channel: ChannelRow }
  | { readonly closed: Closing }
  | { readonly toppedUp: ToppedUp }
  | { readonly settled: Settlement }
  | { readonly order: OrderRow }
  | { readonly refund: Refund }
  | { readonly ordered: OrderEnd }
  | { readonly voucher: VoucherLine }
  | { readonly earnings: EarningsView }
  | { readonly progress: { readonly done: number; readonly total: number } }
  /** A sentence for a person. */
  | { readonly note: string }

export interface WalletView {
  readonly address: string
  /** Genesis hash. */
  readonly chain: string
  /** `host:port` of the RPC nodes. */
  readonly nodes: string
  readonly balance: string
  /** In the deposits of channels that this wallet opened, and not paid out of them. */
  readonly deposits: string
  /** Of that: promised to providers by vouchers, who have not collected it yet. */
  readonly promised: string
  /** Locked for orders that no provider has claimed. */
  readonly orders: string
  /** Comes back when channels, offers, orders and the registration are closed. */
  readonly rent: string
  /** Vouchers that payers gave this node and that are not settled, before fees. */
  readonly owed: string
  readonly channelsOut: number
  readonly channelsIn: number
}

export interface DepositView {
  readonly address: string
  readonly nodes: string
  /** null: the chain could not be asked. */
  readonly balance: string | null
  /** What was given by the chain's faucet just now. */
  readonly airdrop: { readonly amount: string; readonly signature: string } | null
}

export interface Withdrawal {
  readonly from: string
  readonly to: string
  readonly amount: string
  readonly fee: string
  /** In the wallet afterwards. */
  readonly left: string
  /** The address holds nothing yet on this chain. */
  readonly unused: boolean
  /** Still in deposits, and no part of this. */
  readonly deposits: string
}

export interface Sent {
  readonly id: string
  readonly signature: string
  readonly phase: string
  readonly to: string
  readonly amount: string
  readonly fee: string
  /** It had been sent before, under the same id. */
  readonly before: boolean
}

export interface TransactionView {
  readonly signature: string
  /** null: the chain does not tell. */
  readonly time: number | null
  /** `open`, `top-up`, `settle`, `transfer`, `received` … */
  readonly what: string
  readonly state: 'prepared' | 'submitted' | 'confirmed' | 'finalized' | 'failed'
  /** What the wallet has more or (with a minus sign) less, its fee included; null: not known. */
  readonly change: string | null
  /** Paid by this wallet. */
  readonly fee: string
  readonly purpose: Readonly<Record<string, string>>
}

export interface ChannelRow {
  readonly channel: string
  /** `out`: this node pays on it. */
  readonly direction: 'out' | 'in'
  /** Node key (hex) of the provider or the payer's address; with `--credit` the node key last seen. */
  readonly counterparty: string
  readonly deposit: string
  /** Promised by the newest voucher. */
  readonly paid: string
  readonly settled: string
  /** Promised and not settled. */
  readonly unclaimed: string
  /** Of the deposit, promised to nobody. */
  readonly left: string
  /** `credit`: on no chain. */
  readonly state: 'open' | 'closing' | 'ended' | 'credit'
  /** When anybody may finish; null: nobody asked to close. */
  readonly closesAt: number | null
  readonly openedAt: number | null
  readonly rent: string
}

export interface Closing {
  readonly channel: string
  /**
   * `asked`: the grace began; `waiting`: it is not over; `finished`: what was left is back; `returned`: the rent as well;
   * `resting`: the rent follows in a minute; `busy`: an answer is being paid on it now, and nothing was done.
   */
  readonly did: 'asked' | 'waiting' | 'finished' | 'returned' | 'resting' | 'busy'
  readonly closesAt: number | null
  /** To the payer's wallet: rest of the deposit, or rent. */
  readonly returned: string
  /** Lamports of fees. */
  readonly cost: string
  readonly signature: string | null
  readonly note: string | null
}

export interface OrderRow {
  readonly order: string
  /** `out`: this node pays; `in`: this node has taken it. */
  readonly direction: 'out' | 'in'
  /** Hex root. */
  readonly model: string
  readonly maxCost: string
  /** What its provider claimed; null before. */
  readonly cost: string | null
  readonly state: 'open' | 'locked' | 'claimed'
  /** The deadline. */
  readonly until: number
  /** Comes back with the rest. */
  readonly rent: string
}

export interface Refund {
  readonly order: string
  /** `waiting`: nobody has claimed it, and the deadline is not over. */
  readonly did: 'refunded' | 'waiting'
  readonly until: number
  /** Rest and rent, to the wallet. */
  readonly returned: string
  /** Lamports of fees. */
  readonly cost: string
}

/** What became of the order that an answer was paid by. */
export interface OrderEnd {
  readonly order: string
  readonly maxCost: string
  /** null: not claimed yet, or closed already. */
  readonly cost: string | null
  readonly state: OrderRow['state'] | 'closed'
  readonly until: number
  /** null once it is closed. */
  readonly rent: string | null
  /** Rest and rent; null while it is there, or taken back by another hand. */
  readonly returned: string | null
  /** Of this wallet's transactions for it so far. */
  readonly fees: string
}

export interface ToppedUp {
  readonly channel: string
  readonly amount: string
  readonly deposit: string
  readonly signature: string
  readonly cost: string
}

export interface Settlement {
  readonly channels: number
  /** Out of the deposits, before fees. */
  readonly amount: string
  /** Of the program. */
  readonly fee: string
  /** To the wallet, before `cost`. */
  readonly received: string
  /** The chain's own fees. */
  readonly cost: string
  readonly signatures: readonly string[]
  /** Channels whose unclaimed amount is not worth the fee of claiming it. */
  readonly notWorth: number
  /** What those hold together. */
  readonly leftThere: string
}

/** A line of an export; ledger/voucher.ts has the bytes that were signed. */
export interface VoucherLine {
  readonly format: 'swarmd-voucher/1'
  /** Genesis hash. */
  readonly chain: string
  readonly program: string
  /** The provider's account. */
  readonly provider: string
  readonly channel: string
  readonly cumulative: string
  /** Unix seconds, 0 = never. */
  readonly expiresAt: string
  readonly signature: string
}
