/** `swarmd program deploy` and `configure`: swarmd's program on any Solana chain. */
import { Option } from 'commander'
import type { Command } from 'commander'
import { DaemonError } from '../../daemon/errors.js'
import { absolute } from '../../daemon/paths.js'
import { optionText } from '../command.js'
import type { CommandCall } from '../command.js'
import { EXIT } from '../exit-codes.js'

const PHASES = {
  buffer: 'Creating the buffer',
  write: 'Writing',
  deploy: 'Deploying',
  extend: 'Making room',
  upgrade: 'Upgrading',
  verify: 'Checking what lies there',
} as const
/** Plain lines come this often while it writes. */
const STEP_PERCENT = 25

export function define(command: Command): void {
  command
    .argument('<action>', 'deploy or configure')
    .addOption(new Option('--url <url>', 'RPC address of the chain').makeOptionMandatory())
    .addOption(
      new Option('--keypair <file>', 'pays, and may upgrade later; as solana-keygen writes it').makeOptionMandatory(),
    )
    .option('--program <file|address>', 'key file of a new program, or address of one to upgrade')
    .option('--image <file>', 'the code (default: the program that comes with swarmd)')
    .option('--treasury <address>', 'of configure: who gets the fees; it has to hold enough to be rent-exempt')
    .option('--genesis <hash>', 'refuse any other chain than the one with this genesis hash')
    .addHelpText(
      'after',
      `
Without --program its address follows from the key that pays: the same command
again finishes what was interrupted, upgrades what is older, and does nothing
where the code is there already. The rent of the buffer comes back with an
upgrade; that of the program stays in it. A new program has to be configured
once before it is used, by the same key.

Examples:
  swarmd program deploy --url http://127.0.0.1:8899 --keypair me.json
  swarmd program deploy --url https://api.devnet.solana.com --keypair me.json
  swarmd program deploy --url URL --keypair me.json --program ADDRESS
  swarmd program configure --url URL --keypair me.json --program ADDRESS \\
    --treasury ADDRESS`,
    )
}

export async function run(call: CommandCall): Promise<number> {
  const [action] = call.args
  if (action === 'deploy') return deploy(call)
  if (action === 'configure') return configure(call)
  throw DaemonError.CONFIG_INVALID(`There is no "swarmd program ${action ?? ''}"; it must be deploy or configure.`)
}

async function configure(call: CommandCall): Promise<number> {
  const { io, json } = call
  const [program, treasury] = [optionText(call, 'program'), optionText(call, 'treasury')]
  if (program === null || treasury === null)
    throw DaemonError.CONFIG_INVALID('configure needs --program ADDRESS and --treasury ADDRESS.')
  const { configureFromFiles } = await import('../../daemon/chain-program.js')
  const outcome = await configureFromFiles({
    url: optionText(call, 'url') ?? '',
    keypair: absolute(optionText(call, 'keypair') ?? '', io.cwd),
    program,
    treasury,
    genesisHash: optionText(call, 'genesis'),
  })
  if (json) io.json({ event: 'done', program, outcome })
  else io.out(outcome === 'unchanged' ? 'The program has its config already.\n' : 'The program is configured.\n')
  return EXIT.ok
}

async function deploy(call: CommandCall): Promise<number> {
  const { io, json } = call
  const file = (name: string): string | null => {
    const given = optionText(call, name)
    return given === null ? null : absolute(given, io.cwd)
  }
  const { deployFromFiles } = await import('../../daemon/chain-program.js')
  const program = optionText(call, 'program')
  let told = ''
  const { program: address, outcome } = await deployFromFiles({
    url: optionText(call, 'url') ?? '',
    keypair: file('keypair') ?? '',
    // A file by its path, an address as it is: an address has no dot and no slash.
    program: program !== null && /[./\\]/.test(program) ? file('program') : program,
    image: file('image'),
    genesisHash: optionText(call, 'genesis'),
    onProgress({ phase, done, total }) {
      const percent =
        phase === 'write' ? Math.floor((100 * done) / Math.max(1, total) / STEP_PERCENT) * STEP_PERCENT : null
      const line = `${PHASES[phase]}${percent === null ? '' : ` ${percent} % of ${total} bytes`}`
      if (line === told) return
      told = line
      if (json) io.json({ event: 'progress', phase, done, total })
      else io.out(`${line}\n`)
    },
  })
  if (json) io.json({ event: 'done', program: address, outcome })
  else if (outcome === 'unchanged') io.out(`The program ${io.paint('cyan', address)} has this code already.\n`)
  else io.out(`The program ${io.paint('cyan', address)} is ${outcome}.\n`)
  return EXIT.ok
}
