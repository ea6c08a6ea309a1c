/** `swarmd wallet`: what this node's wallet holds, how it is filled, and how coins leave it. */
import { randomBytes } from 'node:crypto'
import type { Command } from 'commander'
import type { DeskItem, TransactionView, WalletView, Withdrawal } from '../../daemon/chain/desk-items.js'
import { DaemonError } from '../../daemon/errors.js'
import { optionText, refuseUnknown } from '../command.js'
import type { CommandCall } from '../command.js'
import { isOpenEnded, payingSettings, withDesk } from '../desk-source.js'
import type { AskDesk } from '../desk-source.js'
import { EXIT } from '../exit-codes.js'
import { limitFrom } from '../history-options.js'
import { clock } from '../history-text.js'
import { both, grouped, lamportsFrom, sol } from '../money.js'
import { confirm } from '../prompt.js'
import { renderTable } from '../table.js'
import { plural } from '../words.js'

const ROWS = 20

export function define(command: Command): void {
  payingSettings(command.usage('[command]').argument('[command]')).addHelpText(
    'after',
    `
The wallet's key follows from the node's seed ("swarmd keys show"). It pays
deposits and fees, and what providers earn arrives in it. Through the running
node, or from the data folder when none runs.

Amounts: 0.5SOL, "0.5 SOL", 20000lamports; a whole number alone is lamports.

Examples:
  swarmd wallet                               what there is, and where
  swarmd wallet deposit                       the address to send SOL to
  swarmd wallet deposit --airdrop 1SOL        from a chain that gives coins away
  swarmd wallet withdraw 0.5SOL ADDRESS       asks before it sends
  swarmd wallet withdraw all ADDRESS --yes    everything but the fee
  swarmd wallet history --limit 50            transactions with their fees`,
  )
  command
    .command('deposit')
    .description('Show where to send SOL; on a test chain, get some.')
    .option('--airdrop <amount>', 'coins from the faucet of a chain whose coins are worth nothing')
  command
    .command('withdraw')
    .description('Send SOL from this wallet to an address.')
    .argument('<amount>', 'such as 0.5SOL, or all')
    .argument('<address>', 'who gets it')
    .option('-y, --yes', 'do not ask')
    .option('--id <name>', 'the same name is the same payment: repeat a command without paying twice')
    .option('--to-new', 'with --yes: the address holds nothing yet on this chain, and is right all the same')
    .option('--to-program', "the address is a program's vault, which no key signs for")
  command
    .command('history')
    .description('List transactions of this wallet with their fees, newest first.')
    .option('-n, --limit <n>', `at most so many, or all (default ${ROWS})`)
}

const ACTIONS = ['show', 'deposit', 'withdraw', 'history'] as const

export function run(call: CommandCall): Promise<number> {
  if (call.args[0] !== 'show') refuseUnknown(call, ACTIONS)
  return withDesk(call, (ask) => {
    switch (call.name) {
      case 'deposit':
        return deposit(call, ask)
      case 'withdraw':
        return withdraw(call, ask)
      case 'history':
        return history(call, ask)
      default:
        return show(call, ask)
    }
  })
}

async function show({ io, json }: CommandCall, ask: AskDesk): Promise<number> {
  for await (const item of ask({ op: 'wallet' })) {
    if (!('wallet' in item)) continue
    if (json) io.json(item.wallet)
    else {
      const { address, nodes, chain } = item.wallet
      io.out(`${io.paint('bold', 'Wallet')}  ${address}\n${io.paint('bold', 'Chain')}   ${nodes}, genesis ${chain}\n\n`)
      io.out(renderTable(COLUMNS, rowsOf(item.wallet), io.width, (line) => io.paint('bold', line)))
      if (item.wallet.balance === '0') io.out('\nIt is empty: "swarmd wallet deposit" says how to fill it.\n')
    }
  }
  return EXIT.ok
}

interface Line {
  readonly what: string
  readonly lamports: string
}

const COLUMNS = [
  { title: '', cell: ({ what }: Line) => what },
  { title: 'SOL', align: 'right' as const, cell: ({ lamports }: Line) => sol(lamports) },
  { title: 'LAMPORTS', align: 'right' as const, cell: ({ lamports }: Line) => grouped(lamports) },
]

function rowsOf({
  balance,
  deposits,
  promised,
  orders,
  rent,
  owed,
  channelsOut,
  channelsIn,
}: WalletView): readonly Line[] {
  return [
    { what: 'Balance', lamports: balance },
    ...(channelsOut === 0 ? [] : [{ what: `In deposits of ${plural(channelsOut, 'channel')}`, lamports: deposits }]),
    ...(promised === '0' ? [] : [{ what: '  of it promised to providers', lamports: promised }]),
    ...(orders === '0' ? [] : [{ what: 'Locked for orders', lamports: orders }]),
    { what: 'Rent, comes back on closing', lamports: rent },
    ...(channelsIn === 0
      ? []
      : [{ what: `Owed to this node on ${plural(channelsIn, 'channel')}, before fees`, lamports: owed }]),
  ]
}

