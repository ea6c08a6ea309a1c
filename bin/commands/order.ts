/** `swarmd order`: one question, published on the chain with the money for it; and the orders that are out there. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { integer } from '../../daemon/config-kinds.js'
import type { OrderEnd, OrderRow } from '../../daemon/chain/desk-items.js'
import { DaemonError } from '../../daemon/errors.js'
import { askChat } from '../chat-client.js'
import type { ChatAnswer } from '../chat-client.js'
import { findEndpoint, pipedText } from '../chat-endpoint.js'
import { AnswerPrinter } from '../chat-printer.js'
import { optionText } from '../command.js'
import type { CommandCall } from '../command.js'
import { payingSettings, withDesk } from '../desk-source.js'
import type { AskDesk } from '../desk-source.js'
import { EXIT } from '../exit-codes.js'
import { both, lamportsFrom, short } from '../money.js'
import { renderTable } from '../table.js'
import type { Column } from '../table.js'
import { amount, duration } from '../words.js'

const SHORT = 12
const MAX_PROVIDERS = 8
const tokenLimit = integer(1, 16_777_216)
/** A provider claims at once; what takes longer the node does by itself. */
const LOOKS = 40
const LOOK_MS = 250
const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }
const MAX_DEADLINE = 30 * 86_400

export function define(command: Command): void {
  payingSettings(command.usage('[command] [question...]').argument('[words...]', 'the question'))
    .option('-m, --model <name>', 'the model; without one, the one served here, or the only one there is')
    .option('--max-cost <amount>', 'the most that the answer may cost, such as 0.001SOL')
    .option('--max-tokens <n>', 'end the answer after this many tokens')
    .option('--deadline <time>', 'when it comes back unanswered: 90s, 10m, 2h (10m)')
    .option('--provider <key>', 'node key that may take it; repeatable, at most 8', collected)
    .option('--min-reputation <amount>', 'what a provider must have earned on the chain')
    .option('--no-thoughts', 'do not show what the model thinks before it answers')
    .addHelpText(
      'after',
      `
An order needs no deposit: the most that an answer may cost is put into an
account of the chain with a commitment to the question, which nobody can read
it from. The provider locks it, answers, and states the cost with its receipt;
the rest and the rent come back at once, or all of it after the deadline. It
costs two transactions, so many questions to one provider are cheaper through
a channel ("swarmd chat").

Examples:
  swarmd order -m qwen3-8b:q4_k_m --max-cost 0.001SOL "Why is the sky blue?"
  swarmd order --max-cost 20000lamports --deadline 2m "2 + 2?"
  swarmd order list                          those that are out there
  swarmd order refund --all                  take back what can be

The running node asks; it also takes orders back by itself, now and after a
restart.`,
    )
  command.command('list').description('List the orders of this node, and those that it has taken.')
  command
    .command('refund')
    .description('Take back an order that is claimed, or whose deadline is over.')
    .argument('[order]', 'the first characters of its address')
    .option('--all', 'every one that can be taken back')
}

function collected(key: string, keys: readonly string[] | undefined): readonly string[] {
  return [...(keys ?? []), key]
}

export function run(call: CommandCall): Promise<number> {
  if (call.name === 'list') return withDesk(call, (ask) => list(call, ask))
  if (call.name !== 'refund') return publish(call)
  const given = call.args[0] ?? null
  if ((given === null) === (call.options['all'] !== true))
    throw DaemonError.CONFIG_INVALID('refund takes either an order or --all. "swarmd order list" lists them.')
  return withDesk(call, (ask) => refund(call, ask, given))
}

async function publish(call: CommandCall): Promise<number> {
  const { io, json, options } = call
  const question = [await pipedText(call), call.args.join(' ')].filter((part) => part !== '').join('\n\n')
  if (question === '')
    throw DaemonError.CONFIG_INVALID('What is the question? Give it as an argument or on standard input.')
  const provider = wishes(call)
  const maxTokens = tokensFrom(optionText(call, 'maxTokens'))
  const { endpoint, model } = await findEndpoint(call, optionText(call, 'model'))
  // With --port it is another node's API that is asked, and the desk is not its.
  const here = call.flags.port === undefined
  // Where there is no chain this says so, before anything is asked.
  if (here) await withDesk(call, (ask) => ended(ask({ op: 'orders' })))
  const printer = new AnswerPrinter(io, { thoughts: options['thoughts'] !== false, silent: json })
  const cancel = new AbortController()
  const onInterrupt = (): void => cancel.abort()
  process.once('SIGINT', onInterrupt)
  let answer: ChatAnswer
  try {
    const messages = [{ role: 'user' as const, content: question }]
    const asked = { model, messages, maxTokens, provider }
    answer = await askChat(endpoint, asked, cancel.signal, (event) => printer.show(event))
    printer.end(null)
  } catch (error) {
    printer.end(null)
    if (cancel.signal.aborted) return EXIT.interrupted
    throw error
  } finally {
    process.off('SIGINT', onInterrupt)
  }
  const transaction = answer.swarmd?.['transaction']
  const id = typeof transaction === 'string' ? transaction : null
  const end = id === null || !here ? null : await withDesk(call, (ask) => ending(ask, id))
  if (json)
    io.json({ model: answer.model, answer: answer.text, finish: answer.finish, swarmd: answer.swarmd, order: end })
  else if (here) io.out(io.paint('dim', summary(answer, end)))
  return EXIT.ok
}

