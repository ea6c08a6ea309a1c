/**
 * The daemon's log: pino with redaction, as JSON lines to a file or standard error, or as plain lines on a terminal. pino is
 * loaded behind the first line, not before the API listens; until then lines wait in order.
 */
import { openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Logger } from 'pino'
import safetyCatch from 'safety-catch'
import { codeOf, DaemonError } from './errors.js'
import type { NodeLog } from './node-options.js'
import { makeFolder } from './paths.js'

export interface LogOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** Absolute; null = `write`. */
  readonly file: string | null
  /** Lines for people instead of JSON; ignored with a file. */
  readonly human: boolean
  /** Takes one line with its end; never throws. */
  readonly write: (line: string) => void
}

export interface OwnedLog extends NodeLog {
  /** Resolves when everything logged so far has been written. */
  flush(): Promise<void>
}

/** Whatever a caller passes by mistake under these names, at any of the first three levels, is not written. */
const SECRET_FIELDS = [
  'key',
  'apiKey',
  'api_key',
  'authorization',
  'invite',
  'seed',
  'secretKey',
  'prompt',
  'messages',
  'content',
  'text',
  'body',
]
const REDACTED = SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`])
/** Lines that may wait for pino; more are dropped, oldest first. */
const MAX_WAITING = 1000

type Level = keyof NodeLog
type Entry = readonly [level: Level, fields: Readonly<Record<string, unknown>>, message: string]

/** Throws `CONFIG_INVALID` when the log file cannot be opened. */
export function createLog(options: LogOptions): OwnedLog {
  const sink =
    options.file === null ? { write: options.human ? forPeople(options.write) : options.write } : fileSink(options.file)
  const waiting: Entry[] = []
  let logger: Logger | null = null
  let loading: Promise<void> | null = null

  const load = async (): Promise<void> => {
    const { pino } = await import('pino')
    logger = pino(
      { level: options.level, base: null, redact: REDACTED, timestamp: pino.stdTimeFunctions.isoTime },
      sink,
    )
    for (const [level, fields, message] of waiting.splice(0)) logger[level](fields, message)
  }
  const enter = (...entry: Entry): void => {
    const [level, fields, message] = entry
    if (options.level === 'silent') return
    if (logger !== null) return logger[level](fields, message)
    waiting.push(entry)
    if (waiting.length > MAX_WAITING) waiting.shift()
    loading ??= load().catch(safetyCatch)
  }
  return {
    debug: (fields, message) => enter('debug', fields, message),
    info: (fields, message) => enter('info', fields, message),
    warn: (fields, message) => enter('warn', fields, message),
    error: (fields, message) => enter('error', fields, message),
    flush: () => loading ?? Promise.resolve(),
  }
}

function fileSink(path: string): { write(line: string): void } {
  let fd: number
  try {
    makeFolder(dirname(path))
    fd = openSync(path, 'a', 0o600)
  } catch (error) {
    throw DaemonError.CONFIG_INVALID(`The log file ${path} cannot be opened (${codeOf(error) ?? 'unknown reason'}).`)
  }
  return {
    write(line) {
      try {
        writeSync(fd, line)
      } catch {
        // A full disk must not end the daemon because of its log.
      }
    },
  }
}

const LEVEL_NAMES: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info ', 40: 'warn ', 50: 'error' }

/** `15:04:05 warn  message  name=value …` */
function forPeople(write: (line: string) => void): (line: string) => void {
  return (line) => {
    const { level, time, msg, err, ...fields } = JSON.parse(line) as Readonly<Record<string, unknown>>
    const clock = new Date(String(time)).toTimeString().slice(0, 8)
    const rest = Object.entries(fields).map(
      ([name, value]) => `${name}=${typeof value === 'string' ? shortened(value) : JSON.stringify(value)}`,
    )
    const reason = typeof err === 'object' && err !== null && 'message' in err ? [String(err.message)] : []
    write(`${[clock, LEVEL_NAMES[Number(level)] ?? '', String(msg), ...rest, ...reason].join(' ')}\n`)
  }
}

/** Keys and roots by their first digits: the whole ones are in `swarmd status --json`. */
function shortened(value: string): string {
  return /^[0-9a-f]{64}$/.test(value) ? `${value.slice(0, 12)}…` : value
}
