/** What the owner of a request learns about it: `x-swarmd-*` headers, and the `swarmd` object in the last body or chunk. */
import type { StartedEvent } from '../choices.js'
import type { CallReceipt } from '../port.js'

/** Extra object beside OpenAI's fields. Several choices: ids and keys comma-separated, cost summed, times of the slowest. */
export interface SwarmdFields {
  readonly provider: string
  readonly transaction: string
  /** Exact decimal, to the microlamport. */
  readonly cost_lamports: string
  readonly ttft_ms: number
  readonly overhead_ms: number
  /** u64 per choice as decimal strings: the same seed on the same weights gives the same answer. */
  readonly seeds: readonly string[]
}

export function swarmdFields(receipts: readonly CallReceipt[], seeds: readonly (bigint | null)[]): SwarmdFields {
  return {
    provider: unique(receipts.map((receipt) => receipt.provider)),
    transaction: unique(receipts.map((receipt) => receipt.id)),
    cost_lamports: lamportsText(receipts.reduce((sum, receipt) => sum + receipt.costMicroLamports, 0n)),
    ttft_ms: round(Math.max(0, ...receipts.map((receipt) => receipt.ttftMs))),
    overhead_ms: round(Math.max(0, ...receipts.map((receipt) => receipt.overheadMs))),
    seeds: seeds.flatMap((seed) => (seed === null ? [] : [seed.toString()])),
  }
}

export function receiptHeaders(fields: SwarmdFields): Record<string, string> {
  return {
    'x-swarmd-provider': fields.provider,
    'x-swarmd-transaction': fields.transaction,
    'x-swarmd-cost-lamports': fields.cost_lamports,
    'x-swarmd-ttft-ms': String(fields.ttft_ms),
    'x-swarmd-overhead-ms': String(fields.overhead_ms),
  }
}

/** What a stream's headers can say: who computes, under which id; the rest follows in the last chunk. */
export function startedHeaders(started: readonly StartedEvent[]): Record<string, string> {
  if (started.length === 0) return {}
  return {
    'x-swarmd-provider': unique(started.map((event) => event.provider)),
    'x-swarmd-transaction': unique(started.map((event) => event.id)),
  }
}

/** Microlamports as lamports: `12`, `0.5`, `0.000001`. */
export function lamportsText(micro: bigint): string {
  const whole = micro / 1_000_000n
  const rest = micro % 1_000_000n
  return rest === 0n ? whole.toString() : `${whole}.${rest.toString().padStart(6, '0').replace(/0+$/, '')}`
}

function unique(values: readonly string[]): string {
  // Ids come from the backend, which got them from a peer: nothing but their own alphabet goes into a header.
  return [...new Set(values)].map((value) => value.replaceAll(/[^\w.:@/-]/g, '')).join(',')
}

function round(ms: number): number {
  return Number.isFinite(ms) ? Math.round(ms * 100) / 100 : 0
}
