/** `swarmd up`: a node with the local API. */
import type { Command } from 'commander'
import { loadConfig } from '../../daemon/config.js'
import { nodeOptions } from '../../daemon/config-options.js'
import type { CommandCall } from '../command.js'
import { addSettings, nodeSettings } from '../flags.js'
import { runForeground } from '../foreground.js'

export function define(command: Command): void {
  addSettings(command, nodeSettings())
  command.addHelpText(
    'after',
    `
Examples:
  swarmd up                                     the API at http://127.0.0.1:8080/v1
  swarmd up --port 0                            at any free port, printed
  swarmd up --network friends --bootstrap 192.0.2.7:49737
                                                a private network with its own bootstrap node
  swarmd up --data /tmp/b --port 8081           a second node on the same machine
  swarmd up --alias gpt-4o-mini=qwen3-8b:q4_k_m tools that insist on a name get this model

Models of the config file ([[models]]) are served, too. Runs until Ctrl-C or
"swarmd stop".
Next: swarmd models, swarmd chat, swarmd status.`,
  )
}

export async function run(call: CommandCall): Promise<number> {
  const { io, flags, configPath, version } = call
  const loaded = await loadConfig({ flags, configPath, env: io.env, cwd: io.cwd })
  const options = nodeOptions(loaded, { sources: [], name: null, tokensPerSecond: 0, cwd: io.cwd }, version)
  return runForeground(call, { loaded, options, modelFailure: 'tell' })
}
