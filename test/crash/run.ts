/**
 * `npm run crash -- [--kills N] [--seed S] [--free] [--batch N]`: the storm from the command line. The first broken promise
 * ends it with exit code 1; seed and folder are then printed, and the folder is kept.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Random } from './random.js'
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
  },
})
const folder = mkdtempSync(join(tmpdir(), 'swarmd-crash-'))
const seed = Number(values.seed)
console.log(`seed ${seed}, ${values.kills} kills, ${values.free ? 'free' : 'paid'}`)
try {
  const report = await storm({
    kills: Number(values.kills),
    random: new Random(seed),
    folder,
    money: values.free ? null : { price: PRICE, credit: CREDIT },
    batch: Number(values.batch),
    tell: (line) => console.log(line),
  })
  console.log(table(report))
  rmSync(folder, { recursive: true, force: true })
} catch (error) {
  console.error(error instanceof BrokenPromise ? `\nBROKEN\n${error.message}` : error)
  console.error(`\nseed ${seed}, folder ${folder}`)
  process.exitCode = 1
}

function table(report: StormReport): string {
  const rows: readonly (readonly [string, string])[] = [
    ['kills', String(report.kills)],
    ['requests', report.words],
    ...[...report.refusals].map(([code, words]) => [`  ${code}`, words] as const),
    ['signed by both', String(report.both)],
    ['receipts of vanished consumers', String(report.receipts)],
    ['claims of vanished providers', String(report.claims)],
    ['vouchers, lamports', `${report.signed} signed, ${report.held} held`],
    ['checks', `${report.checks}, none broken`],
    ['time', `${report.seconds.toFixed(0)} s`],
  ]
  return ['', ...rows.map(([what, value]) => `${what.padEnd(32)}${value}`)].join('\n')
}
