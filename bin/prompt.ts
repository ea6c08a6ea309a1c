/** Questions to a person. They go to standard error, so that standard output stays what the command writes. */
import { createInterface } from 'node:readline'
import type { Interface } from 'node:readline'
import { Writable } from 'node:stream'
import { DaemonError } from '../daemon/errors.js'
import type { Io } from './io.js'

/** The line that was typed, shown as it is typed. Throws `CANCELLED` on Ctrl-C and Ctrl-D. */
export function askLine(io: Io, question: string): Promise<string> {
  return ask(io, question, io.stderr)
}

/** The same without showing it. */
export function askHidden(io: Io, question: string): Promise<string> {
  io.err(question)
  return ask(io, '', new Writable({ write: (_chunk, _encoding, done) => done() })).finally(() => io.err('\n'))
}

/**
 * Lines until `next` has no further question. What is pasted over several lines is taken line by line; what is left of it
 * goes nowhere.
 */
export function askLines(io: Io, next: (given: readonly string[]) => string | null): Promise<readonly string[]> {
  const lines = createInterface({ input: io.stdin, output: io.stderr, terminal: io.stdin.isTTY, historySize: 0 })
  const given: string[] = []
  return new Promise((resolve, reject) => {
    const ask = (): void => {
      const question = next(given)
      if (question !== null) {
        lines.setPrompt(question)
        return lines.prompt()
      }
      resolve(given)
      lines.close()
    }
    endsWith(io, lines, reject)
    lines.on('line', (line) => {
      given.push(line)
      ask()
    })
    ask()
  })
}

/** y or yes; everything else is no. */
export async function confirm(io: Io, question: string): Promise<boolean> {
  return /^y(es)?$/i.test((await askLine(io, `${question} [y/N] `)).trim())
}

function ask(io: Io, question: string, output: NodeJS.WritableStream): Promise<string> {
  const lines = createInterface({ input: io.stdin, output, terminal: io.stdin.isTTY, historySize: 0 })
  return new Promise((resolve, reject) => {
    endsWith(output === io.stderr ? io : null, lines, reject)
    lines.question(question, (answer) => {
      resolve(answer)
      lines.close()
    })
  })
}

/** Ctrl-C and Ctrl-D. `io`: what follows begins on a line of its own. */
function endsWith(io: Io | null, lines: Interface, reject: (error: Error) => void): void {
  lines.once('SIGINT', () => {
    io?.err('\n')
    lines.close()
  })
  lines.once('close', () => reject(DaemonError.CANCELLED()))
}
