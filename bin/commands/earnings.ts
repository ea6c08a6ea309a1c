/** `swarmd earnings`: what this node earned and spent, by day and by model, and what of it the chain has paid out. */
import { Option } from 'commander'
import type { Command } from 'commander'
import type { ChainEarnings, EarningsView, Group, Period } from '../../daemon/payment/earnings-view.js'
import type { Grouping } from '../../daemon/chain/desk-request.js'
import { optionText } from '../command.js'
import type { CommandCall } from '../command.js'
import { payingSettings, withDesk } from '../desk-source.js'
import { EXIT } from '../exit-codes.js'
import { age, time } from '../history-options.js'
import { both, micro } from '../money.js'
import { ProgressLine } from '../progress-line.js'
import { renderTable } from '../table.js'
import type { Column } from '../table.js'
import { plural } from '../words.js'

const SHORT = 10
const DAY_MS = 86_400_000

export function define(command: Command): void {
  payingSettings(
    command
      .option('--since <time>', 'a further period: since a day (2026-11-01) or an age (30d); whole days of UTC')
      .addOption(new Option('--by <what>', 'one line each: model or day').choices(['model', 'day'])),
  ).addHelpText(
    'after',
    `
Sums of the signed records in the ledger, exact to the microlamport; a day is
one of UTC. EARNED is what peers owe for answers, before fees; SPENT is what
this node asked. What vouchers and chain have made of it stands below: settled,
fees, and what is not settled yet.

Examples:
  swarmd earnings
  swarmd earnings --by model
  swarmd earnings --since 30d --by day
  swarmd earnings --since 2026-11-01 --json`,
  )
}

export function run(call: CommandCall): Promise<number> {
  const { io, json } = call
  const since = sinceOf(call)
  const by = optionText(call, 'by') as Grouping | null
  const progress = new ProgressLine(call, 'Adding up')
  return withDesk(call, async (ask) => {
    try {
      for await (const item of ask({ op: 'earnings', since, by })) {
        progress.show(item)
        if (!('earnings' in item) && !('note' in item)) continue
        progress.clear()
        if ('note' in item) io.err(`! ${item.note}\n`)
        else if (json) io.json(item.earnings)
        else tell(call, item.earnings, by)
      }
    } finally {
      progress.clear()
    }
    return EXIT.ok
  })
}

/** A day alone is one of UTC, unlike elsewhere: so are the sums. */
function sinceOf(call: CommandCall): number | null {
  const given = optionText(call, 'since')
  if (given === null) return null
  if (/^\d{4}-\d{2}-\d{2}$/.test(given)) return time('--since', `${given}T00:00Z`, Date.now())
  const back = age(given)
  // `7d` is today and the six days before it.
  return time('--since', given, Date.now()) + (back !== null && back >= DAY_MS ? DAY_MS : 0)
}

function tell({ io }: CommandCall, { periods, groups, chain, credit }: EarningsView, by: Grouping | null): void {
  const heading = (line: string): string => io.paint('bold', line)
  io.out(renderTable(PERIODS, periods, io.width, heading))
  if (by !== null) {
    const { from = '' } = periods.at(-1) ?? {}
    io.out(`\n${groups.length === 0 ? `Nothing was paid since ${from}.\n` : ''}`)
    if (groups.length > 0) io.out(renderTable(groupColumns(by), groups, io.width, heading))
  }
  const lines = [...(chain ? chainLines(chain) : []), ...(credit ? creditLines(credit) : [])]
  const width = Math.max(0, ...lines.map(([name]) => name.length))
  if (lines.length > 0) io.out('\n')
  for (const [name, text] of lines) io.out(`${io.paint('bold', name.padEnd(width))}  ${text}\n`)
}

type Lines = readonly (readonly [name: string, text: string])[]

function chainLines({ settled, fees, received, unsettled, networkFees }: ChainEarnings): Lines {
  if (settled === '0' && unsettled === '0') return []
  const collected: Lines = [
    ['Settled so far', `${both(settled)} of deposits`],
    ['  fee', `${both(fees)} to swarmd's program`],
    ['  received', both(received)],
  ]
  return [
    ...(settled === '0' ? [] : collected),
    [
      'Not settled yet',
      `${both(unsettled)}${unsettled === '0' ? '' : '; "swarmd settle" claims what is worth its fee'}`,
    ],
    ...(networkFees === '0' ? [] : [['Paid to the chain', `${both(networkFees)} for settling`] as const]),
  ]
}

function creditLines({ owedToThis, owedByThis }: NonNullable<EarningsView['credit']>): Lines {
  return [
    ['Owed to this node', `${both(owedToThis)} in all, by vouchers on credit`],
    ['Owed by this node', `${both(owedByThis)} in all, by vouchers on credit`],
  ]
}

const PERIODS: readonly Column<Period>[] = [
  { title: 'PERIOD (UTC)', cell: ({ name, from }) => periodWords(name, from) },
  { title: 'EARNED', align: 'right', cell: ({ earned }) => micro(earned.cost) },
  { title: 'FOR', align: 'right', cell: ({ earned }) => plural(earned.requests, 'request') },
  { title: 'SPENT', align: 'right', cell: ({ spent }) => micro(spent.cost) },
  { title: 'FOR', align: 'right', cell: ({ spent }) => plural(spent.requests, 'request') },
]

function periodWords(name: Period['name'], from: string): string {
  if (name === 'today') return `today, ${from}`
  return name === 'week' ? `7 days, since ${from}` : `since ${from}`
}

function groupColumns(by: Grouping): readonly Column<Group>[] {
  return [
    by === 'day'
      ? { title: 'DAY (UTC)', cell: ({ key }) => key }
      : { title: 'MODEL', shrinkTo: 12, cell: ({ name, key }) => name ?? key.slice(0, SHORT) },
    { title: 'EARNED', align: 'right', cell: ({ earned }) => micro(earned.cost) },
    { title: 'SPENT', align: 'right', cell: ({ spent }) => micro(spent.cost) },
    {
      title: 'REQUESTS',
      align: 'right',
      cell: ({ earned, spent }) => String(earned.requests + spent.requests),
    },
    {
      title: 'TOKENS IN',
      align: 'right',
      cell: ({ earned, spent }) => String(earned.inputTokens + spent.inputTokens),
    },
    {
      title: 'OUT',
      align: 'right',
      cell: ({ earned, spent }) => String(earned.outputTokens + spent.outputTokens),
    },
  ]
}
