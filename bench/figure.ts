/**
 * What a bench measures. One figure is one line of the table, and one JSON object with `--json`.
 */
export interface Figure {
  /** `bench.detail`, e.g. `ttft.mock.p50`. */
  readonly figure: string
  readonly value: number
  readonly unit: 'ms' | 'MB' | 'bytes' | 'ratio' | 'per second' | 'lamports' | 'units' | 'vouchers'
  /** null = reported for its own sake. */
  readonly goal: number | null
  readonly better: 'higher' | 'lower'
}

export interface BenchContext {
  /** A sentence for the person who watches: what is running, or numbers beside the figures. */
  readonly note: (text: string) => void
}

/** A file of this folder exports one as `bench`; run.ts lists them. */
export interface Bench {
  readonly name: string
  readonly about: string
  /** Closes whatever it opened, also when it throws. */
  run(context: BenchContext): Promise<readonly Figure[]>
}

export function meets({ value, goal, better }: Figure): boolean {
  if (goal === null) return true
  return better === 'higher' ? value >= goal : value <= goal
}

/** Nearest-rank percentile, `at` in 0..1. Throws on no samples: a bench without samples is broken. */
export function percentile(samples: readonly number[], at: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  const value = sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(at * sorted.length) - 1))]
  if (value === undefined) throw new Error('no samples')
  return value
}

export function median(samples: readonly number[]): number {
  return percentile(samples, 0.5)
}
