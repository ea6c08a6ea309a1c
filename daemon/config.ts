/**
 * The effective configuration: flag over environment over config file over default, each value with its origin.
 */
import { dirname } from 'node:path'
import { inspect } from 'node:util'
import { CONFIG_KEYS, KEYS } from './config-keys.js'
import type { Config, ConfigKey } from './config-keys.js'
import { readConfigFile } from './config-file.js'
import { readApiKeys } from './config-api-keys.js'
import type { ConfiguredKey } from './config-api-keys.js'
import { readModels } from './config-models.js'
import type { ConfiguredModel } from './config-models.js'
import { nearNames } from './config-near.js'
import { DaemonError } from './errors.js'
import { absolute, defaultPlaces } from './paths.js'

export type { Config, ConfigKey } from './config-keys.js'

/** What `flag`s the command line gave: text, lists of text, or booleans, by key. */
export type Flags = Readonly<Partial<Record<ConfigKey, unknown>>>
export type Environment = Readonly<Record<string, string | undefined>>

export interface Origin {
  readonly from: 'flag' | 'environment' | 'file' | 'default'
  /** `--port`, `SWARMD_PORT`, `/…/config.toml: api.port`, or '' for a default. */
  readonly name: string
}

export interface LoadedConfig {
  readonly config: Config
  readonly origins: Readonly<Record<ConfigKey, Origin>>
  /** The `[[models]]` of the config file, checked. */
  readonly models: readonly ConfiguredModel[]
  /** The `[[keys]]` of the config file, checked; the keys themselves are read when a node starts. */
  readonly apiKeys: readonly ConfiguredKey[]
  readonly file: { readonly path: string; readonly exists: boolean }
  /** Resolved folders. */
  readonly dataDir: string
  readonly cacheDir: string
  readonly warnings: readonly string[]
}

export interface LoadInput {
  readonly flags: Flags
  /** From `--config`; null = SWARMD_CONFIG or the XDG place. */
  readonly configPath: string | null
  readonly env: Environment
  readonly cwd: string
}

/** Throws `CONFIG_INVALID` (names the flag, variable or key, what was given, what is allowed) or `CONFIG_UNREADABLE`. */
export async function loadConfig(input: LoadInput): Promise<LoadedConfig> {
  const { flags, env, cwd } = input
  const places = defaultPlaces()
  const asked = input.configPath ?? nonEmpty(env['SWARMD_CONFIG'])
  const file = await readConfigFile(asked === null ? places.config : absolute(asked, cwd), asked !== null)

  const origins: Partial<Record<ConfigKey, Origin>> = {}
  const values: Partial<Record<ConfigKey, unknown>> = {}
  for (const key of CONFIG_KEYS) {
    const spec = KEYS[key]
    const given = pick(key, flags, env, file)
    origins[key] = given.origin
    if (given.origin.from === 'default') values[key] = spec.fallback
    else {
      const value = spec.kind.parse(given.raw)
      if (value === undefined)
        throw DaemonError.CONFIG_INVALID(refusal(given.origin, given.raw, spec.kind.allowed, spec.secret === true))
      values[key] =
        spec.path && typeof value === 'string'
          ? absolute(value, given.origin.from === 'file' ? dirname(file.path) : cwd)
          : value
    }
  }
  // Every key of the table was visited above.
  const config = values as Config
  return {
    config,
    origins: origins as Record<ConfigKey, Origin>,
    models: readModels(file.models, file.path),
    apiKeys: readApiKeys(file.keys, file.path),
    file: { path: file.path, exists: file.exists },
    dataDir: config.dataDir ?? places.data,
    cacheDir: config.cacheDir ?? places.cache,
    warnings: [...file.warnings, ...strangeVariables(env)],
  }
}

function pick(
  key: ConfigKey,
  flags: Flags,
  env: Environment,
  file: { readonly path: string; readonly values: Flags },
): { readonly raw: unknown; readonly origin: Origin } {
  const spec = KEYS[key]
  if (flags[key] !== undefined)
    return { raw: flags[key], origin: { from: 'flag', name: spec.flag?.split(' ')[0] ?? key } }
  // An empty variable counts as not set, as is the custom in unit files and shells.
  const variable = nonEmpty(env[spec.env])
  if (variable !== null) return { raw: variable, origin: { from: 'environment', name: spec.env } }
  if (file.values[key] !== undefined)
    return { raw: file.values[key], origin: { from: 'file', name: `${file.path}: ${spec.file}` } }
  return { raw: undefined, origin: { from: 'default', name: '' } }
}

/** `--port 70000 is not allowed; it must be a whole number from 0 to 65535 …` */
export function refusal(origin: Origin, raw: unknown, allowed: string, secret: boolean): string {
  const join = origin.from === 'flag' ? ' ' : ' = '
  return `${origin.name}${secret ? '' : `${join}${show(raw)}`} is not allowed; it must be ${allowed}.`
}

function show(raw: unknown): string {
  const text = typeof raw === 'string' ? raw : inspect(raw, { depth: 2, breakLength: Infinity })
  return text === '' ? '""' : text.length > 120 ? `${text.slice(0, 120)}…` : text
}

function nonEmpty(text: string | undefined): string | null {
  return text === undefined || text === '' ? null : text
}

function strangeVariables(env: Environment): readonly string[] {
  const known = ['SWARMD_CONFIG', ...CONFIG_KEYS.map((key) => KEYS[key].env)]
  return Object.keys(env)
    .filter((name) => name.startsWith('SWARMD_') && !known.includes(name))
    .flatMap((name) => nearNames(name, known, 1).map((near) => `The environment has ${name}; did you mean ${near}?`))
}
