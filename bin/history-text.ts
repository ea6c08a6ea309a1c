/** The history in words. */
import type { Detail, Row } from '../daemon/history/items.js'
import type { Io } from './io.js'
import type { Column } from './table.js'
import { amount, plural } from './words.js'

/** Characters of a key or an id in a table: enough to name it on the command line. */
const SHORT = 10

export function columns(): readonly Column<Row>[] {
  return [
    { title: 'TIME', cell: (row) => clock(row.time) },
    { title: 'ID', cell: (row) => row.id.slice(0, SHORT) },
    { title: 'THIS NODE', cell: (row) => (row.role === 'consumer' ? 'asked' : 'answered') },
    { title: 'MODEL', shrinkTo: 12, cell: (row) => row.modelName ?? row.model.slice(0, SHORT) },
    { title: 'PEER', cell: (row) => row.peer.slice(0, SHORT) },
    { title: 'IN', align: 'right', cell: (row) => String(row.usage.input + row.usage.cached) },
    { title: 'OUT', align: 'right', cell: (row) => String(row.usage.output) },
    { title: 'COST', align: 'right', cell: (row) => amount(row.cost) },
    { title: 'END', cell: (row) => row.finish },
    { title: 'SIGNED BY', cell: (row) => row.signed },
  ]
}

