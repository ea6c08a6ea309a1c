/** `swarmd doctor`: looks at this machine and says what to do. */
import { isAbsolute } from 'node:path'
import type { Command } from 'commander'
import { loadConfig } from '../../daemon/config.js'
import { nodeOptions } from '../../daemon/config-options.js'
import type { Finding } from '../../daemon/doctor/check.js'
import type { ModelQuestion } from '../../daemon/doctor/model.js'
import type { ModelOptions } from '../../daemon/node-options.js'
import type { CommandCall } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { addSettings, nodeSettings } from '../flags.js'
import type { Io, Style } from '../io.js'
import { createScreen } from '../screen.js'
import type { Screen } from '../screen.js'

/** The DHT needs a few round trips; behind a bad NAT a few more. */
const SWARM_TIMEOUT_MS = 15_000
const MARKS: Readonly<Record<Finding['state'], readonly [mark: string, style: Style]>> = {
  ok: ['✓', 'green'],
  warn: ['!', 'yellow'],
  fail: ['✗', 'red'],
}

export function define(command: Command): void {
  command.argument('[model...]', 'GGUF files that are meant to run here; without one, [[models]] of the config file')
  addSettings(command, nodeSettings())
  command.addHelpText(
    'after',
    `
Exit code 1 when something fails; warnings are no failure. --json prints
{"ok": …, "checks": [{"name", "state", "detail", "advice"}]}
with the states ok, warn and fail.

Examples:
  swarmd doctor
  swarmd doctor ~/models/qwen3-8b-q4_k_m.gguf
  swarmd doctor --network friends --bootstrap 192.0.2.7:49737`,
  )
}

export async function run(call: CommandCall): Promise<number> {
  const { io, json, flags, configPath, version, args } = call
  const loaded = await loadConfig({ flags, configPath, env: io.env, cwd: io.cwd })
  const node = nodeOptions(loaded, { sources: args, name: null, tokensPerSecond: 0, cwd: io.cwd }, version)
  const { examine } = await import('../../daemon/doctor/doctor.js')
  const screen = createScreen(io, json)
  // What has to be downloaded first cannot be looked at yet.
  const models = node.models
    .filter(({ source }) => isAbsolute(source))
    .map((model) => modelQuestion(model, loaded.cacheDir, screen))
  const findings: Finding[] = []
  for await (const finding of examine({ loaded, node, models, swarmTimeoutMs: SWARM_TIMEOUT_MS })) {
    findings.push(finding)
    screen.line(describe(io, finding))
  }
  for (const warning of loaded.warnings) screen.line(`${io.paint('yellow', '!')} ${warning}`)
  screen.stop()
  const failed = findings.filter((finding) => finding.state === 'fail').length
  if (json) io.json({ ok: failed === 0, checks: findings, warnings: loaded.warnings })
  else io.out(failed === 0 ? '\nReady. Next: swarmd up\n' : `\n${failed} of ${findings.length} checks failed.\n`)
  return failed === 0 ? EXIT.ok : EXIT.failure
}

function modelQuestion(model: ModelOptions, cacheDir: string, screen: Screen): ModelQuestion {
  const { source: path, slots, contextLength: context } = model
  return {
    path,
    slots,
    context,
    cacheDir,
    onProgress: ({ phase, done, total }) =>
      screen.progress({ kind: phase, model: path, done, total, finished: done >= total }),
  }
}

function describe(io: Io, { name, state, detail, advice }: Finding): string {
  const [mark, style] = MARKS[state]
  const line = `${io.paint(style, mark)} ${name.padEnd(20)} ${detail}`
  return advice === null ? line : `${line}\n${' '.repeat(23)}${io.paint('bold', `→ ${advice}`)}`
}
