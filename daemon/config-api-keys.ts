/**
 * The `[[keys]]` tables of the config file: further API keys, each with a name and limits of its own, for tools and people
 * whose spending should be told apart.
 */
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { inspect } from 'node:util'
import type { Lamports } from '../ledger/amount.js'
import { isTable, unknownKey } from './config-file.js'
import { amount, text } from './config-kinds.js'
import type { Kind } from './config-kinds.js'
import { codeOf, DaemonError } from './errors.js'
import { absolute } from './paths.js'

const MAX_KEYS = 256
const FIELDS = ['name', 'key', 'key_file', 'per_request', 'per_day']
const aName = text('1 to 64 letters, digits, dots, dashes or underscores', /^[A-Za-z0-9._-]{1,64}$/)
const aPath = text('a path', /^[^\0]{1,4096}$/)

export const apiKey = text('8 to 256 printable characters without spaces', /^[\x21-\x7e]{8,256}$/)

export interface ConfiguredKey {
  readonly name: string
  /** Secret: the key itself, or the file whose first line it is (absolute). */
  readonly source: { readonly key: string } | { readonly file: string }
  readonly perRequest: Lamports | null
  readonly perDay: Lamports | null
}

/** Throws `CONFIG_INVALID` naming `keys[n].field`, never what a key is. Unknown fields are errors: a mistyped limit costs money. */
export function readApiKeys(raw: unknown, path: string): readonly ConfiguredKey[] {
  if (raw === undefined) return []
  if (!Array.isArray(raw) || raw.length > MAX_KEYS) {
    throw DaemonError.CONFIG_INVALID(`${path}: keys must be at most ${MAX_KEYS} tables, each headed [[keys]].`)
  }
  const keys = raw.map((table, index) => readKey(table, `keys[${index}]`, path))
  const twice = keys.find(({ name }, index) => keys.findIndex((other) => other.name === name) !== index)
  if (twice) throw DaemonError.CONFIG_INVALID(`${path}: two [[keys]] are named "${twice.name}".`)
  return keys
}

function readKey(table: unknown, where: string, path: string): ConfiguredKey {
  if (!isTable(table)) throw DaemonError.CONFIG_INVALID(`${path}: ${where} must be a table headed [[keys]].`)
  const unknown = Object.keys(table).find((field) => !FIELDS.includes(field))
  if (unknown !== undefined) throw DaemonError.CONFIG_INVALID(`${where}: ${unknownKey(unknown, path, FIELDS)}`)

  const take = <T>(field: string, kind: Kind<T>): T | null => {
    if (table[field] === undefined) return null
    const value = kind.parse(table[field])
    if (value !== undefined) return value
    const given = field === 'key' ? '' : ` = ${inspect(table[field])}`
    throw DaemonError.CONFIG_INVALID(`${path}: ${where}.${field}${given} is not allowed; it must be ${kind.allowed}.`)
  }

  const name = take('name', aName)
  const key = take('key', apiKey)
  const file = take('key_file', aPath)
  if (name === null) throw DaemonError.CONFIG_INVALID(`${path}: ${where} needs a name: ${aName.allowed}.`)
  if ((key === null) === (file === null)) {
    throw DaemonError.CONFIG_INVALID(`${path}: ${where} ("${name}") needs either a key or a key_file.`)
  }
  return {
    name,
    source: key === null ? { file: absolute(file ?? '', dirname(path)) } : { key },
    perRequest: take('per_request', amount),
    perDay: take('per_day', amount),
  }
}

/** The key that a file holds. Throws `CONFIG_UNREADABLE` or `CONFIG_INVALID`, neither with anything of what is in it. */
export function readKeyFile(path: string): string {
  let content: string
  try {
    content = readFileSync(path, 'utf8')
  } catch (error) {
    throw DaemonError.CONFIG_UNREADABLE(
      `The API key file ${path} cannot be read (${codeOf(error) ?? 'unknown reason'}).`,
      error,
    )
  }
  const key = apiKey.parse(content.split('\n')[0]?.trim() ?? '')
  if (key !== undefined) return key
  throw DaemonError.CONFIG_INVALID(`The first line of the API key file ${path} must be ${apiKey.allowed}.`)
}
