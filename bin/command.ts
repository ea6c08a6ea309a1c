/** What a command is to the program: how it appears in `--help`, and how it runs. */
import type { Command } from 'commander'
import { DaemonError } from '../daemon/errors.js'
import type { Flags } from '../daemon/config.js'
import type { Io } from './io.js'

export interface CommandModule {
  /** Arguments, own options, help text. Called only when the command is named on the command line. */
  define(command: Command): void
  /** Resolves to the exit code. What it throws is shown by its message and ends with the exit code of its `code`. */
  run(call: CommandCall): Promise<number>
}

export interface CommandCall {
  readonly io: Io
  readonly version: string
  /** The name under which it was called: its own, or that of one of its subcommands. */
  readonly name: string
  /** Positional arguments, in order. */
  readonly args: readonly string[]
  /** The command's own options by commander's attribute name. */
  readonly options: Readonly<Record<string, unknown>>
  /** The settings given as flags. */
  readonly flags: Flags
  /** `--config`. */
  readonly configPath: string | null
  readonly json: boolean
}

/** For a command whose subcommands may be left out: refuses what is none of them. Throws `CONFIG_INVALID`. */
export function refuseUnknown(call: CommandCall, known: readonly string[]): void {
  const [given] = call.args
  if (known.includes(call.name) || given === undefined) return
  throw DaemonError.CONFIG_INVALID(
    `There is no "swarmd ${call.name} ${given}"; it must be ${known.slice(0, -1).join(', ')} or ${known.at(-1) ?? ''}.`,
  )
}

/** The text of an own option; null when it was not given. */
export function optionText(call: CommandCall, name: string): string | null {
  const value = call.options[name]
  return typeof value === 'string' ? value : null
}
