/** `swarmd settle`: collects now what payers have promised, as far as it is worth its fee. */
import type { Command } from 'commander'
import type { Settlement } from '../../daemon/chain/desk-items.js'
import { DaemonError } from '../../daemon/errors.js'
import type { CommandCall } from '../command.js'
import { payingSettings, withDesk } from '../desk-source.js'
import { EXIT } from '../exit-codes.js'
import { both } from '../money.js'
import { plural } from '../words.js'

export function define(command: Command): void {
  payingSettings(
    command
      .argument('[channel]', 'only this one: the first characters of its address')
      .option('--all', 'every channel (as without an argument)'),
  ).addHelpText(
    'after',
    `
A provider settles by itself when that costs at most a hundredth of what comes
in, before deadlines and when it ends. This does it now, for everything that is
worth more than its fee: 5,000 lamports for a transaction and as much for each
channel in it.

Examples:
  swarmd settle
  swarmd settle 7Hq2
  swarmd settle --json`,
  )
}

export function run(call: CommandCall): Promise<number> {
  const { io, json, args } = call
  const channel = args[0] ?? null
  if (channel !== null && call.options['all'] === true)
    throw DaemonError.CONFIG_INVALID('settle takes a channel or --all, not both.')
  return withDesk(call, async (ask) => {
    for await (const item of ask({ op: 'settle', channel })) {
      if (!('settled' in item)) continue
      if (json) io.json(item.settled)
      else io.out(words(item.settled))
    }
    return EXIT.ok
  })
}

function words({ channels, amount, fee, received, cost, signatures, notWorth, leftThere }: Settlement): string {
  const left =
    notWorth === 0
      ? ''
      : `${plural(notWorth, 'channel')} ${notWorth === 1 ? 'holds' : 'hold'} ${both(leftThere)}: less than claiming it would cost, so that waits.\n`
  if (channels === 0) return left === '' ? 'Nothing to settle: everything promised has been collected.\n' : left
  const rows: readonly (readonly [string, string])[] = [
    ['Settled', `${both(amount)} on ${plural(channels, 'channel')}`],
    ['  fee', `${both(fee)} to swarmd's program`],
    ['  came in', both(received)],
    ['Cost', `${both(cost)} of the chain's fees, ${plural(signatures.length, 'transaction')}`],
  ]
  return `${rows.map(([name, text]) => `${name.padEnd(10)} ${text}\n`).join('')}${left}`
}
