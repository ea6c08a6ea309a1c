/** The real command line in a process and folders of its own. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

const SWARMD = fileURLToPath(new URL('../../bin/swarmd.js', import.meta.url))

export interface Outcome {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export type CliEvent = Readonly<Record<string, unknown>> & { readonly event: string }

/** A home of its own: no setting of the machine that runs the tests reaches the command, and nothing it writes stays. */
export class CliHome {
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
  readonly #children = new Set<ChildProcess>()

  constructor(t: TestContext) {
    this.folder = mkdtempSync(join(tmpdir(), 'swarmd-cli-'))
    this.env = {
      PATH: process.env['PATH'] ?? '',
      HOME: this.folder,
      XDG_CONFIG_HOME: join(this.folder, 'config'),
      XDG_DATA_HOME: join(this.folder, 'data'),
      XDG_CACHE_HOME: join(this.folder, 'cache'),
      XDG_RUNTIME_DIR: this.folder,
    }
    t.after(async () => {
      await Promise.all([...this.#children].map((child) => killed(child)))
      rmSync(this.folder, { recursive: true, force: true })
    })
  }

  path(...parts: readonly string[]): string {
    return join(this.folder, ...parts)
  }

  /** Runs to its end. `input` is its standard input, closed after it. */
  run(
    args: readonly string[],
    options: { readonly env?: Readonly<Record<string, string>>; readonly input?: string } = {},
  ): Promise<Outcome> {
    const child = this.#spawn(args, options.env)
    // A command that reads nothing may be over before its input is written.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(options.input ?? '')
    return outcomeOf(child)
  }

  /** Starts a command that stays, with `--json`. */
  start(args: readonly string[], env?: Readonly<Record<string, string>>): RunningCli {
    return new RunningCli(this.#spawn([...args, '--json'], env))
  }

  #spawn(args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
    const child = spawn(process.execPath, [SWARMD, ...args], {
      cwd: this.folder,
      env: { ...this.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#children.add(child)
    child.once('exit', () => this.#children.delete(child))
    return child
  }
}

export class RunningCli {
  readonly child: ChildProcess
  readonly outcome: Promise<Outcome>
  readonly #events: CliEvent[] = []
  readonly #waiting = new Set<() => void>()
  #over = false

  constructor(child: ChildProcess) {
    this.child = child
    this.outcome = outcomeOf(child)
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).on('line', (line) => {
        this.#events.push(JSON.parse(line) as CliEvent)
        this.#wake()
      })
    }
    void this.outcome.then(() => {
      this.#over = true
      this.#wake()
    })
  }

  /** The first event of that name; rejects when the process ends without one. */
  async event(name: string): Promise<CliEvent> {
    for (;;) {
      const found = this.#events.find(({ event }) => event === name)
      if (found !== undefined) return found
      if (this.#over) throw new Error(`ended without "${name}": ${JSON.stringify(await this.outcome)}`)
      await new Promise<void>((resolve) => this.#waiting.add(resolve))
    }
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }
}

function outcomeOf(child: ChildProcess): Promise<Outcome> {
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      resolve({
        code,
        signal,
        stdout: Buffer.concat(out).toString('utf8'),
        stderr: Buffer.concat(err).toString('utf8'),
      })
    })
  })
}

function killed(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('close', () => resolve())
    child.kill('SIGKILL')
  })
}