async function deposit(call: CommandCall, ask: AskDesk): Promise<number> {
  const { io, json } = call
  const wanted = optionText(call, 'airdrop')
  const airdrop = wanted === null ? null : lamportsFrom('--airdrop', wanted)
  for await (const item of ask({ op: 'deposit', airdrop })) {
    if (!('deposit' in item)) continue
    const { address, balance, nodes, airdrop: given } = item.deposit
    if (json) io.json(item.deposit)
    else if (given) io.out(`Got ${both(given.amount)}; the wallet ${address} holds ${both(balance ?? '0')} now.\n`)
    else {
      io.out(`Send SOL to  ${io.paint('green', address)}\n`)
      io.out(balance === null ? `The chain (${nodes}) cannot be asked now.\n` : `It holds     ${both(balance)}\n`)
      io.out(io.paint('dim', 'On a chain of play money (swarmd chain, devnet): --airdrop 1SOL\n'))
    }
  }
  return EXIT.ok
}

async function withdraw(call: CommandCall, ask: AskDesk): Promise<number> {
  const { io, json } = call
  const [given = '', to = ''] = call.args
  const amount = given === 'all' ? null : lamportsFrom('The amount', given)
  const id = optionText(call, 'id') ?? randomBytes(8).toString('hex')
  const { toProgram, toNew, yes } = call.options
  const request = { op: 'withdraw', to, amount, id, toProgram: toProgram === true } as const
  if (yes !== true) {
    if (!io.stdin.isTTY || json)
      throw DaemonError.CONFIG_INVALID('withdraw asks first; without a terminal it needs --yes.')
    for await (const item of ask({ ...request, dry: true, toNew: true }))
      if ('plan' in item) io.err(planText(item.plan))
    if (!(await confirm(io, 'Send it? What is sent cannot be called back.'))) throw DaemonError.CANCELLED()
  }
  try {
    for await (const item of ask({ ...request, dry: false, toNew: yes !== true || toNew === true })) sent(call, item)
    return EXIT.ok
  } catch (error) {
    // Whatever was cut off here goes on, or can: under its id it is one payment.
    if (isOpenEnded(error) && !json)
      io.err(
        `Whether it was sent is not known. This finishes it and never sends it twice:\n  swarmd wallet withdraw ${given} ${to} --id ${id}\n`,
      )
    throw error
  }
}

function planText({ amount, to, fee, left, unused, deposits }: Withdrawal): string {
  const rows: readonly (readonly [string, string])[] = [
    ['Send', both(amount)],
    ['to', `${to}${unused ? '  (holds nothing yet on this chain: check it twice)' : ''}`],
    ['fee', both(fee)],
    ['left here', both(left)],
    ...(deposits === '0' ? [] : [['besides', `${both(deposits)} in deposits of channels`] as const]),
  ]
  return rows.map(([name, text]) => `${name.padEnd(10)} ${text}\n`).join('')
}

function sent({ io, json }: CommandCall, item: DeskItem): void {
  if (!('sent' in item)) return
  const { amount, to, fee, signature, before, phase } = item.sent
  if (json) io.json(item.sent)
  else {
    const when = before ? ' (it was sent before under this id; nothing was sent again)' : ''
    io.out(`Sent ${both(amount)} to ${to}${when}.\n  fee        ${both(fee)}\n  signature  ${signature}, ${phase}\n`)
  }
}

async function history(call: CommandCall, ask: AskDesk): Promise<number> {
  const { io, json } = call
  const limit = limitFrom(call, ROWS) ?? Number.MAX_SAFE_INTEGER
  const rows: TransactionView[] = []
  for await (const item of ask({ op: 'transactions', limit })) {
    if ('note' in item) io.err(`! ${item.note}\n`)
    if (!('transaction' in item)) continue
    if (json) io.json(item.transaction)
    else rows.push(item.transaction)
  }
  if (json) return EXIT.ok
  if (rows.length === 0) io.out('No transaction yet.\n')
  else io.out(renderTable(TRANSACTIONS, rows, io.width, (line) => io.paint('bold', line)))
  return EXIT.ok
}

const TRANSACTIONS = [
  { title: 'TIME', cell: ({ time }: TransactionView) => (time === null ? '-' : clock(time)) },
  { title: 'WHAT', cell: ({ what }: TransactionView) => WORDS[what] ?? what },
  {
    title: 'CHANGE (SOL)',
    align: 'right' as const,
    cell: ({ change }: TransactionView) =>
      change === null ? '?' : `${change.startsWith('-') ? '' : '+'}${sol(change)}`,
  },
  {
    title: 'FEE (LAMPORTS)',
    align: 'right' as const,
    cell: ({ fee }: TransactionView) => (fee === '0' ? '-' : grouped(fee)),
  },
  { title: 'STATE', cell: ({ state }: TransactionView) => state },
  { title: 'SIGNATURE', shrinkTo: 10, cell: ({ signature }: TransactionView) => signature },
]

const WORDS: Readonly<Record<string, string>> = {
  open: 'channel opened',
  'top-up': 'channel topped up',
  settle: 'settled',
  'request-close': 'close requested',
  finish: 'channel ended',
  register: 'registered',
  offer: 'offer',
  'close-offer': 'offer closed',
  transfer: 'withdrawn',
  'order-open': 'order published',
  'order-lock': 'order taken',
  'order-claim': 'order paid',
  'order-refund': 'order refunded',
}
