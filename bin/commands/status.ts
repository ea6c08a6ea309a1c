/** `swarmd status`: one look at the running daemon. */
import type { Command } from 'commander'
import type {
  LedgerView,
  MoneyView,
  NodeSnapshot,
  RequestCounts,
  ServedModelView,
} from '../../daemon/control/snapshot.js'
import { tilde } from '../../daemon/paths.js'
import type { CommandCall } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { short } from '../money.js'
import { runningSnapshot } from '../running.js'
import { amount, duration, plural, priceWords } from '../words.js'

export function define(command: Command): void {
  command.addHelpText(
    'after',
    `
Exit code 3 when no daemon runs on the data folder. --json prints the whole
snapshot as one document.

Examples:
  swarmd status
  swarmd status --data /tmp/b
  swarmd status --json`,
  )
}

export async function run(call: CommandCall): Promise<number> {
  const { io, json } = call
  const snapshot = await runningSnapshot(call)
  if (json) io.json(snapshot)
  else io.out(describe(call, snapshot))
  return EXIT.ok
}

function describe(call: CommandCall, snapshot: NodeSnapshot): string {
  const { io } = call
  const { api, network } = snapshot
  const rows: (readonly [string, string])[] = [
    [
      'swarmd',
      `${snapshot.version}, ${snapshot.state}, pid ${snapshot.pid}, up ${duration(Date.now() - snapshot.started)}`,
    ],
    ['data', tilde(snapshot.dataDir)],
    [
      'API',
      api === null
        ? 'none'
        : `${api.url}/v1${api.keyed ? ' (with key)' : ''}${api.state === 'closed' ? ' (closed)' : ''}`,
    ],
    ['network', networkWords(network)],
    ['node key', snapshot.nodeKey === '' ? '-' : snapshot.nodeKey],
    [
      'models',
      `${plural(snapshot.models.length, 'model')} can be asked, ${plural(snapshot.peers.length, 'peer')} connected`,
    ],
    ['asked', counts(snapshot.requests)],
    ['answered', counts(snapshot.provided)],
    ['ledger', ledgerWords(snapshot.ledger)],
    ...moneyRows(snapshot.ledger.money),
  ]
  const lines = rows.map(([name, text]) => `${io.paint('bold', name.padEnd(9))} ${text}\n`)
  for (const model of snapshot.served) lines.push(`${io.paint('bold', 'serves'.padEnd(9))} ${servedWords(model)}\n`)
  for (const warning of snapshot.warnings) lines.push(io.paint('yellow', `! ${warning}\n`))
  return lines.join('')
}

const NAT: Readonly<Record<NodeSnapshot['network']['nat'], string | null>> = {
  open: 'open to all',
  consistent: 'behind a NAT that lets peers through',
  random: 'behind a NAT that lets few peers through',
  unknown: null,
}

function networkWords(network: NodeSnapshot['network']): string {
  const doors = [
    network.invited ? 'by invite' : null,
    network.allowed === null ? null : `${plural(network.allowed, 'key')} allowed`,
    network.address === null ? null : `at ${network.address}`,
    NAT[network.nat],
    network.bootstrap === null ? null : `bootstrap ${network.bootstrap.join(', ')}`,
  ].filter((word) => word !== null)
  return [`${network.name} (${network.state})`, ...doors].join(', ')
}

function servedWords(model: ServedModelView): string {
  const progress = model.progressMilli === null ? '' : ` ${Math.floor(model.progressMilli / 10)} %`
  const state = model.error === null ? `${model.state}${progress}` : `failed: ${model.error}`
  const load = `${model.active} of ${plural(model.slots, 'slot')} busy, ${model.queued} queued`
  return [model.name ?? model.source, state, ...(model.state === 'ready' ? [load, priceWords(model.prices)] : [])].join(
    ', ',
  )
}

function ledgerWords({ state, transactions }: LedgerView): string {
  return state === 'open' ? plural(transactions, 'transaction') : state
}

/** Nothing at all where nothing is paid. */
function moneyRows(money: MoneyView | null): (readonly [string, string])[] {
  if (money === null) return []
  const lamports = (sum: string): string => (sum === '0' ? 'nothing' : amount(sum))
  const today: readonly [string, string] = [
    'today',
    `${lamports(money.earnedToday)} earned, ${lamports(money.spentToday)} spent`,
  ]
  const channels = money.channels.map(
    ({ channel, address, direction, deposit, paid, accrued }): readonly [string, string] => [
      'channel',
      `${(address ?? channel).slice(0, 12)} ${direction === 'out' ? 'to a provider' : 'from a payer'}, ` +
        `${lamports(accrued)} used, vouchers for ${short(paid)} of ${short(deposit)}`,
    ],
  )
  return [today, ...channels]
}

function counts(count: RequestCounts): string {
  const tokens = `${count.promptTokens} tokens in, ${count.outputTokens} out`
  return `${plural(count.total, 'request')} (${count.active} active, ${count.failed} failed, ${count.cancelled} cancelled), ${tokens}`
}
