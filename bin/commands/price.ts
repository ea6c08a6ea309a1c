/** `swarmd price`: what this node asks for its models, what others ask, and how to set it. */
import { basename } from 'node:path'
import type { Command } from 'commander'
import { unsigned64 } from '../../daemon/config-kinds.js'
import { settleSource } from '../../daemon/config-models.js'
import { pricesOf } from '../../daemon/config-options.js'
import { priceLines, writePrices } from '../../daemon/config-prices.js'
import type { PriceChange, PricePlace } from '../../daemon/config-prices.js'
import type { LoadedConfig } from '../../daemon/config.js'
import type { PriceView } from '../../daemon/control/snapshot.js'
import { codeOf, DaemonError } from '../../daemon/errors.js'
import { tilde } from '../../daemon/paths.js'
import { optionText } from '../command.js'
import type { CommandCall } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { lamportsFrom, perMillion } from '../money.js'
import { askedFor, PROMPT_TOKENS, OUTPUT_TOKENS, told, typical } from '../price-offers.js'
import { connectRunning, loadSettings } from '../running.js'
import { renderTable } from '../table.js'

const whole = unsigned64('lamports per million tokens')

export function define(command: Command): void {
  command
    .usage('[model | set]')
    .argument('[model]', 'what the swarm asks for this model now')
    .addHelpText(
      'after',
      `
Prices are lamports per million tokens; 0 is free. INPUT is the prompt, CACHED
the part of it that a provider still had, OUTPUT the answer. TYPICAL is what
${PROMPT_TOKENS} tokens of prompt and ${OUTPUT_TOKENS} of answer cost.

"price set" changes the [[models]] table of the config file ("default": the
[prices] section) and nothing else in it. A node takes it at its next start.

Examples:
  swarmd price                              what this node asks
  swarmd price qwen3-8b                     lowest, median, highest in the swarm
  swarmd price set qwen3-8b --input 20000 --output 60000
  swarmd price set default --output 0.00006SOL`,
    )
  command
    .command('set')
    .description('Set the prices of a model in the config file.')
    .argument('<model>', 'its name or source in the config file, or default')
    .option('--input <price>', 'lamports per million tokens, or such as 0.00002SOL')
    .option('--cached <price>', 'likewise')
    .option('--output <price>', 'likewise')
}

export function run(call: CommandCall): Promise<number> {
  const [model] = call.args
  if (call.name === 'set') return set(call, model ?? '')
  return model === undefined ? show(call) : offers(call, model)
}

interface Row {
  readonly model: string
  readonly price: PriceView
}

async function show(call: CommandCall): Promise<number> {
  const { io, json } = call
  const loaded = await loadSettings(call)
  const rows = (await running(call, loaded)) ?? configured(loaded)
  if (json) {
    for (const { model, price } of rows) io.json({ model, price, typical: String(typical(price)) })
    return EXIT.ok
  }
  if (rows.length === 0) io.out('This node serves no model, so it asks no price.\n')
  else io.out(renderTable(COLUMNS, rows, io.width, (line) => io.paint('bold', line)))
  return EXIT.ok
}

const COLUMNS = [
  { title: 'MODEL', shrinkTo: 12, cell: ({ model }: Row) => model },
  { title: 'INPUT / 1M', align: 'right' as const, cell: ({ price }: Row) => perMillion(price.input) },
  { title: 'CACHED / 1M', align: 'right' as const, cell: ({ price }: Row) => perMillion(price.cached) },
  { title: 'OUTPUT / 1M', align: 'right' as const, cell: ({ price }: Row) => perMillion(price.output) },
  { title: 'TYPICAL', align: 'right' as const, cell: ({ price }: Row) => told(price) },
]

/** As they are announced; null: no node runs. */
async function running(call: CommandCall, loaded: LoadedConfig): Promise<readonly Row[] | null> {
  try {
    const client = await connectRunning(call, loaded)
    try {
      const { served } = await client.snapshot()
      return served.map(({ name, source, prices }) => ({ model: name ?? source, price: prices }))
    } finally {
      client.close()
    }
  } catch (error) {
    if (codeOf(error) === 'NOT_RUNNING') return null
    throw error
  }
}