/** Local time, to the minute. */
export function clock(unixMs: number): string {
  const date = new Date(unixMs)
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`
}

export function detailText(detail: Detail, io: Io): string {
  const told =
    detail.role === 'consumer' ? `asked by this node of ${detail.peer}` : `asked of this node by ${detail.peer}`
  const content = `${detail.content} (${detail.requestBytes} + ${detail.responseBytes} bytes)`
  return `${statementText(detail, io, told, content)}\n${checksText(detail, io)}`
}

type Stated = Omit<Detail, 'position' | 'role' | 'peer'>

/** What was signed, a line for each thing. */
export function statementText(detail: Stated, io: Io, told?: string, content?: string): string {
  const { usage, prices, times, cost } = detail
  const took = times.firstToken === null ? 'no token' : `first token after ${times.firstToken - times.asked} ms`
  const sum = [
    [usage.input, prices.input],
    [usage.cached, prices.cached],
    [usage.output, prices.output],
  ].map(([tokens, price]) => `${tokens} × ${price}`)
  const lines: readonly (readonly [string, string])[] = [
    ['Transaction', detail.id],
    ['What', told === undefined ? detail.kind : `${detail.kind}, ${told}`],
    ...(told === undefined ? [['Consumer', detail.consumer] as const, ['Provider', detail.provider] as const] : []),
    ['Model', `${detail.modelName === null ? '' : `${printable(detail.modelName)}, `}root ${detail.model}`],
    ['When', `${clock(times.asked)}, ${took}, done after ${times.done - times.asked} ms (${detail.finish})`],
    ['Tokens', `${usage.input} computed + ${usage.cached} cached in, ${usage.output} out`],
    ['Cost', cost === '0' ? 'free' : `${amount(cost)} = ${sum.join(' + ')} microlamports (input, cached, output)`],
    ...(detail.channel === null
      ? []
      : [['Channel', `${detail.channel}, ${amount(detail.cumulative)} on it in all`] as const]),
    ['Receipt', `number ${detail.counter} of its provider, ${detail.receipt}`],
    ['Computed by', runtimeText(detail.runtime)],
    ...(content === undefined ? [] : [['Content', content] as const]),
  ]
  const width = Math.max(...lines.map(([name]) => name.length))
  return lines.map(([name, value]) => `${io.paint('bold', name.padEnd(width))}  ${value}\n`).join('')
}

/** The library with its settings; an engine that has none says `none`. */
function runtimeText(runtime: Detail['runtime']): string {
  const said = (name: string): string => printable(String(runtime[name] ?? 'none'))
  const part = (name: string, text: (value: string) => string): string[] => {
    const value = said(name)
    return value === 'none' ? [] : [text(value)]
  }
  return [
    `${said('library')} ${said('release')}`,
    ...part('backend', (value) => value),
    ...part('cpuVariant', (value) => value),
    `flash attention ${runtime['flashAttention'] === true ? 'on' : 'off'}`,
    ...part('kvTypes', (value) => `KV ${value}`),
    `batches of ${said('batchSize')}`,
  ].join(', ')
}

interface Checked {
  readonly checks: readonly {
    readonly name: string
    readonly result: 'good' | 'bad' | 'absent'
    readonly detail: string
  }[]
}

/** What was verified and how: one line each. */
export function checksText({ checks }: Checked, io: Io): string {
  const marks = { good: io.paint('green', '✓'), bad: io.paint('red', '✗'), absent: io.paint('dim', '–') }
  const width = Math.max(...checks.map(({ name }) => name.length))
  return checks.map(({ name, result, detail }) => `${marks[result]} ${name.padEnd(width)}  ${detail}\n`).join('')
}

/** Request and response of `show` as a conversation. `content`: the JSON of daemon/history/contents.ts. */
export function conversationText(content: unknown, io: Io): string {
  const { request, response } = content as {
    request: Readonly<Record<string, unknown>>
    response: Readonly<Record<string, unknown>>
  }
  const out: string[] = []
  const say = (who: string, text: unknown): void => {
    out.push(`${io.paint('cyan', `${who}:`)}\n${printable(String(text))}\n`)
  }
  const prompt = request['prompt'] as Readonly<Record<string, unknown>> | undefined
  for (const message of (prompt?.['messages'] as { role: string; content: string }[] | undefined) ?? []) {
    say(message.role, message.content)
  }
  if (prompt?.['text'] !== undefined) say('text', prompt['text'])
  if (prompt?.['tokens'] !== undefined) say('prompt', `${(prompt['tokens'] as unknown[]).length} token ids`)
  for (const input of (request['inputs'] as unknown[] | undefined) ?? []) {
    say('input', typeof input === 'string' ? input : `${(input as unknown[]).length} token ids`)
  }
  if (response['thought']) say('thought', response['thought'])
  if (response['text'] !== undefined) say('answer', response['text'])
  if (response['count'] !== undefined)
    say('answer', `${Number(response['count'])} vectors of ${Number(response['dimensions'])} numbers`)
  return out.join('\n')
}

/** A peer's words must not move the cursor or ring the bell; line ends and tabs stay. */
export function printable(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n\t]/gu, '\uFFFD')
}

interface Report {
  readonly transactions: number
  readonly forgotten: number
  readonly bodies: { readonly kept: number; readonly gone: number }
  readonly checkpoints: number
  readonly faults: readonly { readonly position: number | null; readonly what: string; readonly detail: string }[]
  readonly faultCount: number
}

const NOTHING: Report = {
  transactions: 0,
  forgotten: 0,
  bodies: { kept: 0, gone: 0 },
  checkpoints: 0,
  faults: [],
  faultCount: 0,
}

/** What `verify` found; a node that never recorded anything has nothing to be wrong. */
export function reportOf({ report }: { readonly report?: unknown }): Report {
  return typeof report === 'object' && report !== null ? (report as Report) : NOTHING
}

export function reportText(report: Report, io: Io): string {
  const { transactions, forgotten, bodies, checkpoints, faults, faultCount } = report
  const looked = `${plural(transactions, 'transaction')}, ${plural(bodies.kept, 'content')} kept, ${bodies.gone} gone, ${forgotten} forgotten, ${plural(checkpoints, 'checkpoint')}`
  if (faultCount === 0) {
    return `${io.paint('green', '✓')} ${looked}: every signature, statement and hash, the Merkle tree and the index hold.\n`
  }
  const lines = faults.map(
    ({ position, what, detail }) =>
      `${io.paint('red', '✗')} ${position === null ? 'the log as a whole' : `transaction ${position}`}, ${what}: ${detail}\n`,
  )
  const more = faultCount > faults.length ? `and ${faultCount - faults.length} more\n` : ''
  return `${looked}: ${plural(faultCount, 'fault')}, the first ones here\n${lines.join('')}${more}`
}
