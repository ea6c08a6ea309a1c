/**
 * argv → command. The catalogue below is all that a start has to know; a command's module is loaded only when its name is on
 * the command line, because the API has to answer within 300 ms of the start.
 */
import { Command, CommanderError } from 'commander'
import { codeOf, DaemonError } from '../daemon/errors.js'
import type { CommandModule } from './command.js'
import { EXIT, exitCodeOf } from './exit-codes.js'
import { addSettings, EVERYWHERE, settingsOf } from './flags.js'
import type { Io } from './io.js'

interface Entry {
  readonly summary: string
  readonly load: () => Promise<CommandModule>
}

const CATALOGUE: Readonly<Record<string, Entry>> = {
  up: {
    summary: 'join the swarm and serve the OpenAI-compatible API on localhost',
    load: () => import('./commands/up.js'),
  },
  serve: {
    summary: 'offer a model to the swarm (and everything `up` does)',
    load: () => import('./commands/serve.js'),
  },
  chat: {
    summary: 'talk to a model in the terminal, or ask it one question',
    load: () => import('./commands/chat.js'),
  },
  models: { summary: 'list the models that can be asked now', load: () => import('./commands/models.js') },
  peers: { summary: 'list the connected peers', load: () => import('./commands/peers.js') },
  route: { summary: 'explain which provider would be asked, and why', load: () => import('./commands/route.js') },
  status: { summary: 'show what the running daemon does', load: () => import('./commands/status.js') },
  doctor: { summary: 'check this machine and say what to do', load: () => import('./commands/doctor.js') },
  bootstrap: { summary: 'run a DHT bootstrap node for a private swarm', load: () => import('./commands/bootstrap.js') },
  chain: { summary: 'run a Solana chain of one’s own on this machine', load: () => import('./commands/chain.js') },
  program: { summary: 'put swarmd’s program on a Solana chain', load: () => import('./commands/program.js') },
  demo: {
    summary: 'see it work: a whole private swarm on this machine',
    load: () => import('./commands/demo.js'),
  },
  history: {
    summary: 'list, search, export and verify what was asked and answered',
    load: () => import('./commands/history.js'),
  },
  verify: {
    summary: 'check an exported transaction with nothing but its file',
    load: () => import('./commands/verify.js'),
  },
  keys: {
    summary: 'show, bring back or seal the seed behind all keys',
    load: () => import('./commands/keys.js'),
  },
  budget: { summary: 'show what may be spent, is spent and left', load: () => import('./commands/budget.js') },
  wallet: {
    summary: 'show, fill and empty the wallet that deposits and fees are paid from',
    load: () => import('./commands/wallet.js'),
  },
  earnings: {
    summary: 'show what was earned and spent, by day and by model',
    load: () => import('./commands/earnings.js'),
  },
  channels: {
    summary: 'list, close and top up the channels that answers are paid through',
    load: () => import('./commands/channels.js'),
  },
  order: {
    summary: 'publish one question with the money for it, and take orders back',
    load: () => import('./commands/order.js'),
  },
  settle: { summary: 'collect now what payers have promised', load: () => import('./commands/settle.js') },
  price: { summary: 'show and set prices, or see what others ask', load: () => import('./commands/price.js') },
  watch: {
    summary: 'watch over somebody else’s channels and settle them in time',
    load: () => import('./commands/watch.js'),
  },
  stop: { summary: 'stop the running daemon', load: () => import('./commands/stop.js') },
  config: { summary: 'show, create and query the configuration', load: () => import('./commands/config.js') },
}

const TEACHING = `
Start here:
  swarmd doctor                      check this machine first
  swarmd up                          join the swarm; then, in another terminal:
  swarmd models                      what can be asked
  swarmd chat                        talk to it
  export OPENAI_BASE_URL=http://127.0.0.1:8080/v1   and any OpenAI tool works

Share a model:
  swarmd serve ./model.gguf          a file, a URL, or hf:user/repo:quant

Settings: flag over environment (SWARMD_…) over config file over default; see
"swarmd config".
Exit codes: 0 ok, 1 failure, 2 wrong usage, 3 no daemon runs, 4 data folder in
use, 5 model cannot be served, 6 port taken, 7 passphrase, 130 interrupted.
"swarmd <command> --help" explains one command with examples.`

/** Resolves to the exit code; never throws. */
export async function runProgram(argv: readonly string[], io: Io, version: string): Promise<number> {
  const json = argv.includes('--json')
  let complaint = ''
  let exitCode: number = EXIT.ok
  const root = new Command('swarmd')
    .description('Language models on strangers’ machines, behind an OpenAI-compatible API on localhost.')
    .version(version, '-v, --version', 'print the version')
    .option('--config <file>', 'config file (SWARMD_CONFIG)')
    .option('--json', 'machine-readable output: one JSON document, or one a line')
    .helpOption('-h, --help', 'explain, with examples')
    .helpCommand('help [command]', 'explain a command')
    .configureHelp({ showGlobalOptions: true, helpWidth: Math.min(io.width || 100, 110) })
    .configureOutput({
      writeOut: (text) => io.out(text),
      writeErr: (text) => {
        complaint += text
      },
    })
    .exitOverride()
    .addHelpText('after', TEACHING)
  addSettings(root, EVERYWHERE)

  try {
    for (const [name, entry] of Object.entries(CATALOGUE)) {
      const command = root.command(name).summary(entry.summary).description(sentence(entry.summary))
      if (!argv.includes(name)) continue
      const module = await entry.load()
      module.define(command)
      const run = async (target: Command): Promise<void> => {
        const options = target.optsWithGlobals<Record<string, unknown>>()
        const configPath = typeof options['config'] === 'string' ? options['config'] : null
        exitCode = await module.run({
          io,
          version,
          name: target.name(),
          args: target.args,
          options,
          flags: settingsOf(options),
          configPath,
          json,
        })
      }
      for (const target of [command, ...command.commands]) target.action(() => run(target))
    }
    await root.parseAsync(argv, { from: 'user' })
    return exitCode
  } catch (error) {
    return tell(io, json, error, complaint)
  }
}

function tell(io: Io, json: boolean, error: unknown, complaint: string): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.ok
    // No command at all: the help is the answer.
    if (error.code === 'commander.help') {
      io.out(complaint)
      return EXIT.ok
    }
    const message = complaint.trim().replace(/^error: /, '') || error.message
    if (json) io.json({ error: { code: 'USAGE', message } })
    else io.err(`swarmd: ${message}\n`)
    return EXIT.usage
  }
  const code = codeOf(error)
  const message = error instanceof Error ? error.message : String(error)
  if (json) io.json({ error: { code: code ?? 'INTERNAL', message } })
  else if (code === null && !(error instanceof DaemonError))
    io.err(`swarmd: ${error instanceof Error ? (error.stack ?? message) : message}\n`)
  else io.err(`swarmd: ${message}\n`)
  return exitCodeOf(code)
}

function sentence(text: string): string {
  return `${text[0]?.toUpperCase() ?? ''}${text.slice(1)}.`
}
