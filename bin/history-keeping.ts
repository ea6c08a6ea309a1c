/** `swarmd history prune, forget, verify` and `restore`: what happens to the log itself. */
import type { HistoryItem, Summary } from '../daemon/history/items.js'
import { DaemonError } from '../daemon/errors.js'
import { absolute } from '../daemon/paths.js'
import { optionText } from './command.js'
import type { CommandCall } from './command.js'
import { EXIT } from './exit-codes.js'
import { age, size } from './history-options.js'
import type { AskHistory } from './history-source.js'
import { columns, reportOf, reportText } from './history-text.js'
import { ProgressLine } from './progress-line.js'
import { confirm } from './prompt.js'
import { renderTable } from './table.js'
import { plural } from './words.js'

export async function prune(call: CommandCall, ask: AskHistory, signal: AbortSignal): Promise<number> {
  const [older, keep] = [optionText(call, 'olderThan'), optionText(call, 'keepBytes')]
  if ((older === null) === (keep === null)) {
    throw DaemonError.CONFIG_INVALID('prune takes either --older-than AGE (30d) or --keep-bytes SIZE (1gb).')
  }
  const back = older === null ? null : age(older)
  const bytes = keep === null ? null : size(keep)
  if (older !== null && back === null) {
    throw DaemonError.CONFIG_INVALID(`--older-than ${older} is not allowed; it must be an age such as 12h, 30d or 8w.`)
  }
  if (keep !== null && bytes === null) {
    throw DaemonError.CONFIG_INVALID(`--keep-bytes ${keep} is not allowed; it must be a size such as 500mb or 1gb.`)
  }
  const request =
    back === null
      ? ({ op: 'prune', keepBytes: bytes ?? 0 } as const)
      : ({ op: 'prune', before: Date.now() - back } as const)
  const { count } = await last(ask(request, signal))
  if (call.json) call.io.json({ blocks: count })
  else if (count === 0) call.io.out('Nothing to clear.\n')
  else call.io.out(`Cleared ${plural(count, 'block')} of contents. Statements and signatures stay.\n`)
  return EXIT.ok
}

export async function forget(call: CommandCall, ask: AskHistory, id: string, signal: AbortSignal): Promise<number> {
  const { io, json } = call
  if (call.options['yes'] !== true) {
    if (!io.stdin.isTTY || json)
      throw DaemonError.CONFIG_INVALID('forget asks first; without a terminal it needs --yes.')
    for await (const item of ask({ op: 'show', id }, signal)) {
      if ('detail' in item) io.err(renderTable(columns(), [item.detail], io.width))
    }
    const sure = await confirm(io, 'Destroy its content on this disk for ever? The other side keeps its own copy.')
    if (!sure) throw DaemonError.CANCELLED()
  }
  for await (const item of ask({ op: 'forget', id }, signal)) {
    if (!('row' in item)) continue
    if (json) io.json({ forgotten: item.row.id })
    else
      io.out(`Forgotten: nobody can read ${item.row.id} from this disk any more. Its statement and signatures stay.\n`)
  }
  return EXIT.ok
}

export async function verify(call: CommandCall, ask: AskHistory, signal: AbortSignal): Promise<number> {
  const { io, json } = call
  const progress = new ProgressLine(call, 'verified')
  let summary: Summary = { count: 0 }
  for await (const item of ask({ op: 'verify' }, signal)) {
    progress.show(item)
    if ('summary' in item) summary = item.summary
  }
  progress.clear()
  const report = reportOf(summary)
  if (json) io.json(report)
  else io.out(reportText(report, io))
  return report.faultCount === 0 ? EXIT.ok : EXIT.failure
}

export async function restore(call: CommandCall, ask: AskHistory, signal: AbortSignal): Promise<number> {
  const { io, json } = call
  const [from, peer] = [folderFrom(call), optionText(call, 'peer')]
  if (from === null && peer === null && call.options['yes'] !== true) await consent(call)
  const progress = new ProgressLine(call, 'fetched')
  let summary: Summary = { count: 0 }
  for await (const item of ask({ op: 'restore', from, peer }, signal)) {
    progress.show(item)
    if ('summary' in item) summary = item.summary
  }
  progress.clear()
  if (json) io.json({ transactions: summary.count })
  else
    io.out(
      `${plural(summary.count, 'transaction')} restored. ${summary.note ?? ''}\nCheck them with: swarmd history verify\n`,
    )
  return EXIT.ok
}

/** Those who are asked learn what they could not know otherwise. */
async function consent({ io, json }: CommandCall): Promise<void> {
  if (!io.stdin.isTTY || json) {
    throw DaemonError.CONFIG_INVALID(
      'Without a terminal, restore from peers needs --peer KEY (that one), or --yes (all).',
    )
  }
  io.err(
    'All connected peers are asked. Each of them learns under which keys this node\n' +
      "asked before, and that they are one owner's. To ask a single one: --peer with\n" +
      'the first digits of its key (see "swarmd peers").\n',
  )
  if (!(await confirm(io, 'Ask all of them?'))) throw DaemonError.CANCELLED()
}

function folderFrom(call: CommandCall): string | null {
  const given = optionText(call, 'from')
  return given === null ? null : absolute(given, call.io.cwd)
}

async function last(items: AsyncIterable<HistoryItem>): Promise<Summary> {
  let summary: Summary = { count: 0 }
  for await (const item of items) if ('summary' in item) summary = item.summary
  return summary
}
