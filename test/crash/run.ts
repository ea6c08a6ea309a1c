/**
 * `npm run crash -- [--kills N] [--seed S] [--free | --chain] [--batch N]`: the storm from the command line, on credit, for
 * nothing, or on a chain of its own. The first broken promise ends it with exit code 1; seed and folder are then printed,
 * and the folder is kept.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Random } from './random.js'
import { settlementStorm } from './settlement/storm.js'
import type { SettlementReport } from './settlement/storm.js'
import { BrokenPromise, storm } from './storm.js'
import type { StormReport } from './storm.js'

/** Lamports per million tokens, and what the consumer may owe: enough for any length of storm. */
const PRICE = 10_000_000n
const CREDIT = 1_000_000_000n

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    batch: { type: 'string', default: '25' },
    free: { type: 'boolean', default: false },
    chain: { type: 'boolean', default: false },
  },
})
const folder = mkdtempSync(join(tmpdir(), 'swarmd-crash-'))
const seed = Number(values.seed)
const way = values.chain ? 'chain' : values.free ? 'free' : 'credit'
console.log(`seed ${seed}, ${values.kills} kills, ${way}`)
try {
  const options = {
    kills: Number(values.kills),
    random: new Random(seed),
    folder,
    batch: Number(values.batch),
    tell: (line: string) => console.log(line),
  }
  const rows = values.chain
    ? settlementRows(await settlementStorm({ ...options, refund: true }))
    : stormRows(await storm({ ...options, money: values.free ? null : { price: PRICE, credit: CREDIT } }))
  console.log(['', ...rows.map(([what, value]) => `${what.padEnd(36)}${value}`)].join('\n'))
  rmSync(folder, { recursive: true, force: true })
} catch (error) {
  console.error(error instanceof BrokenPromise ? `\nBROKEN\n${error.message}` : error)
  console.error(`\nseed ${seed}, folder ${folder}`)
  process.exitCode = 1
}

type Row = readonly [what: string, value: string]

function stormRows(report: StormReport): readonly Row[] {
  return [
    ['kills', String(report.kills)],
    ['requests', report.words],
    ...refusals(report.refusals),
    ['signed by both', String(report.both)],
    ['receipts of vanished consumers', String(report.receipts)],
    ['claims of vanished providers', String(report.claims)],
    ['vouchers, lamports', `${report.signed} signed, ${report.held} held`],
    ['checks', `${report.checks}, none broken`],
    ['time', `${report.seconds.toFixed(0)} s`],
  ]
}

function settlementRows(report: SettlementReport): readonly Row[] {
  return [
    ['kills', String(report.kills)],
    ...[...report.at]
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([step, count]) => [`  ${step}`, String(count)] as const),
    ['requests', report.words],
    ...refusals(report.refusals),
    ...[...report.faults].map(([fault, count]) => [`  RPC: ${fault}`, String(count)] as const),
    ['forks', String(report.forks)],
    ['channels, orders', `${report.channels}, ${report.orders}`],
    ['transactions', `${report.landed}, of which the chain refused ${report.refusedThere}`],
    ['settled, lamports', `${report.settled}, of which fee ${report.fees}`],
    ['checks', `${report.checks}, none broken`],
    ['time', `${report.seconds.toFixed(0)} s`],
  ]
}

function refusals(words: ReadonlyMap<string, string>): readonly Row[] {
  return [...words].map(([code, last]) => [`  ${code}`, last] as const)
}
