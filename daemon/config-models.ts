/**
 * The `[[models]]` tables of the config file: models that `swarmd up` and `swarmd serve` (without arguments) serve.
 * What a table leaves out comes from [engine] and [prices].
 */
import { dirname } from 'node:path'
import { inspect } from 'node:util'
import { isTable, unknownKey } from './config-file.js'
import { integer, text, unsigned64 } from './config-kinds.js'
import type { Kind } from './config-kinds.js'
import { DaemonError } from './errors.js'
import { absolute } from './paths.js'

const MAX_MODELS = 32
const lamports = unsigned64('lamports per million tokens')
const source = text('a path, an http(s) URL, hf:user/repo:quant or mock', /^[^\0]{1,4096}$/)
const name = text('1 to 96 characters without spaces', /^\S{1,96}$/)

export interface ConfiguredModel {
  readonly source: string
  readonly name: string | null
  readonly slots: number | null
  readonly context: number | null
  readonly threads: number | null
  readonly queue: number | null
  readonly priceIn: bigint | null
  readonly priceCached: bigint | null
  readonly priceOut: bigint | null
}

const FIELDS = ['source', 'name', 'slots', 'context', 'threads', 'queue', 'price_in', 'price_cached', 'price_out']

/** Throws `CONFIG_INVALID` naming `models[n].field`. Unknown fields are errors here: a mistyped price costs money. */
export function readModels(raw: unknown, path: string): readonly ConfiguredModel[] {
  if (raw === undefined) return []
  if (!Array.isArray(raw) || raw.length > MAX_MODELS) {
    throw DaemonError.CONFIG_INVALID(`${path}: models must be at most ${MAX_MODELS} tables, each headed [[models]].`)
  }
  return raw.map((table, index) => readModel(table, index, path))
}

function readModel(table: unknown, index: number, path: string): ConfiguredModel {
  const where = `models[${index}]`
  if (!isTable(table)) throw DaemonError.CONFIG_INVALID(`${path}: ${where} must be a table headed [[models]].`)
  const unknown = Object.keys(table).find((field) => !FIELDS.includes(field))
  if (unknown !== undefined) throw DaemonError.CONFIG_INVALID(`${where}: ${unknownKey(unknown, path, FIELDS)}`)

  const take = <T>(field: string, kind: Kind<T>): T | null => {
    if (table[field] === undefined) return null
    const value = kind.parse(table[field])
    if (value !== undefined) return value
    throw DaemonError.CONFIG_INVALID(
      `${path}: ${where}.${field} = ${inspect(table[field])} is not allowed; it must be ${kind.allowed}.`,
    )
  }

  const given = take('source', source)
  if (given === null) throw DaemonError.CONFIG_INVALID(`${path}: ${where} needs a source: ${source.allowed}.`)
  return {
    source: settleSource(given, dirname(path)),
    name: take('name', name),
    slots: take('slots', integer(1, 64)),
    context: take('context', integer(64, 16_777_216)),
    threads: take('threads', integer(1, 1024)),
    queue: take('queue', integer(0, 65_536)),
    priceIn: take('price_in', lamports),
    priceCached: take('price_cached', lamports),
    priceOut: take('price_out', lamports),
  }
}

/** URLs, `hf:` references and `mock` stay as they are; everything else is a path and becomes absolute. */
export function settleSource(given: string, base: string): string {
  return given === 'mock' || /^(https?:\/\/|hf:)/.test(given) ? given : absolute(given, base)
}
