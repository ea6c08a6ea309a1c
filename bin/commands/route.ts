/** `swarmd route explain`: the choice of a provider, as the running node would make it now. */
import { Option } from 'commander'
import type { Command } from 'commander'
import { integer } from '../../daemon/config-kinds.js'
import { SORTS } from '../../daemon/control/route.js'
import type { CandidateView, RouteQuestion, RouteView } from '../../daemon/control/route.js'
import { DaemonError } from '../../daemon/errors.js'
import { optionText } from '../command.js'
import type { CommandCall } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { connectRunning, loadSettings } from '../running.js'
import { standingColumns } from '../standing.js'
import { renderTable } from '../table.js'
import type { Column } from '../table.js'
import { priceWords } from '../words.js'

const tokens = integer(0, 1_048_576)

export function define(command: Command): void {
  command
    .argument('<action>', 'explain')
    .addOption(new Option('--model <model>', 'a name, an alias or a root; the most trusted model when not given'))
    .addOption(
      new Option(
        '--max-price <lamports>',
        'ceiling per million tokens, for prompt and answer alike or as PROMPT/ANSWER',
      ),
    )
    .addOption(new Option('--sort <by>', 'by price, latency or throughput instead of the score').choices(SORTS))
    .addOption(new Option('--prompt-tokens <n>', 'length of the prompt').default('100'))
    .addOption(new Option('--output-tokens <n>', 'length of the answer').default('256'))
    .addHelpText(
      'after',
      `
SCORE is the time expected until the answer is complete (WAIT + FIRST token +
DECODE), made worse by unreliability (RELIABLE, 0 to 1, from this node's own
requests) and by price. Of the best, two are drawn and the better one is taken,
so another call may name another provider. A cached prompt counts in real
requests and cannot be seen here.

Examples:
  swarmd route explain
  swarmd route explain --model qwen3-8b --max-price 20000/60000
  swarmd route explain --sort price --json`,
    )
}

export async function run(call: CommandCall): Promise<number> {
  const { io, json } = call
  const [action] = call.args
  if (action !== 'explain')
    throw DaemonError.CONFIG_INVALID(`There is no "swarmd route ${action ?? ''}"; it must be explain.`)
  const question = questionOf(call)
  const client = await connectRunning(call, await loadSettings(call))
  let view: RouteView
  try {
    view = await client.explain(question)
  } finally {
    client.close()
  }
  if (json) io.json(view)
  else tell(call, view)
  return EXIT.ok
}

function tell({ io }: CommandCall, view: RouteView): void {
  const { model, chosen, candidates, excluded, retryAfterMs } = view
  const wait = retryAfterMs === null ? '' : ` Somebody is free again in ${Math.ceil(retryAfterMs / 1000)} s.`
  if (chosen === 'local') io.out(`${model}: computed here, because this node serves it.\n`)
  else if (chosen === null) io.out(`${model}: nobody can be asked now.${wait}\n`)
  else io.out(`${model}: asks ${io.paint('green', chosen)}.\n`)
  const heading = (line: string): string => io.paint('bold', line)
  if (candidates.length > 0)
    io.out(
      `\n${renderTable([...CANDIDATES, ...standingColumns(Date.now(), candidates)], candidates, io.width, heading)}`,
    )
  if (excluded.length > 0) io.out(`\n${renderTable(EXCLUDED, excluded, io.width, heading)}`)
}

const ms = (value: number): string => `${Math.round(value)} ms`

const CANDIDATES: readonly Column<CandidateView>[] = [
  { title: 'PROVIDER', shrinkTo: 12, cell: ({ provider }) => provider },
  { title: 'SCORE', align: 'right', cell: ({ scoreMs }) => ms(scoreMs) },
  { title: 'WAIT', align: 'right', cell: ({ waitMs }) => ms(waitMs) },
  { title: 'FIRST', align: 'right', cell: ({ ttftMs }) => ms(ttftMs) },
  { title: 'DECODE', align: 'right', cell: ({ decodeMs }) => ms(decodeMs) },
  { title: 'RELIABLE', align: 'right', cell: ({ reliability }) => reliability.toFixed(2) },
  { title: 'PRICE', cell: ({ price }) => priceWords(price) },
]

const EXCLUDED: readonly Column<RouteView['excluded'][number]>[] = [
  { title: 'NOT ASKED', shrinkTo: 12, cell: ({ provider }) => provider },
  { title: 'BECAUSE', cell: ({ reason }) => reason.toLowerCase().replaceAll('_', ' ') },
  { title: 'PRICE', cell: ({ price }) => priceWords(price) },
]

function questionOf(call: CommandCall): RouteQuestion {
  const sort = optionText(call, 'sort')
  return {
    model: optionText(call, 'model'),
    maxPrice: ceilings(optionText(call, 'maxPrice')),
    sort: SORTS.find((one) => one === sort) ?? null,
    promptTokens: count(call, 'promptTokens', '--prompt-tokens'),
    outputTokens: count(call, 'outputTokens', '--output-tokens'),
  }
}

function ceilings(given: string | null): RouteQuestion['maxPrice'] {
  if (given === null) return { input: null, output: null }
  const match = /^(\d{1,20})(?:\/(\d{1,20}))?$/.exec(given)
  const input = match?.[1]
  if (input !== undefined) return { input, output: match?.[2] ?? input }
  throw DaemonError.CONFIG_INVALID(
    `--max-price ${given} is not allowed; it must be lamports per million tokens, one number or PROMPT/ANSWER.`,
  )
}

function count(call: CommandCall, name: string, flag: string): number {
  const given = optionText(call, name) ?? ''
  const value = tokens.parse(given)
  if (value !== undefined) return value
  throw DaemonError.CONFIG_INVALID(`${flag} ${given} is not allowed; it must be ${tokens.allowed}.`)
}
