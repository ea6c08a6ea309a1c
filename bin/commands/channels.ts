/** `swarmd channels`: the channels that this node pays on and is paid on, and what their owner does with them. */
import { randomBytes } from 'node:crypto'
import type { Command } from 'commander'
import type { ChannelRow, Closing } from '../../daemon/chain/desk-items.js'
import { DaemonError } from '../../daemon/errors.js'
import { optionText, refuseUnknown } from '../command.js'
import type { CommandCall } from '../command.js'
import { isOpenEnded, payingSettings, withDesk } from '../desk-source.js'
import type { AskDesk } from '../desk-source.js'
import { EXIT } from '../exit-codes.js'
import { FileOutput } from '../file-output.js'
import { clock } from '../history-text.js'
import { both, lamportsFrom, short, trimmed } from '../money.js'
import { renderTable } from '../table.js'
import type { Column } from '../table.js'
import { duration, plural } from '../words.js'

const SHORT = 12
/** Characters of the other side's key. */
const WHO = 10

export function define(command: Command): void {
  payingSettings(command.usage('[command]').argument('[command]')).addHelpText(
    'after',
    `
A channel holds a payer's deposit for one provider: "to" a provider that this
node pays, or "from" a payer that pays this node. PAID is what the payer's
newest voucher promises, SETTLED what the provider has collected of it,
UNCLAIMED the rest of that. Amounts are in SOL (--json: lamports). A node opens,
settles and closes channels by itself; these commands do it now. Channels are
named by their first characters.

Closing: the provider has the grace of the channel to collect what it was
promised; the rest then comes back. On a channel that pays this node, close
settles and ends it at once.

Examples:
  swarmd channels
  swarmd channels close 7Hq2                   ask; again later: finish it
  swarmd channels close --all                  all that this node pays on
  swarmd channels top-up 7Hq2 0.05SOL          more for the same provider
  swarmd channels export --out vouchers.jsonl  for a watchtower (swarmd watch)`,
  )
  command.command('list').description('List channels, newest first.')
  command
    .command('close')
    .description('Ask to close a channel, or take the next step of its end.')
    .argument('[channel]', 'the first characters of its address')
    .option('--all', 'every channel that this node pays on')
  command
    .command('top-up')
    .description('Add to the deposit of a channel that this node pays on.')
    .argument('<channel>', 'the first characters of its address')
    .argument('<amount>', 'such as 0.05SOL')
    .option('--id <name>', 'the same name is the same payment: repeat a command without paying twice')
  command
    .command('export')
    .description('Write the vouchers that this node holds: they let a watchtower settle for it, and hold no secret.')
    .option('-o, --out <file>', 'instead of standard output; written aside and renamed when complete')
}

const ACTIONS = ['list', 'close', 'top-up', 'export'] as const

export function run(call: CommandCall): Promise<number> {
  refuseUnknown(call, ACTIONS)
  const given = call.args[0] ?? null
  if (call.name === 'close' && (given === null) === (call.options['all'] !== true))
    throw DaemonError.CONFIG_INVALID('close takes either a channel or --all. "swarmd channels" lists them.')
  return withDesk(call, (ask) => {
    switch (call.name) {
      case 'close':
        return close(call, ask, given)
      case 'top-up':
        return topUp(call, ask)
      case 'export':
        return exportTo(call, ask)
      default:
        return list(call, ask)
    }
  })
}

async function list({ io, json }: CommandCall, ask: AskDesk): Promise<number> {
  const rows: ChannelRow[] = []
  for await (const item of ask({ op: 'channels' })) {
    if (!('channel' in item)) continue
    if (json) io.json(item.channel)
    else rows.push(item.channel)
  }
  if (json) return EXIT.ok
  if (rows.length === 0) io.out('No channel yet: the first paid request opens one.\n')
  else io.out(renderTable(COLUMNS, rows, io.width, (line) => io.paint('bold', line)))
  return EXIT.ok
}

