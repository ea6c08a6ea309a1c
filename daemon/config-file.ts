/**
 * The config file: found, read, parsed, flattened to the dotted keys of the table. Nothing of its content gets into an
 * error message but line and column, because it may hold a key.
 */
import { readFileSync, statSync } from 'node:fs'
import { KEYS, CONFIG_KEYS } from './config-keys.js'
import type { ConfigKey } from './config-keys.js'
import { nearNames } from './config-near.js'
import { codeOf, DaemonError } from './errors.js'

const MAX_BYTES = 1_048_576

export interface ConfigFile {
  readonly path: string
  readonly exists: boolean
  readonly values: Readonly<Partial<Record<ConfigKey, unknown>>>
  /** The raw `[[models]]` tables. */
  readonly models: unknown
  /** The raw `[[keys]]` tables. */
  readonly keys: unknown
  readonly warnings: readonly string[]
}

/**
 * Reads `path`. A missing file is an empty one unless it was asked for by name. Throws `CONFIG_UNREADABLE`, or
 * `CONFIG_INVALID` with line and column when it is not TOML.
 */
export async function readConfigFile(path: string, askedFor: boolean): Promise<ConfigFile> {
  const content = readContent(path, askedFor)
  if (content === null) return { path, exists: false, values: {}, models: undefined, keys: undefined, warnings: [] }
  // Loaded only when there is something to parse: most first starts have no config file.
  const { parse, TomlError } = await import('smol-toml')
  try {
    return {
      path,
      exists: true,
      ...flatten(parse(content, { integersAsBigInt: 'asNeeded', unsafeKeyBehaviour: 'throw', maxDepth: 8 }), path),
    }
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const what = error.message.split('\n')[0]?.replace('Invalid TOML document: ', '') ?? 'not TOML'
    throw DaemonError.CONFIG_INVALID(`${path}, line ${error.line}, column ${error.column}: ${what}`)
  }
}

function readContent(path: string, askedFor: boolean): string | null {
  try {
    const stat = statSync(path)
    if (!stat.isFile()) throw DaemonError.CONFIG_UNREADABLE(`The config file ${path} is not a file.`)
    if (stat.size > MAX_BYTES)
      throw DaemonError.CONFIG_UNREADABLE(`The config file ${path} is larger than ${MAX_BYTES} bytes.`)
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof DaemonError) throw error
    const code = codeOf(error)
    if ((code === 'ENOENT' || code === 'ENOTDIR') && !askedFor) return null
    if (code === 'ENOENT') {
      throw DaemonError.CONFIG_UNREADABLE(`There is no config file ${path}. "swarmd config init" writes one.`)
    }
    throw DaemonError.CONFIG_UNREADABLE(`The config file ${path} cannot be read (${code ?? 'unknown reason'}).`, error)
  }
}

function flatten(
  table: Readonly<Record<string, unknown>>,
  path: string,
): Pick<ConfigFile, 'values' | 'models' | 'keys' | 'warnings'> {
  const byPlace = new Map(CONFIG_KEYS.map((key) => [KEYS[key].file, key]))
  const sections = new Set(
    [...byPlace.keys()].filter((place) => place.includes('.')).map((place) => place.split('.')[0]),
  )
  const values: Partial<Record<ConfigKey, unknown>> = {}
  const warnings: string[] = []

  const take = (place: string, value: unknown): void => {
    const key = byPlace.get(place)
    // A heading with nothing below it says nothing.
    if (key) values[key] = isTable(value) && Object.keys(value).length === 0 ? undefined : value
    else warnings.push(unknownKey(place, path, [...byPlace.keys(), 'models', 'keys']))
  }

  for (const [name, value] of Object.entries(table)) {
    if (name === 'models' || name === 'keys') continue
    if (!sections.has(name)) take(name, value)
    else if (!isTable(value))
      throw DaemonError.CONFIG_INVALID(`${path}: "${name}" must be a section ([${name}] on a line of its own).`)
    else for (const [inner, innerValue] of Object.entries(value)) take(`${name}.${inner}`, innerValue)
  }
  return { values, models: table['models'], keys: table['keys'], warnings }
}

export function unknownKey(place: string, path: string, known: readonly string[]): string {
  const near = nearNames(place, known)
  return `${path}: there is no setting "${place}"${near.length > 0 ? `; did you mean ${near.map((name) => `"${name}"`).join(' or ')}?` : '.'}`
}

export function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.getPrototypeOf(value) !== Date.prototype
  )
}
