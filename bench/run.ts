/**
 * `npm run bench -- [name…] [--json]`: runs the named benches, or all, one after the other.
 *
 * The exit code says whether every bench ran, not whether every goal was met: a busy machine misses goals.
 */
import { parseArgs } from 'node:util'
import { meets } from './figure.js'
import type { Bench, Figure } from './figure.js'
import { bench as decode } from './decode.js'
import { bench as gateway } from './gateway.js'
import { bench as join } from './join.js'
import { bench as ledger } from './ledger.js'
import { bench as memory } from './memory.js'
import { bench as query } from './query.js'
import { bench as record } from './record.js'
import { bench as requests } from './requests.js'
import { bench as settlement } from './settlement.js'
import { bench as start } from './start.js'
import { bench as ttft } from './ttft.js'

const BENCHES: readonly Bench[] = [
  start,
  ttft,
  decode,
  requests,
  gateway,
  join,
  memory,
  ledger,
  record,
  query,
  settlement,
]

const { values, positionals } = parseArgs({ options: { json: { type: 'boolean' } }, allowPositionals: true })
const unknown = positionals.filter((name) => !BENCHES.some((bench) => bench.name === name))
if (unknown.length > 0) {
  console.error(`no such bench: ${unknown.join(', ')}\n`)
  for (const bench of BENCHES) console.error(`  ${bench.name.padEnd(10)}${bench.about}`)
  process.exitCode = 2
} else {
  const chosen = BENCHES.filter((bench) => positionals.length === 0 || positionals.includes(bench.name))
  for (const bench of chosen) await measure(bench)
}

async function measure(bench: Bench): Promise<void> {
  const note = (text: string): void => console.error(`  ${bench.name}: ${text}`)
  try {
    for (const figure of await bench.run({ note })) console.log(values.json ? line(figure) : row(figure))
  } catch (error) {
    console.error(`  ${bench.name} failed:`, error)
    process.exitCode = 1
  }
}

function line({ figure, value, unit, goal, better }: Figure): string {
  return JSON.stringify({ figure, value, unit, goal, better })
}

function row(figure: Figure): string {
  const goal = figure.goal === null ? '' : `${figure.better === 'higher' ? '≥' : '≤'} ${figure.goal}`
  const verdict = figure.goal === null ? '' : meets(figure) ? 'ok' : 'MISSED'
  return [
    figure.figure.padEnd(24),
    shown(figure.value).padStart(10),
    figure.unit.padEnd(12),
    goal.padEnd(10),
    verdict,
  ].join(' ')
}

function shown(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: Math.abs(value) >= 100 ? 0 : 3, useGrouping: false })
}
