/** `swarmd chain`: a Solana chain of one's own, on this machine. */
import type { Command } from 'commander'
import { integer } from '../../daemon/config-kinds.js'
import { DaemonError } from '../../daemon/errors.js'
import { absolute, tilde } from '../../daemon/paths.js'
import { optionText } from '../command.js'
import type { CommandCall } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { loadSettings } from '../running.js'
import { listenForEnd } from '../signals.js'

/** That of Solana's own test validator, so that tools find it where they look. */
const DEFAULT_PORT = '8899'
const tcpPort = integer(0, 65534, 'any free port, printed')

export function define(command: Command): void {
  command
    .option('--folder <dir>', 'where the chain is kept (default: chain/ in the data folder)')
    .option('--ephemeral', 'keep it in memory only: every start is a new chain')
    .addHelpText(
      'after',
      `
It speaks Solana's JSON-RPC on 127.0.0.1 and nowhere else: its coins are worth
nothing, and everybody who reaches it gets as many as they like. swarmd's
program is on it. Ordinary tools work: give them the printed address. Websockets
are on the same port and, as web3.js expects, on the next one.

Examples:
  swarmd chain                       port ${DEFAULT_PORT}, kept in the data folder
  swarmd chain --port 0 --ephemeral  a throw-away chain on a free port
  curl -s http://127.0.0.1:8899 -H 'content-type: application/json' \\
    -d '{"jsonrpc":"2.0","id":1,"method":"getSlot"}'`,
    )
}

export async function run(call: CommandCall): Promise<number> {
  const { io, json, flags, options } = call
  const given = typeof flags.port === 'string' ? flags.port : DEFAULT_PORT
  const port = tcpPort.parse(given)
  if (port === undefined)
    throw DaemonError.CONFIG_INVALID(`--port ${given} is not allowed; it must be ${tcpPort.allowed}.`)
  const own = optionText(call, 'folder')
  if (own !== null && options['ephemeral'] === true)
    throw DaemonError.CONFIG_INVALID('--folder and --ephemeral exclude each other: say where, or nowhere.')
  const end = listenForEnd(io)
  try {
    const { chainFolder, startOwnChain } = await import('../../daemon/embedded-chain.js')
    const place = async (): Promise<string> =>
      own === null ? chainFolder((await loadSettings(call)).dataDir) : absolute(own, io.cwd)
    const folder = options['ephemeral'] === true ? null : await place()
    const chain = await startOwnChain({ folder, port, version: call.version })
    const { url, genesisHash, program, faucet } = chain
    if (json)
      io.json({ event: 'listening', url, genesisHash, program, faucet, folder, slot: chain.slot(), pid: process.pid })
    else
      io.out(
        `Solana chain at ${io.paint('cyan', url)}, slot ${chain.slot()}\n` +
          `  Kept in  ${folder === null ? 'memory, until Ctrl-C' : tilde(folder)}\n` +
          `  Genesis  ${genesisHash}\n` +
          `  Program  ${program}\n` +
          `  Coins    requestAirdrop, as many as you like: they are worth nothing\n` +
          `  Ctrl-C stops it.\n`,
      )
    await end.asked
    await chain.close()
    if (json) io.json({ event: 'stopped' })
    else io.out('The chain has stopped.\n')
    return EXIT.ok
  } finally {
    end.dispose()
  }
}
