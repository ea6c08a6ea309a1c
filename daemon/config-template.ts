/**
 * The commented config file that `swarmd config init` writes: every setting at its default, switched off by a `#`, so that a
 * later default still applies to whoever did not choose.
 */
import { CONFIG_KEYS, KEYS } from './config-keys.js'
import type { ConfigKey } from './config-keys.js'

const HEADER = `# swarmd's configuration (TOML). Every setting is shown with its default or an example and switched off:
# take the "#" away to change it. A flag wins over its environment variable, which wins over this file.
# "swarmd config" shows what is in effect and where each value comes from.
`

const SECTIONS: Readonly<Record<string, string>> = {
  api: 'The local OpenAI-compatible API.',
  swarm: 'Whom to meet.',
  engine: 'How models run.',
  prices: 'What this node asks for its work, in lamports per million tokens. 0 = free.',
  payment: 'With what this node pays, and lets itself be paid.',
  chain: 'The Solana chain on which this node pays and is paid, in place of credit.',
  ledger: 'What this node remembers of its answers.',
  budget: 'What this node may spend: whole lamports, or texts such as "0.05 SOL". "swarmd budget" shows what is left.',
  log: 'What the daemon writes down. Never a prompt, an answer or a key.',
}

const MODELS = `
# Models that "swarmd up", and "swarmd serve" without arguments, serve. One table each; what is left out comes
# from [engine] and [prices].
# [[models]]
# source = "~/models/qwen3-8b-q4_k_m.gguf"    # a path, an http(s) URL or hf:user/repo:quant
# price_in = 20000
# price_out = 60000
# slots = 4
# context = 8192
`

const API_KEYS = `
# Further API keys, each with limits of its own; api.key or api.key_file must be set as well.
# [[keys]]
# name = "laptop"
# key_file = "laptop.key"
# per_request = "0.001 SOL"
# per_day = "0.01 SOL"
`

export function configTemplate(): string {
  const top = CONFIG_KEYS.filter((key) => !KEYS[key].file.includes('.') && key !== 'aliases')
  const lines = [HEADER, ...top.map(entry)]
  for (const [section, about] of Object.entries(SECTIONS)) {
    lines.push(`\n# ${about}\n[${section}]`)
    for (const key of CONFIG_KEYS) if (KEYS[key].file.startsWith(`${section}.`)) lines.push(entry(key))
  }
  lines.push(
    `\n# ${sentence(KEYS.aliases.about)}`,
    '[aliases]',
    '# "gpt-4o-mini" = "qwen3-8b:q4_k_m"',
    '# "*" = "qwen3-8b:q4_k_m"',
    MODELS,
    API_KEYS,
  )
  return lines.join('\n')
}

function entry(key: ConfigKey): string {
  const { file, about, kind, env, flag, example } = KEYS[key]
  const name = file.split('.').at(-1) ?? file
  const others = [flag?.split(' ')[0], env].filter((other) => other !== undefined).join(', ')
  return `# ${sentence(about)} Allowed: ${kind.allowed}. Also: ${others}.\n# ${name} = ${example}\n`
}

function sentence(text: string): string {
  return `${text[0]?.toUpperCase() ?? ''}${text.slice(1)}.`
}
