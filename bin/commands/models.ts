/** `swarmd models`: what can be asked now. */
import type { Command } from 'commander'
import type { ModelView } from '../../daemon/control/snapshot.js'
import type { CommandCall } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { runningSnapshot } from '../running.js'
import { renderTable } from '../table.js'
import type { Column } from '../table.js'
import { duration, priceWords, weights } from '../words.js'

const COLUMNS: readonly Column<ModelView>[] = [
  { title: 'MODEL', shrinkTo: 16, cell: (model) => model.id },
  { title: 'SIZE', align: 'right', cell: (model) => weights(model.parameters) },
  { title: 'CONTEXT', align: 'right', cell: (model) => String(model.contextLength) },
  { title: 'PRICE', cell: (model) => priceWords(model.price) },
  { title: 'AT', cell: where },
  { title: 'TOK/S', align: 'right', cell: (model) => model.tokensPerSecond?.toFixed(1) ?? '-' },
  { title: 'FIRST', align: 'right', cell: (model) => (model.ttftMs === null ? '-' : `${Math.round(model.ttftMs)} ms`) },
  { title: 'ALSO KNOWN AS', shrinkTo: 8, cell: (model) => model.aliases.join(', ') },
]

export function define(command: Command): void {
  command.addHelpText(
    'after',
    `
PRICE is input / output in lamports per million tokens; AT says who computes
(where a chain is used, "chain (2)": two providers that only the chain knows,
and that are looked for when the model is asked);
TOK/S and FIRST (time to first token) are what this node measured itself. --json
prints an array of the same, with the model root.

Examples:
  swarmd models
  swarmd models --json
Next: swarmd chat <model>.`,
  )
}

export async function run(call: CommandCall): Promise<number> {
  const { io, json } = call
  const { models, network, market } = await runningSnapshot(call)
  if (json) {
    io.json(models)
    return EXIT.ok
  }
  if (models.length === 0) {
    io.out(
      `No model can be asked yet (network ${network.name}: ${network.state}). Serve one yourself: swarmd serve model.gguf\n`,
    )
    return EXIT.ok
  }
  io.out(renderTable(COLUMNS, models, io.width, (line) => io.paint('bold', line)))
  const readAt = market?.readAt ?? null
  if (readAt !== null && models.some(({ onChainOnly = 0 }) => onChainOnly > 0))
    io.out(io.paint('dim', `\nThe chain's offers were read ${duration(Date.now() - readAt)} ago.\n`))
  for (const { id, notice } of models) if (notice !== null) io.out(io.paint('dim', `${id}: ${notice}\n`))
  return EXIT.ok
}

function where(model: ModelView): string {
  const others = model.local ? model.providers - 1 : model.providers
  const listed = model.onChainOnly ?? 0
  if (others === 0 && !model.local && listed > 0) return `chain (${listed})`
  if (!model.local) return others === 1 ? '1 peer' : `${others} peers`
  return others > 0 ? `here + ${others}` : 'here'
}
