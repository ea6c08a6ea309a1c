/** Columns for what a chain knows of providers; none where no chain is used. */
import type { StandingView } from '../daemon/control/snapshot.js'
import type { Column } from './table.js'
import { amount, duration } from './words.js'

interface Stood {
  readonly standing?: StandingView | null
}

const MICRO = 1_000_000n

/** `now` in Unix milliseconds. */
export function standingColumns(now: number, rows: readonly Stood[]): readonly Column<Stood>[] {
  if (rows.every(({ standing }) => !standing)) return []
  return [
    { title: 'SETTLED', align: 'right', cell: ({ standing }) => (standing ? settled(standing) : '-') },
    { title: 'ON CHAIN', align: 'right', cell: ({ standing }) => (standing ? age(standing, now) : '-') },
  ]
}

function settled({ settled: lamports }: StandingView): string {
  return lamports === '0' ? '0' : amount(String(BigInt(lamports) * MICRO))
}

function age({ registeredAt }: StandingView, now: number): string {
  return duration(now - registeredAt * 1000)
}
