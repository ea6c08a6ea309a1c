/** `swarmd history list, search, show` and `export`: what is read out of the log. */
import type { HistoryItem, Summary } from '../daemon/history/items.js'
import { DaemonError } from '../daemon/errors.js'
import { optionText } from './command.js'
import type { CommandCall } from './command.js'
import { EXIT } from './exit-codes.js'
import { FileOutput } from './file-output.js'
import { limitFrom, selectionFrom, windowsFrom } from './history-options.js'
import type { AskHistory } from './history-source.js'
import { columns, conversationText, detailText, printable } from './history-text.js'
import { ProgressLine } from './progress-line.js'
import { renderTable } from './table.js'
import { plural } from './words.js'

/** Of a listing that says nothing else. */
export const ROWS = 20

export async function list(call: CommandCall, ask: AskHistory, signal: AbortSignal): Promise<number> {
  const { io, json } = call
  const selection = selectionFrom(call, Date.now())
  const rows = []
  for await (const item of ask({ op: 'list', selection, limit: limitFrom(call, ROWS) }, signal)) {
    if (!('row' in item)) continue
    if (json) io.json(item.row)
    else rows.push(item.row)
  }
  if (json) return EXIT.ok
  if (rows.length > 0) io.out(renderTable(columns(), rows, io.width, (line) => io.paint('bold', line)))
  else if (Object.keys(selection).length > 0) io.out('No transaction fits.\n')
  else io.out('No transaction yet. Each request to a peer, and each answer to one, leaves one.\n')
  return EXIT.ok
}

export async function search(call: CommandCall, ask: AskHistory, signal: AbortSignal): Promise<number> {
  const { io, json } = call
  const text = call.args.join(' ')
  const progress = new ProgressLine(call, 'searched')
  let found = 0
  const request = {
    op: 'search',
    text,
    selection: selectionFrom(call, Date.now()),
    limit: limitFrom(call, null),
  } as const
  for await (const item of ask(request, signal)) {
    progress.show(item)
    if (!('row' in item)) continue
    found++
    progress.clear()
    if (json) io.json(item.row)
    else {
      io.out(renderTable(columns(), [item.row], io.width).split('\n').slice(1).join('\n'))
      io.out(`  ${io.paint('dim', printable(item.row.excerpt ?? ''))}\n`)
    }
  }
  progress.clear()
  if (found === 0 && !json) io.out(`Nothing says "${text}".\n`)
  return EXIT.ok
}

export async function show(call: CommandCall, ask: AskHistory, id: string, signal: AbortSignal): Promise<number> {
  const { io, json } = call
  // Parts of the output are shown as a proof or not at all.
  const proof = optionText(call, 'proof') ?? (optionText(call, 'window') === null ? null : '-')
  if (proof !== null) return writeProof(call, ask, id, proof, signal)
  let text = ''
  let detail = null
  for await (const item of ask({ op: 'show', id }, signal)) {
    if ('detail' in item) detail = item.detail
    if ('text' in item) text += item.text
  }
  if (detail === null) throw DaemonError.CONTROL_FAILED('The daemon answered without the transaction.')
  const content: unknown = text === '' ? null : JSON.parse(text)
  if (json) io.json({ ...detail, exchange: content })
  else {
    io.out(detailText(detail, io))
    if (content !== null) io.out(`\n${conversationText(content, io)}`)
  }
  return detail.holds ? EXIT.ok : EXIT.failure
}

async function writeProof(
  call: CommandCall,
  ask: AskHistory,
  id: string,
  path: string,
  signal: AbortSignal,
): Promise<number> {
  const content = call.options['content'] !== false
  const windows = windowsFrom(call)
  const out = new FileOutput(call.io, path === '-' ? null : path)
  await pour(ask({ op: 'proof', id, content, windows }, signal), out)
  // Standard output is the proof itself.
  if (path === '-' && content) call.io.err('Whoever has this can read request and answer; not so with --no-content.\n')
  if (path === '-') return EXIT.ok
  if (call.json) call.io.json({ path, content, windows })
  else {
    const parts = windows === null ? 'nothing' : 'the named parts of the answer and nothing else'
    const what = content ? 'Whoever has it can read request and answer.' : `It shows ${parts} of request and answer.`
    call.io.out(`Wrote ${path}. ${what} Anybody can check it: swarmd verify ${path}\n`)
  }
  return EXIT.ok
}

export async function exportTo(call: CommandCall, ask: AskHistory, signal: AbortSignal): Promise<number> {
  const { io, json } = call
  const format = optionText(call, 'format') === 'csv' ? 'csv' : 'jsonl'
  const path = optionText(call, 'out')
  const out = new FileOutput(io, path)
  const request = {
    op: 'export',
    format,
    selection: selectionFrom(call, Date.now()),
    limit: limitFrom(call, null),
  } as const
  const { count, skipped = {} } = await pour(ask(request, signal), out)
  const reasons = Object.entries(skipped).map(([reason, times]) => `${times} × ${reason}`)
  // Standard output is the export itself.
  if (json && path !== null) io.json({ path, count, skipped })
  else if (!json) {
    const left = reasons.length === 0 ? '' : ` Left out: ${reasons.join(', ')}.`
    io.err(`${plural(count, 'transaction')} written${path === null ? '' : ` to ${path}`}.${left}\n`)
  }
  return EXIT.ok
}

/** Writes every piece of text, at the output's pace, and gives the summary. Nothing is left half-written under the name. */
async function pour(items: AsyncIterable<HistoryItem>, out: FileOutput): Promise<Summary> {
  let summary: Summary = { count: 0 }
  try {
    for await (const item of items) {
      if ('text' in item) await out.write(item.text)
      if ('summary' in item) summary = item.summary
    }
    await out.finish()
    return summary
  } catch (error) {
    await out.discard()
    throw error
  }
}
