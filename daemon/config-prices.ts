/**
 * Writes prices into the config file without disturbing anything else in it: lines are changed or added where they belong,
 * comments and order stay. TOML can say the same thing in many ways and these lines know one of them, so the outcome is read
 * back first: unless it is exactly the old file with exactly these prices, nothing is written.
 */
import { closeSync, fsyncSync, openSync, readFileSync, realpathSync, renameSync, statSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { codeOf, DaemonError } from './errors.js'
import { makeFolder } from './paths.js'

const MAX_I64 = 2n ** 63n - 1n

/** Lamports per million tokens; absent = as it is. */
export interface PriceChange {
  readonly input?: bigint
  readonly cached?: bigint
  readonly output?: bigint
}

/** The `[[models]]` table with this number (from 0), or `[prices]`, which holds for models without prices of their own. */
export type PricePlace = { readonly model: number } | 'default'

const MODEL_FIELDS: Readonly<Record<keyof PriceChange, string>> = {
  input: 'price_in',
  cached: 'price_cached',
  output: 'price_out',
}
type Tables = Record<string, unknown>

const KINDS = ['input', 'cached', 'output'] as const

/** The lines that say it, for whoever writes them by hand. */
export function priceLines(place: PricePlace, change: PriceChange): readonly string[] {
  return KINDS.flatMap((kind) => {
    const value = change[kind]
    return value === undefined ? [] : [`${fieldOf(place, kind)} = ${literal(value)}`]
  })
}

/**
 * Atomically, and with the mode that the file had (0600 for a new one). Throws `CONFIG_INVALID` when the file cannot be
 * changed safely, `CONFIG_UNREADABLE` when it cannot be read or written.
 */
export async function writePrices(path: string, place: PricePlace, change: PriceChange): Promise<void> {
  const before = read(path)
  const after = edited(before, place, change)
  const { parse } = await import('smol-toml')
  const tables = (text: string): Tables => parse(text, { integersAsBigInt: true, maxDepth: 8 })
  let same: boolean
  try {
    same = isDeepStrictEqual(tables(after), priced(tables(before), place, change, tables('')))
  } catch {
    same = false
  }
  if (!same)
    throw DaemonError.CONFIG_INVALID(
      `${path} says its prices in a way that only its author should change. Put this ${place === 'default' ? 'below [prices]' : 'into the [[models]] table'}:\n  ${priceLines(place, change).join('\n  ')}`,
    )
  write(path, after)
}

/** The text with these prices in it, by lines. */
export function edited(text: string, place: PricePlace, change: PriceChange): string {
  const lines = text.split('\n')
  const header = headerOf(lines, place)
  if (header === null) {
    const end = text === '' || text.endsWith('\n') ? '' : '\n'
    return `${text}${end}${text === '' ? '' : '\n'}[prices]\n${priceLines('default', change).join('\n')}\n`
  }
  const returns = lines[header]?.endsWith('\r') === true ? '\r' : ''
  for (const kind of KINDS) {
    const value = change[kind]
    if (value === undefined) continue
    const field = fieldOf(place, kind)
    const end = sectionEnd(lines, header)
    const at = lines.findIndex((line, index) => index > header && index < end && isField(line, field))
    const line = lines[at]
    if (line !== undefined) lines[at] = replaced(line, literal(value))
    else lines.splice(placeFor(lines, header, end, place), 0, `${field} = ${literal(value)}${returns}`)
  }
  return lines.join('\n')
}

function fieldOf(place: PricePlace, kind: keyof PriceChange): string {
  return place === 'default' ? kind : MODEL_FIELDS[kind]
}

/** TOML's integers end at 2^63: beyond, the number is a text, which the settings take as well. */
function literal(value: bigint): string {
  return value > MAX_I64 ? `"${value}"` : String(value)
}

function headerOf(lines: readonly string[], place: PricePlace): number | null {
  const pattern = place === 'default' ? /^\s*\[\s*prices\s*\]\s*(#.*)?$/ : /^\s*\[\[\s*models\s*\]\]\s*(#.*)?$/
  const headers = lines.flatMap((line, index) => (pattern.test(line) ? [index] : []))
  return headers[place === 'default' ? 0 : place.model] ?? null
}

/** The next header, or the end. */
function sectionEnd(lines: readonly string[], header: number): number {
  const next = lines.findIndex((line, index) => index > header && /^\s*\[/.test(line))
  return next < 0 ? lines.length : next
}

/** Behind the fields that belong together, or at the beginning of the section. */
function placeFor(lines: readonly string[], header: number, end: number, place: PricePlace): number {
  const neighbours = [...KINDS.map((kind) => fieldOf(place, kind)), 'name', 'source']
  for (let at = end - 1; at > header; at--) {
    if (neighbours.some((field) => isField(lines[at] ?? '', field))) return at + 1
  }
  return header + 1
}

function isField(line: string, field: string): boolean {
  return new RegExp(`^\\s*${field}\\s*=`).test(line)
}

/** The value alone: what stands before it and a comment behind it stay. */
function replaced(line: string, value: string): string {
  return line.replace(
    /^(\s*\w+\s*=\s*)[^#\r]*?(\s*(#.*)?\r?)$/,
    (_, start: string, rest: string) => `${start}${value}${rest}`,
  )
}

/** What the old file says, with these prices: changed in place, because what the parser makes compares with its own kind. */
function priced(tables: Tables, place: PricePlace, change: PriceChange, none: Tables): Tables {
  const models = tables['models'] as readonly Tables[] | undefined
  const table = place === 'default' ? ((tables['prices'] ??= none) as Tables) : models?.[place.model]
  for (const kind of KINDS) {
    const value = change[kind]
    if (value !== undefined && table) table[fieldOf(place, kind)] = value > MAX_I64 ? String(value) : value
  }
  return tables
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return ''
    throw DaemonError.CONFIG_UNREADABLE(`${path} cannot be read (${codeOf(error) ?? 'unknown reason'}).`, error)
  }
}

/** Beside the real file: a link to it stays one. */
function write(path: string, text: string): void {
  try {
    makeFolder(dirname(path))
    const there = statSync(path, { throwIfNoEntry: false })
    const real = there ? realpathSync(path) : path
    const file = openSync(`${real}.new`, 'w', there ? there.mode & 0o777 : 0o600)
    try {
      writeSync(file, text)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(`${real}.new`, real)
  } catch (error) {
    throw DaemonError.CONFIG_UNREADABLE(`${path} cannot be written (${codeOf(error) ?? 'unknown reason'}).`, error)
  }
}