function wishes(call: CommandCall): Readonly<Record<string, unknown>> {
  const [maxCost, deadline, reputation] = ['maxCost', 'deadline', 'minReputation'].map((name) => optionText(call, name))
  if (!maxCost) throw DaemonError.CONFIG_INVALID('What may the answer cost at most? Give it with --max-cost 0.001SOL.')
  const given: unknown = call.options['provider']
  const only = Array.isArray(given) && given.length > 0 ? given.map(String) : null
  if (only && only.length > MAX_PROVIDERS)
    throw DaemonError.CONFIG_INVALID(`An order names at most ${MAX_PROVIDERS} providers.`)
  return {
    pay: 'order',
    max_cost: lamportsFrom('--max-cost', maxCost).toString(),
    order_deadline: deadline ? secondsFrom(deadline) : null,
    min_reputation: reputation ? lamportsFrom('--min-reputation', reputation).toString() : null,
    only,
  }
}

function secondsFrom(given: string): number {
  const [, number = '', unit = 's'] = /^(\d{1,7})([smhd])?$/.exec(given) ?? []
  const seconds = Number(number) * (UNITS[unit] ?? 1)
  if (seconds >= 60 && seconds <= MAX_DEADLINE) return seconds
  throw DaemonError.CONFIG_INVALID(`--deadline ${given} is not allowed; it must be 60s to 30d, such as 10m or 2h.`)
}

function tokensFrom(given: string | null): number | null {
  if (given === null) return null
  const value = tokenLimit.parse(given)
  if (value !== undefined) return value
  throw DaemonError.CONFIG_INVALID(`--max-tokens ${given} is not allowed; it must be ${tokenLimit.allowed}.`)
}

async function ended(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of items) continue
}

/** What became of it, once the rest is back or after a while; null = it was not paid by an order. */
async function ending(ask: AskDesk, transaction: string): Promise<OrderEnd | null> {
  let last: OrderEnd | null = null
  for (let look = 0; look < LOOKS; look++) {
    for await (const item of ask({ op: 'ordered', transaction })) if ('ordered' in item) last = item.ordered
    if (last?.state === 'closed') return last
    await sleep(LOOK_MS)
  }
  return last
}

function summary({ swarmd }: ChatAnswer, end: OrderEnd | null): string {
  if (!end) return 'It was not paid by an order: the answer was free of charge.\n'
  const exact = swarmd?.['cost_lamports']
  const cost = end.cost === null ? ceilOf(typeof exact === 'string' ? exact : '0') : BigInt(end.cost)
  const rest = BigInt(end.maxCost) - cost
  const lines = [`order  ${end.order}`, `cost   ${both(cost)} of ${amount(`${end.maxCost}000000`)} at most`]
  if (end.returned === null) {
    const left = duration(end.until - Date.now())
    lines.push(`back   ${both(rest)} and the rent follow by themselves, in ${left} at the latest`)
  } else {
    lines.push(`back   ${both(rest)}, and the rent of ${both(BigInt(end.returned) - rest)}`)
  }
  lines.push(`fees   ${both(end.fees)}`)
  return `${lines.join('\n')}\n`
}

/** Of a decimal with up to six places. */
function ceilOf(decimal: string): bigint {
  const [whole = '0', fraction = ''] = decimal.split('.')
  return BigInt(whole) + (/[1-9]/.test(fraction) ? 1n : 0n)
}

const COLUMNS: readonly Column<OrderRow>[] = [
  { title: 'ORDER', cell: ({ order }) => order.slice(0, SHORT) },
  { title: 'THIS NODE', cell: ({ direction }) => (direction === 'out' ? 'pays' : 'answers') },
  { title: 'MODEL', shrinkTo: 8, cell: ({ model }) => model.slice(0, SHORT) },
  { title: 'AT MOST', align: 'right', cell: ({ maxCost }) => short(maxCost) },
  { title: 'COST', align: 'right', cell: ({ cost }) => (cost === null ? '-' : short(cost)) },
  { title: 'RENT', align: 'right', cell: ({ rent }) => short(rent) },
  { title: 'STATE', cell: ({ state, until }) => (state === 'claimed' ? state : `${state}, ${left(until)}`) },
]

function left(until: number): string {
  const ms = until - Date.now()
  return ms > 0 ? `ends in ${duration(ms)}` : 'over'
}

async function list({ io, json }: CommandCall, ask: AskDesk): Promise<number> {
  const rows: OrderRow[] = []
  for await (const item of ask({ op: 'orders' })) {
    if (!('order' in item)) continue
    if (json) io.json(item.order)
    else rows.push(item.order)
  }
  if (json) return EXIT.ok
  if (rows.length === 0) io.out('No order is out there.\n')
  else io.out(renderTable(COLUMNS, rows, io.width, (line) => io.paint('bold', line)))
  return EXIT.ok
}

async function refund({ io, json }: CommandCall, ask: AskDesk, given: string | null): Promise<number> {
  let count = 0
  for await (const item of ask({ op: 'refund', order: given })) {
    if (!('refund' in item)) continue
    count++
    const { order, did, returned, until, cost } = item.refund
    if (json) io.json(item.refund)
    else if (did === 'refunded') io.out(`${order.slice(0, SHORT)}  ${both(returned)} is back; it took ${both(cost)}.\n`)
    else io.out(`${order.slice(0, SHORT)}  not before its deadline, ${duration(until - Date.now())} from now.\n`)
  }
  if (count === 0 && !json) io.out('No order of this node is out there.\n')
  return EXIT.ok
}
