/** `swarmd config`: what is in effect and why; `config init` writes the commented file. */
import { writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { inspect } from 'node:util'
import type { Command } from 'commander'
import { CONFIG_KEYS, KEYS } from '../../daemon/config-keys.js'
import type { ConfigKey } from '../../daemon/config-keys.js'
import type { LoadedConfig } from '../../daemon/config.js'
import { nearNames } from '../../daemon/config-near.js'
import { configTemplate } from '../../daemon/config-template.js'
import { codeOf, DaemonError } from '../../daemon/errors.js'
import { absolute, defaultPlaces, makeFolder, tilde } from '../../daemon/paths.js'
import type { CommandCall } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { loadSettings } from '../running.js'
import { renderTable } from '../table.js'

export function define(command: Command): void {
  command
    .argument('[action]', 'show (the default), init, path or get', 'show')
    .argument('[setting]', 'for get: a setting such as api.port')
    .option('--force', 'init: replace an existing file')
    .addHelpText(
      'after',
      `
A flag wins over its environment variable, which wins over the config file,
which wins over the default.

Examples:
  swarmd config                 every setting, its value, and where the value comes from
  swarmd config init            write a config file in which every setting is explained
  swarmd config path            where the config file is
  swarmd config get api.port    one value
  swarmd config --json          {"file": …, "settings": {"api.port": {"value": 8080, "from": "default"}, …}}`,
    )
}

export function run(call: CommandCall): Promise<number> {
  const [action = 'show', setting] = call.args
  switch (action) {
    case 'show':
      return show(call)
    case 'get':
      return get(call, setting)
    case 'path':
      return path(call)
    case 'init':
      return init(call)
    default:
      throw DaemonError.CONFIG_INVALID(`There is no "swarmd config ${action}"; it must be show, init, path or get.`)
  }
}

async function show(call: CommandCall): Promise<number> {
  const { io, json } = call
  const loaded = await loadSettings(call)
  if (json) {
    const settings = Object.fromEntries(
      CONFIG_KEYS.map((key) => [
        KEYS[key].file,
        { value: plainValue(loaded, key), from: loaded.origins[key].from, name: loaded.origins[key].name },
      ]),
    )
    io.json({ file: loaded.file, settings, models: loaded.models, warnings: loaded.warnings })
    return EXIT.ok
  }
  io.out(`${tilde(loaded.file.path)}${loaded.file.exists ? '' : '  (not there; "swarmd config init" writes it)'}\n\n`)
  const rows = CONFIG_KEYS.map((key) => ({
    setting: KEYS[key].file,
    value: words(plainValue(loaded, key)),
    origin: originWords(loaded, key),
  }))
  const columns = [
    { title: 'SETTING', cell: (row: (typeof rows)[number]) => row.setting },
    { title: 'VALUE', shrinkTo: 24, cell: (row: (typeof rows)[number]) => row.value },
    { title: 'FROM', shrinkTo: 12, cell: (row: (typeof rows)[number]) => row.origin },
  ]
  io.out(renderTable(columns, rows, io.width, (line) => io.paint('bold', line)))
  for (const model of loaded.models) io.out(`\nmodels: ${model.source}\n`)
  for (const warning of loaded.warnings) io.err(`! ${warning}\n`)
  return EXIT.ok
}

async function get(call: CommandCall, setting: string | undefined): Promise<number> {
  const { io, json } = call
  const places = CONFIG_KEYS.map((key) => KEYS[key].file)
  const key = CONFIG_KEYS.find((candidate) => KEYS[candidate].file === setting)
  if (key === undefined) {
    const near = setting === undefined ? [] : nearNames(setting, places)
    throw DaemonError.CONFIG_INVALID(
      `There is no setting "${setting ?? ''}"; ${near.length > 0 ? `did you mean ${near.join(' or ')}?` : `it must be one of ${places.join(', ')}.`}`,
    )
  }
  const loaded = await loadSettings(call)
  const value = plainValue(loaded, key)
  if (json) io.json({ setting, value, from: loaded.origins[key].from, name: loaded.origins[key].name })
  else io.out(`${words(value)}\n`)
  return EXIT.ok
}

async function path(call: CommandCall): Promise<number> {
  const { io, json } = call
  const file = fileOf(call)
  if (json) io.json({ path: file })
  else io.out(`${file}\n`)
  return Promise.resolve(EXIT.ok)
}

async function init(call: CommandCall): Promise<number> {
  const { io, json } = call
  const file = fileOf(call)
  try {
    makeFolder(dirname(file))
    // 0600: the file may come to hold a key.
    writeFileSync(file, configTemplate(), { mode: 0o600, flag: call.options['force'] === true ? 'w' : 'wx' })
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw DaemonError.CONFIG_INVALID(`${file} exists already; --force replaces it.`)
    throw DaemonError.CONFIG_UNREADABLE(`${file} cannot be written (${codeOf(error) ?? 'unknown reason'}).`, error)
  }
  if (json) io.json({ path: file, written: true })
  else io.out(`Wrote ${tilde(file)}. Every setting is explained there; none is changed yet.\n`)
  return Promise.resolve(EXIT.ok)
}

function fileOf(call: CommandCall): string {
  const asked = call.configPath ?? call.io.env['SWARMD_CONFIG']
  return asked === undefined || asked === '' ? defaultPlaces().config : absolute(asked, call.io.cwd)
}

/** JSON-safe; secrets as `"(secret)"`, folders resolved. */
function plainValue(loaded: LoadedConfig, key: ConfigKey): unknown {
  if (key === 'dataDir') return loaded.dataDir
  if (key === 'cacheDir') return loaded.cacheDir
  const value: unknown = loaded.config[key]
  if (value === null) return null
  if (KEYS[key].secret === true && !(Array.isArray(value) && value.length === 0)) return '(secret)'
  return Array.isArray(value) ? value.map(plainItem) : value
}

function plainItem(item: unknown): unknown {
  if (item instanceof Uint8Array) return Buffer.from(item).toString('hex')
  if (typeof item === 'object' && item !== null && 'host' in item && 'port' in item)
    return `${String(item.host)}:${String(item.port)}`
  return item
}

function words(value: unknown): string {
  if (value === null) return '-'
  if (Array.isArray(value)) return value.length === 0 ? '-' : value.map(String).join(', ')
  if (typeof value === 'object')
    return (
      Object.entries(value)
        .map(([name, target]) => `${name}=${String(target)}`)
        .join(', ') || '-'
    )
  return typeof value === 'string' ? value : typeof value === 'bigint' ? value.toString() : inspect(value)
}

function originWords(loaded: LoadedConfig, key: ConfigKey): string {
  const { from, name } = loaded.origins[key]
  return from === 'default' ? 'default' : from === 'file' ? 'config file' : name
}
