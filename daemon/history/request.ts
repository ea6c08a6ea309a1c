/**
 * What the history can be asked: JSON values, because they also travel over the control socket. Times are Unix
 * milliseconds, amounts never occur.
 */
import { HistoryError } from './errors.js'

/** All conditions hold together; what is absent is not looked at. */
export interface Selection {
  /** A model's name, or the first digits of its root. */
  readonly model?: string
  /** The first digits of the other side's key. */
  readonly peer?: string
  readonly kind?: 'chat' | 'completion' | 'embedding'
  /** Which side this node was. */
  readonly role?: 'consumer' | 'provider'
  /** End of the request on this node's clock, both included. */
  readonly since?: number
  readonly until?: number
}

export type ExportFormat = 'jsonl' | 'csv'

/** By number, from 0. */
export type Windows = readonly number[] | 'all'

export type HistoryRequest =
  | { readonly op: 'list'; readonly selection: Selection; readonly limit: number | null }
  | { readonly op: 'search'; readonly text: string; readonly selection: Selection; readonly limit: number | null }
  | { readonly op: 'show'; readonly id: string }
  /**
   * `content`: with the content key, request and response, so that whoever reads the file can read them. `windows`: of 32
   * output positions each, with their candidates; only on the node that computed them, as long as it keeps them.
   */
  | { readonly op: 'proof'; readonly id: string; readonly content: boolean; readonly windows?: Windows | null }
  | {
      readonly op: 'export'
      readonly format: ExportFormat
      readonly selection: Selection
      readonly limit: number | null
    }
  | { readonly op: 'prune'; readonly before: number }
  | { readonly op: 'prune'; readonly keepBytes: number }
  | { readonly op: 'forget'; readonly id: string }
  | { readonly op: 'verify' }
  /** `from`: a folder with a copy; null = the peers that are connected, or those of them whose key begins with `peer`. */
  | { readonly op: 'restore'; readonly from: string | null; readonly peer: string | null }

const MAX_TEXT = 1024
const MAX_PATH = 2048
const MAX_WINDOWS = 1024
const KINDS = ['chat', 'completion', 'embedding'] as const
const ROLES = ['consumer', 'provider'] as const

/** Throws `HISTORY_BAD_REQUEST`. */
export function parseHistoryRequest(raw: unknown): HistoryRequest {
  const fields = record(raw, 'a request')
  const op = fields['op']
  switch (op) {
    case 'list':
      return { op, selection: selectionOf(fields), limit: count(fields, 'limit') }
    case 'search': {
      const text = words(fields, 'text', MAX_TEXT)
      return { op, text, selection: selectionOf(fields), limit: count(fields, 'limit') }
    }
    case 'show':
    case 'forget':
      return { op, id: words(fields, 'id', 64) }
    case 'proof':
      return { op, id: words(fields, 'id', 64), content: fields['content'] === true, windows: windowsOf(fields) }
    case 'export': {
      const format = oneOf(fields, 'format', ['jsonl', 'csv'] as const)
      if (format === undefined) throw HistoryError.BAD_REQUEST('format is missing')
      return { op, format, selection: selectionOf(fields), limit: count(fields, 'limit') }
    }
    case 'prune':
      return pruneOf(fields)
    case 'verify':
      return { op }
    case 'restore':
      return restoreOf(fields)
    default:
      throw HistoryError.BAD_REQUEST('The history has no such question: is the running swarmd of another version?')
  }
}

function windowsOf({ windows }: Readonly<Record<string, unknown>>): Windows | null {
  if (windows === undefined || windows === null) return null
  if (windows === 'all') return windows
  const some = Array.isArray(windows) && windows.length > 0 && windows.length <= MAX_WINDOWS
  if (some && windows.every((window) => Number.isSafeInteger(window) && window >= 0)) return windows as number[]
  throw HistoryError.BAD_REQUEST(`windows must be all, or 1 to ${MAX_WINDOWS} numbers from 0`)
}

function pruneOf(fields: Readonly<Record<string, unknown>>): HistoryRequest {
  const before = count(fields, 'before')
  const keepBytes = count(fields, 'keepBytes')
  if (before !== null && keepBytes === null) return { op: 'prune', before }
  if (before === null && keepBytes !== null) return { op: 'prune', keepBytes }
  throw HistoryError.BAD_REQUEST('prune takes either an age or a size')
}

function restoreOf(fields: Readonly<Record<string, unknown>>): HistoryRequest {
  const given = fields['peer'] ?? null
  const peer = given === null ? null : words(fields, 'peer', 64).toLowerCase()
  if (peer !== null && !/^[0-9a-f]+$/.test(peer)) throw HistoryError.BAD_REQUEST('peer must be hexadecimal digits')
  return { op: 'restore', from: fields['from'] === null ? null : words(fields, 'from', MAX_PATH), peer }
}

function selectionOf(fields: Readonly<Record<string, unknown>>): Selection {
  const given = record(fields['selection'], 'a selection')
  const model = given['model'] === undefined ? {} : { model: words(given, 'model', 128) }
  const peer = given['peer'] === undefined ? {} : { peer: words(given, 'peer', 64) }
  const kind = oneOf(given, 'kind', KINDS)
  const role = oneOf(given, 'role', ROLES)
  const since = count(given, 'since')
  const until = count(given, 'until')
  return {
    ...model,
    ...peer,
    ...(kind === undefined ? {} : { kind }),
    ...(role === undefined ? {} : { role }),
    ...(since === null ? {} : { since }),
    ...(until === null ? {} : { until }),
  }
}

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw HistoryError.BAD_REQUEST(`${what} must be an object`)
}

function words(fields: Readonly<Record<string, unknown>>, name: string, max: number): string {
  const value = fields[name]
  if (typeof value === 'string' && value.length > 0 && value.length <= max) return value
  throw HistoryError.BAD_REQUEST(`${name} must be a text of 1 to ${max} characters`)
}

/** null when absent. */
function count(fields: Readonly<Record<string, unknown>>, name: string): number | null {
  const value = fields[name]
  if (value === undefined || value === null) return null
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw HistoryError.BAD_REQUEST(`${name} must be a whole number`)
}

function oneOf<T extends string>(
  fields: Readonly<Record<string, unknown>>,
  name: string,
  values: readonly T[],
): T | undefined {
  const given = fields[name]
  const value = values.find((one) => one === given)
  if (given !== undefined && value === undefined) {
    throw HistoryError.BAD_REQUEST(`${name} must be one of ${values.join(', ')}`)
  }
  return value
}
