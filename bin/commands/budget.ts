/** `swarmd budget`: what may be spent, what is spent today, and what is left. */
import type { Command } from 'commander'
import type { BudgetView } from '../../daemon/budget-view.js'
import { codeOf } from '../../daemon/errors.js'
import { connectControl } from '../../daemon/control/client.js'
import type { LoadedConfig } from '../../daemon/config.js'
import { tilde } from '../../daemon/paths.js'
import type { CommandCall } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { loadSettings } from '../running.js'
import { renderTable } from '../table.js'
import type { Column } from '../table.js'
import { amount } from '../words.js'

export function define(command: Command): void {
  command.addHelpText(
    'after',
    `
A request that could cost more than is left is refused with 402 before a byte
of it is sent. RESERVED is the most that running requests may still cost. A day
is one of UTC.

Limits are settings; a running node takes new ones at its next start:
  [budget]                     in the config file ("swarmd config path")
  per_request = "0.001 SOL"    or SWARMD_BUDGET_PER_REQUEST
  per_day = "0.05 SOL"         or SWARMD_BUDGET_PER_DAY

  [[keys]]                     limits for an API key of its own
  name = "laptop"
  key_file = "laptop.key"
  per_day = "0.01 SOL"

Examples:
  swarmd budget
  swarmd budget --json`,
  )
}

export async function run(call: CommandCall): Promise<number> {
  const { io, json } = call
  const loaded = await loadSettings(call)
  const views = await look(call, loaded)
  if (json) {
    for (const view of views) io.json(view)
    return EXIT.ok
  }
  io.out(renderTable(COLUMNS, views, io.width, (line) => io.paint('bold', line)))
  if (views.every(({ perDay, perRequest }) => perDay === null && perRequest === null)) {
    io.out(`\nThere is no limit. Set one in ${tilde(loaded.file.path)}: "swarmd budget --help" shows how.\n`)
  }
  return EXIT.ok
}

/** From the running node, or from the data folder when none runs. */
async function look(call: CommandCall, loaded: LoadedConfig): Promise<readonly BudgetView[]> {
  const views: BudgetView[] = []
  try {
    const client = await connectControl({ dataDir: loaded.dataDir, runtimeDir: call.io.env['XDG_RUNTIME_DIR'] })
    try {
      // The node is trusted with the inside of its items.
      for await (const item of client.stream('budget', null)) views.push(item as BudgetView)
    } finally {
      client.close()
    }
    return views
  } catch (error) {
    if (codeOf(error) !== 'NOT_RUNNING') throw error
  }
  const { budgetOf } = await import('../../daemon/budget-view.js')
  return budgetOf(loaded, call.version)
}

const COLUMNS: readonly Column<BudgetView>[] = [
  { title: 'API KEY', cell: ({ key }) => key ?? '(everything)' },
  { title: 'SPENT TODAY', align: 'right', cell: ({ spent }) => none(spent) },
  { title: 'RESERVED', align: 'right', cell: ({ reserved }) => none(reserved) },
  { title: 'PER DAY', align: 'right', cell: ({ perDay }) => (perDay === null ? 'no limit' : amount(perDay)) },
  { title: 'LEFT TODAY', align: 'right', cell: ({ left }) => (left === null ? '-' : none(left)) },
  {
    title: 'PER REQUEST',
    align: 'right',
    cell: ({ perRequest }) => (perRequest === null ? 'no limit' : amount(perRequest)),
  },
]

function none(microLamports: string): string {
  return microLamports === '0' ? '0' : amount(microLamports)
}
