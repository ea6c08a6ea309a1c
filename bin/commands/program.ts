/** `swarmd program deploy`: puts swarmd's program on a Solana chain, or upgrades it. */
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
    .argument('<action>', 'deploy')
    .addOption(new Option('--url <url>', 'RPC address of the chain').makeOptionMandatory())
    .addOption(
      new Option('--keypair <file>', 'pays, and may upgrade later; as solana-keygen writes it').makeOptionMandatory(),
    )
    .option('--program <file|address>', 'key file of a new program, or address of one to upgrade')
    .option('--image <file>', 'the code (default: the program that comes with swarmd)')
    .option('--genesis <hash>', 'refuse any other chain than the one with this genesis hash')
    .addHelpText(
      'after',
      `
Without --program its address follows from the key that pays: the same command
again finishes what was interrupted, upgrades what is older, and does nothing
where the code is there already. The rent of the buffer comes back with an
upgrade; that of the program stays in it.

Examples:
  swarmd program deploy --url http://127.0.0.1:8899 --keypair me.json
  swarmd program deploy --url https://api.devnet.solana.com --keypair me.json
  swarmd program deploy --url URL --keypair me.json --program ADDRESS`,
    )
}

export async function run(call: CommandCall): Promise<number> {
  const { io, json, args } = call
  const [action] = args
  if (action !== 'deploy')
    throw DaemonError.CONFIG_INVALID(`There is no "swarmd program ${action ?? ''}"; it must be deploy.`)
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
