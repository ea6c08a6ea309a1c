/** The terminal as the commands see it: where text goes, how wide it is, and whether colour is welcome. */
import { styleText } from 'node:util'

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'

export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  /** Text for people on standard output, as it is. */
  out(text: string): void
  /** Text for people on standard error. */
  err(text: string): void
  /** One JSON value on a line of standard output. bigints become decimal strings. */
  json(value: unknown): void
  /** Colours text for standard output; nothing when it is not a terminal. */
  paint(style: Style, text: string): string
  /** Columns of standard output; 0 = not a terminal, so as wide as it gets. */
  readonly width: number
  /** Ends the process at once, whatever is open. */
  exit(code: number): never
}

export function processIo(): Io {
  const { env, stdin, stdout, stderr } = process
  // https://no-color.org and its counterpart.
  const colour = env['FORCE_COLOR'] !== undefined || (stdout.isTTY && !env['NO_COLOR'] && env['TERM'] !== 'dumb')
  return {
    env,
    cwd: process.cwd(),
    stdin,
    stdout,
    stderr,
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    json: (value) => void stdout.write(`${JSON.stringify(value, plainBigint)}\n`),
    paint: (style, text) => (colour ? styleText(style, text) : text),
    get width() {
      return stdout.isTTY ? stdout.columns || 80 : 0
    },
    exit: (code) => process.exit(code),
  }
}

function plainBigint(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}