function configured({ models, config }: LoadedConfig): readonly Row[] {
  return models.map(({ name, source, priceIn, priceCached, priceOut }) => {
    const { input, cached, output } = pricesOf(
      priceIn ?? config.priceIn,
      priceCached ?? config.priceCached,
      priceOut ?? config.priceOut,
    )
    return {
      model: name ?? source,
      price: { input: String(input), cached: String(cached), output: String(output) },
    }
  })
}

async function offers(call: CommandCall, model: string): Promise<number> {
  const client = await connectRunning(call, await loadSettings(call))
  try {
    const question = { model, maxPrice: { input: null, output: null }, sort: null } as const
    const view = await client.explain({ ...question, promptTokens: PROMPT_TOKENS, outputTokens: OUTPUT_TOKENS })
    askedFor(call, view)
  } finally {
    client.close()
  }
  return EXIT.ok
}

async function set(call: CommandCall, model: string): Promise<number> {
  const { io, json } = call
  const change = changeFrom(call)
  if (Object.keys(change).length === 0)
    throw DaemonError.CONFIG_INVALID('Which price? Give --input, --cached or --output.')
  const loaded = await loadSettings(call)
  const { path } = loaded.file
  const place = await placeOf(call, loaded, model, change)
  await writePrices(path, place, change)
  if (json) io.json({ path, model, ...Object.fromEntries(Object.entries(change).map(([k, v]) => [k, String(v)])) })
  else {
    io.out(`${tilde(path)}, ${place === 'default' ? '[prices]' : model}:\n`)
    for (const line of priceLines(place, change)) io.out(`  ${line}\n`)
    const runs = (await running(call, loaded)) !== null
    if (runs) io.out('The running node goes on with its old prices until it starts again.\n')
  }
  return EXIT.ok
}

function changeFrom(call: CommandCall): PriceChange {
  const read = (name: 'input' | 'cached' | 'output'): PriceChange => {
    const given = optionText(call, name)
    if (given === null) return {}
    return { [name]: whole.parse(given) ?? lamportsFrom(`--${name}`, given) }
  }
  return { ...read('input'), ...read('cached'), ...read('output') }
}

/** Which table is meant. Throws `CONFIG_INVALID` with what to write when there is none. */
async function placeOf(
  call: CommandCall,
  loaded: LoadedConfig,
  given: string,
  change: PriceChange,
): Promise<PricePlace> {
  const { models, file } = loaded
  if (given === 'default') return 'default'
  const served = await servedSource(call, loaded, given)
  const source = settleSource(given, call.io.cwd)
  const found = models.flatMap(({ name, source: own }, index) =>
    name === given || own === source || own === served || basename(own) === given || basename(own, '.gguf') === given
      ? [index]
      : [],
  )
  const [first] = found
  if (first !== undefined && found.length === 1) return { model: first }
  if (found.length > 1)
    throw DaemonError.CONFIG_INVALID(`Several [[models]] of ${file.path} are called ${given}: give the source.`)
  const known = models.map(({ name, source: own }) => name ?? own)
  throw DaemonError.CONFIG_INVALID(
    `${tilde(file.path)} has no model "${given}"${known.length > 0 ? ` (it has ${known.join(', ')})` : ''}. Put this there:\n\n  [[models]]\n  source = "${served ?? given}"\n  ${priceLines({ model: 0 }, change).join('\n  ')}\n`,
  )
}

/** Of a model that the running node serves under this name. */
async function servedSource(call: CommandCall, loaded: LoadedConfig, given: string): Promise<string | null> {
  try {
    const client = await connectRunning(call, loaded)
    try {
      return (await client.snapshot()).served.find(({ name }) => name === given)?.source ?? null
    } finally {
      client.close()
    }
  } catch (error) {
    if (codeOf(error) === 'NOT_RUNNING') return null
    throw error
  }
}
