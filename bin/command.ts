/** What a command is to the program: how it appears in `--help`, and how it runs. */
import type { Command } from 'commander'
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

/** The text of an own option; null when it was not given. */
export function optionText(call: CommandCall, name: string): string | null {
  const value = call.options[name]
  return typeof value === 'string' ? value : null
}
