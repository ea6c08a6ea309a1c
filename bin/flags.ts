/** Settings as flags: made from the settings' table, so that flags, environment and config file cannot disagree. */
import { Option } from 'commander'
import type { Command } from 'commander'
import { CONFIG_KEYS, KEYS } from '../daemon/config-keys.js'
import type { ConfigKey } from '../daemon/config-keys.js'

/** Settings that mean the same for every command, so that several nodes run on one machine. */
export const EVERYWHERE: readonly ConfigKey[] = ['dataDir', 'port', 'network', 'bootstrap']

/** Adds the flags of `keys`; help texts come from the settings' table. */
export function addSettings(command: Command, keys: readonly ConfigKey[]): void {
  for (const key of keys) {
    const { flag, about, env, fallback, repeat } = KEYS[key]
    if (flag === null) continue
    const standard = typeof fallback === 'string' || typeof fallback === 'number' ? `, default ${fallback}` : ''
    const option = new Option(flag, `${about} (${env}${standard})`)
    if (repeat === true) option.argParser<readonly string[]>((value, previous) => [...(previous ?? []), value])
    command.addOption(option)
  }
}

/** Every setting with a flag that is not one of `EVERYWHERE`. */
export function nodeSettings(): readonly ConfigKey[] {
  return CONFIG_KEYS.filter((key) => KEYS[key].flag !== null && !EVERYWHERE.includes(key))
}

/** The settings among commander's options. */
export function settingsOf(options: Readonly<Record<string, unknown>>): Partial<Record<ConfigKey, unknown>> {
  const flags: Partial<Record<ConfigKey, unknown>> = {}
  for (const key of CONFIG_KEYS) {
    const { flag } = KEYS[key]
    if (flag === null) continue
    const value = options[new Option(flag).attributeName()]
    // Commander fills in `true` for a `--no-…` flag that was not given.
    if (value !== undefined && !(flag.startsWith('--no-') && value === true)) flags[key] = value
  }
  return flags
}
