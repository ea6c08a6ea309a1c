/** `swarmd history`: what this node asked and answered, signed by both sides, and what its owner does with it. */
import { Option } from 'commander'
import type { Command } from 'commander'
import { refuseUnknown } from '../command.js'
import type { CommandCall } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { exportTo, list, ROWS, search, show } from '../history-reading.js'
import { forget, prune, restore, verify } from '../history-keeping.js'
import { withHistory } from '../history-source.js'
import type { AskHistory } from '../history-source.js'

export function define(command: Command): void {
  selecting(limited(command.usage('[command]').argument('[command]'), 'rows', String(ROWS)))
  command.addHelpText(
    'after',
    `
The history is yours: it lies in the data folder, only you and the other side
of each request can read its contents, and "keys show" words bring it back.
It is read through the running node, or from the folder when none runs.

Examples:
  swarmd history                                  the newest ${ROWS}
  swarmd history list --model qwen3-8b --since 7d
  swarmd history search "fjord" --limit 5
  swarmd history show 5f3a9c                      the first digits of an id are enough
  swarmd history export --out training.jsonl
  swarmd history export --format csv > bills.csv
  swarmd history forget 5f3a9c                    its content can never be read again
  swarmd history verify                           checks every signature there is`,
  )
  selecting(limited(command.command('list').description('List transactions, newest first.'), 'rows', String(ROWS)))
  selecting(
    limited(
      command.command('search').description('Search prompts and answers, newest first; Ctrl-C ends it.'),
      'hits',
      'all',
    ),
  ).argument('<words...>', 'what to look for; upper and lower case are the same')
  command
    .command('show')
    .description('Show one transaction: content, usage, cost, and what was verified and how.')
    .argument('<id>', 'the first digits of its id')
    .option('--proof <file>', 'write a file that anybody can check with "swarmd verify FILE"; - prints it')
    .option('--no-content', 'with --proof: without the content key, so the content stays secret')
    .option('--window <n>', 'a proof that shows parts of the output, 32 tokens each: 0, or 0,3, or all')
  selecting(
    limited(
      command.command('export').description('Write transactions to a file or standard output.'),
      'transactions',
      'all',
    ),
  )
    .addOption(
      new Option('--format <format>', 'jsonl: chats for fine-tuning; csv: a row each with exact amounts')
        .choices(['jsonl', 'csv'])
        .default('jsonl'),
    )
    .option('-o, --out <file>', 'instead of standard output; written aside and renamed when complete')
  command
    .command('prune')
    .description('Clear old contents; statements, signatures and keys stay.')
    .option('--older-than <age>', 'such as 30d')
    .option('--keep-bytes <size>', 'keep the newest contents up to this size, such as 1gb')
  command
    .command('forget')
    .description('Destroy the content key and the content of one transaction on this disk.')
    .argument('<id>', 'the first digits of its id')
    .option('-y, --yes', 'do not ask')
  command.command('verify').description('Check the whole log: signatures, hashes, Merkle tree, checkpoints and index.')
  command
    .command('restore')
    .description('Bring back what was lost: from the connected peers, or from a folder with a copy.')
    .option('--from <folder>', 'a copy or a backup of a ledger folder: brings the whole log back into an empty one')
    .option('--peer <key>', 'ask only peers whose key begins so')
    .option('-y, --yes', 'ask all connected peers without a question')
}

/** The options by which transactions are chosen. */
function selecting(command: Command): Command {
  return command
    .option('--model <model>', 'its name, or the first digits of its root')
    .option('--peer <key>', "the first digits of the other side's key")
    .addOption(new Option('--kind <kind>', 'only these').choices(['chat', 'completion', 'embedding']))
    .addOption(
      new Option('--role <role>', 'what this node was: the one that asked, or the one that answered').choices([
        'consumer',
        'provider',
      ]),
    )
    .option('--since <time>', 'a day (2026-11-20), a time (2026-11-20T18:30) or an age (7d)')
    .option('--until <time>', 'likewise')
}

function limited(command: Command, what: string, standard: string): Command {
  return command.option('-n, --limit <n>', `at most so many ${what}, or all (default ${standard})`)
}

const ACTIONS = ['list', 'search', 'show', 'export', 'prune', 'forget', 'verify', 'restore'] as const

export function run(call: CommandCall): Promise<number> {
  refuseUnknown(call, ACTIONS)
  return interruptible((signal) => withHistory(call, (ask) => dispatch(call, ask, signal)))
}

function dispatch(call: CommandCall, ask: AskHistory, signal: AbortSignal): Promise<number> {
  const [id = ''] = call.args
  switch (call.name) {
    case 'search':
      return search(call, ask, signal)
    case 'show':
      return show(call, ask, id, signal)
    case 'export':
      return exportTo(call, ask, signal)
    case 'prune':
      return prune(call, ask, signal)
    case 'forget':
      return forget(call, ask, id, signal)
    case 'verify':
      return verify(call, ask, signal)
    case 'restore':
      return restore(call, ask, signal)
    default:
      return list(call, ask, signal)
  }
}

/** Ctrl-C ends the work and then the command, with what was written so far. */
async function interruptible(work: (signal: AbortSignal) => Promise<number>): Promise<number> {
  const cancel = new AbortController()
  const onInterrupt = (): void => cancel.abort()
  process.once('SIGINT', onInterrupt)
  try {
    return await work(cancel.signal)
  } catch (error) {
    if (cancel.signal.aborted) return EXIT.interrupted
    throw error
  } finally {
    process.off('SIGINT', onInterrupt)
  }
}
