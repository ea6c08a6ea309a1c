/** What `swarmd earnings` is told: JSON values, decimal strings of lamports but for costs, which are in microlamports. */
export interface EarningsView {
  readonly periods: readonly Period[]
  /** What `--by` asked for, of the last of the periods. */
  readonly groups: readonly Group[]
  /** null: no chain, or it could not be asked. */
  readonly chain: ChainEarnings | null
  /** null: no credit is given. */
  readonly credit: { readonly owedToThis: string; readonly owedByThis: string } | null
}

/** Costs in microlamports. */
export interface Sums {
  readonly requests: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cost: string
}

export interface Period {
  readonly name: 'today' | 'week' | 'since'
  /** UTC days, both included. */
  readonly from: string
  readonly to: string
  readonly earned: Sums
  readonly spent: Sums
}

export interface Group {
  /** A day, or a model's root. */
  readonly key: string
  /** Of the model; null: this node never knew it by a name. */
  readonly name: string | null
  readonly earned: Sums
  readonly spent: Sums
}

/** Since this provider registered. */
export interface ChainEarnings {
  /** Before fees. */
  readonly settled: string
  readonly fees: string
  readonly received: string
  readonly unsettled: string
  /** Paid to the chain for settlements, as far as the outbox remembers them. */
  readonly networkFees: string
}