const COLUMNS: readonly Column<ChannelRow>[] = [
  { title: 'CHANNEL', cell: ({ channel }) => channel.slice(0, SHORT) },
  {
    title: 'WITH',
    cell: ({ direction, counterparty }) => `${direction === 'out' ? 'to' : 'from'} ${counterparty.slice(0, WHO)}`,
  },
  { title: 'DEPOSIT', align: 'right', cell: ({ deposit }) => trimmed(deposit) },
  { title: 'PAID', align: 'right', cell: ({ paid }) => trimmed(paid) },
  { title: 'SETTLED', align: 'right', cell: ({ settled, state }) => (state === 'credit' ? '-' : trimmed(settled)) },
  { title: 'UNCLAIMED', align: 'right', cell: ({ unclaimed }) => trimmed(unclaimed) },
  { title: 'STATE', cell: ({ state, closesAt }) => `${state}${closesAt === null ? '' : `, ${until(closesAt)}`}` },
]

function until(closesAt: number): string {
  const left = closesAt - Date.now()
  return left > 0 ? `ends in ${duration(left)}` : 'can be finished'
}

async function close(call: CommandCall, ask: AskDesk, channel: string | null): Promise<number> {
  const { io, json } = call
  let count = 0
  for await (const item of ask({ op: 'close', channel })) {
    if (!('closed' in item)) continue
    count++
    if (json) io.json(item.closed)
    else io.out(`${item.closed.channel.slice(0, SHORT)}  ${closingWords(item.closed)}\n`)
  }
  if (count === 0 && !json) io.out('This node pays on no channel.\n')
  return EXIT.ok
}

function closingWords({ did, closesAt, returned, cost, note }: Closing): string {
  const fee = cost === '0' ? '' : ` Fee ${short(cost)}.`
  const more = note === null ? '' : ` ${note}`
  const when = closesAt === null ? 'the end of its grace' : clock(closesAt)
  switch (did) {
    case 'asked':
      return `asked to close: its provider can collect until ${when}, and then the rest comes back.${fee}${more}`
    case 'waiting':
      return `closing already: what is left comes back after ${when}.${more}`
    case 'finished':
      return `ended: ${both(returned)} came back to its payer; the rent follows in a minute.${fee}${more}`
    case 'returned':
      return `ended: ${both(returned)} came back to its payer.${fee}${more}`
    case 'busy':
      return `is in use: an answer is being paid on it right now, so nothing was done. Try again in a moment.`
    case 'resting':
      return `ended; its rent comes back in a minute.${more}`
  }
}

async function topUp(call: CommandCall, ask: AskDesk): Promise<number> {
  const { io, json } = call
  const [channel = '', given = ''] = call.args
  const amount = lamportsFrom('The amount', given)
  const id = optionText(call, 'id') ?? randomBytes(8).toString('hex')
  try {
    for await (const item of ask({ op: 'top-up', channel, amount, id })) {
      if (!('toppedUp' in item)) continue
      const { deposit, cost, signature } = item.toppedUp
      if (json) io.json(item.toppedUp)
      else io.out(`Added ${both(amount)}: the deposit is ${both(deposit)} now. Fee ${short(cost)}.\n  ${signature}\n`)
    }
    return EXIT.ok
  } catch (error) {
    if (isOpenEnded(error) && !json)
      io.err(
        `Whether it was added is not known. This finishes it and never adds it twice:\n  swarmd channels top-up ${channel} ${given} --id ${id}\n`,
      )
    throw error
  }
}

async function exportTo(call: CommandCall, ask: AskDesk): Promise<number> {
  const { io, json } = call
  const out = optionText(call, 'out')
  const file = new FileOutput(io, out)
  let count = 0
  try {
    for await (const item of ask({ op: 'vouchers' })) {
      if (!('voucher' in item)) continue
      await file.write(`${JSON.stringify(item.voucher)}\n`)
      count++
    }
    await file.finish()
  } catch (error) {
    await file.discard()
    throw error
  }
  if (out !== null && json) io.json({ path: out, count })
  else if (out !== null) io.err(`${plural(count, 'voucher')} written to ${out}.\n`)
  return EXIT.ok
}
