/** `swarmd serve`: a node that computes for others. */
import { Option } from 'commander'
import type { Command } from 'commander'
import { loadConfig } from '../../daemon/config.js'
import { integer } from '../../daemon/config-kinds.js'
import { nodeOptions } from '../../daemon/config-options.js'
import { DaemonError } from '../../daemon/errors.js'
import { optionText } from '../command.js'
import type { CommandCall } from '../command.js'
import { addSettings, nodeSettings } from '../flags.js'
import { runForeground } from '../foreground.js'

const speed = integer(0, 1_000_000, 'instantly')

export function define(command: Command): void {
  command
    .argument(
      '[model...]',
      'a GGUF file, an http(s) URL, hf:user/repo:quant, or mock; without one, [[models]] of the config file',
    )
    .addOption(new Option('--name <name>', 'show the model under this name instead of the one in its file'))
    .addOption(new Option('--tokens-per-second <n>', 'speed of the mock model, 0 = instantly'))
  addSettings(command, nodeSettings())
  command.addHelpText(
    'after',
    `
Examples:
  swarmd serve ~/models/qwen3-8b-q4_k_m.gguf                       free for everybody
  swarmd serve model.gguf --price-in 20000 --price-out 60000       for lamports per million tokens
  swarmd serve hf:Qwen/Qwen3-8B-GGUF:Q4_K_M                        downloads first (resumes when interrupted)
  swarmd serve model.gguf --network friends --allow <node key>     for friends only
  swarmd serve mock --network test --tokens-per-second 50          no model at all, for trying things out

Whoever computes sees the plaintext of what is asked. Runs until Ctrl-C or
"swarmd stop"; docs/cli.md has a systemd unit.
Next: swarmd status, swarmd peers.`,
  )
}

export async function run(call: CommandCall): Promise<number> {
  const { io, flags, configPath, version, args } = call
  const loaded = await loadConfig({ flags, configPath, env: io.env, cwd: io.cwd })
  const given = optionText(call, 'tokensPerSecond') ?? '0'
  const tokensPerSecond = speed.parse(given)
  if (tokensPerSecond === undefined) {
    throw DaemonError.CONFIG_INVALID(`--tokens-per-second ${given} is not allowed; it must be ${speed.allowed}.`)
  }
  const options = nodeOptions(
    loaded,
    { sources: args, name: optionText(call, 'name'), tokensPerSecond, cwd: io.cwd },
    version,
  )
  if (options.models.length === 0) {
    throw DaemonError.CONFIG_INVALID(
      'Which model? Name a GGUF file, a URL or hf:user/repo:quant, or list models in the config file ([[models]]).',
    )
  }
  return runForeground(call, { loaded, options, modelFailure: 'end' })
}
