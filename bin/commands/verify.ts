/** `swarmd verify FILE`: an exported transaction, checked with nothing but the file. */
import { readFileSync, statSync } from 'node:fs'
import type { Command } from 'commander'
import { codeOf, DaemonError } from '../../daemon/errors.js'
import { absolute } from '../../daemon/paths.js'
import type { CommandCall } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { checksText, conversationText, statementText } from '../history-text.js'

const MAX_BYTES = 48 * 1_048_576

export function define(command: Command): void {
  command
    .argument('<file>', 'as "swarmd history show ID --proof FILE" writes it')
    .option('--content', 'show the request and the answer too, if the file discloses them')
    .addHelpText(
      'after',
      `
Nothing is asked of anybody: no network, no data folder, no account. The exit
code is 0 when at least one side signed and nothing contradicts, else 1.

Examples:
  swarmd verify transaction.json
  swarmd verify transaction.json --content
  swarmd verify transaction.json --json`,
    )
}

export async function run(call: CommandCall): Promise<number> {
  const { io, json } = call
  const [file = ''] = call.args
  const { verifyFile } = await import('../../daemon/history/verify-file.js')
  const { detail, exchange, windows, proven, unproven } = verifyFile(read(absolute(file, io.cwd)))
  const content: unknown = exchange === null ? null : JSON.parse(exchange)
  if (json) {
    io.json({ ...detail, proven, unproven, exchange: content, windows })
    return detail.holds ? EXIT.ok : EXIT.failure
  }
  io.out(`${statementText(detail, io)}\n${checksText(detail, io)}`)
  io.out(listed('Proven', proven))
  io.out(listed('Not proven', unproven))
  if (call.options['content'] === true) {
    io.out(content === null ? '\nThe file shows no request and no answer.\n' : `\n${conversationText(content, io)}`)
  }
  return detail.holds ? EXIT.ok : EXIT.failure
}

function listed(title: string, sentences: readonly string[]): string {
  if (sentences.length === 0) return ''
  return `\n${title}:\n${sentences.map((sentence) => `  - ${sentence}\n`).join('')}`
}

function read(path: string): string {
  try {
    if (statSync(path).size > MAX_BYTES) throw DaemonError.CONFIG_INVALID(`${path} is larger than any export.`)
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof DaemonError) throw error
    throw DaemonError.CONFIG_INVALID(`${path} cannot be read (${codeOf(error) ?? 'unknown reason'}).`)
  }
}
