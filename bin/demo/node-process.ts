/**
 * A node of the demonstration: a `swarmd` process of its own, watched through its `--json` events. It ends with its parent,
 * however the parent ends, because it holds a channel that closes with it.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export type NodeEvent = Readonly<Record<string, unknown>> & { readonly event: string }

const KILL_MS = 5000
/** Enough of what went wrong to be told; a node that fails says so in its last lines. */
const COMPLAINT_CHARS = 2000

export class NodeProcess {
  readonly name: string
  /** Resolves when the process is gone. */
  readonly gone: Promise<void>
  #child: ChildProcess
  #events: NodeEvent[] = []
  #waiters = new Set<() => void>()
  #complaint = ''
  #over = false

  constructor(name: string, args: readonly string[], env: Readonly<Record<string, string | undefined>>) {
    this.name = name
    this.#child = spawn(
      process.execPath,
      [fileURLToPath(new URL('../swarmd.js', import.meta.url)), ...args, '--json'],
      {
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        env: { ...env },
      },
    )
    this.gone = once(this.#child, 'close').then(() => {
      this.#over = true
      this.#wake()
    })
    if (this.#child.stdout) createInterface({ input: this.#child.stdout }).on('line', (line) => this.#heard(line))
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#complaint = (this.#complaint + chunk.toString('utf8')).slice(-COMPLAINT_CHARS)
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** The first event of that name. Throws with the node's own words when it failed or ended before. */
  async event(name: string): Promise<NodeEvent> {
    for (;;) {
      const found = this.#events.find((event) => event.event === name)
      if (found) return found
      const failed = this.#events.find((event) => event.event === 'failed' || 'error' in event)
      if (failed || this.#over) throw new Error(`The ${this.name} could not start: ${this.#why(failed)}`)
      await new Promise<void>((resolve) => this.#waiters.add(resolve))
    }
  }

  /** Asks it to end; insists after a while. */
  async stop(): Promise<void> {
    if (this.#over) return
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), KILL_MS)
    await this.gone
    clearTimeout(timer)
  }

  #heard(line: string): void {
    const event = parseEvent(line)
    if (event) this.#events.push(event)
    this.#wake()
  }

  #wake(): void {
    for (const wake of this.#waiters) wake()
    this.#waiters.clear()
  }

  #why(failed: NodeEvent | undefined): string {
    const message = failed?.['message']
    const error = failed?.['error']
    if (typeof message === 'string') return message
    if (typeof error === 'object' && error !== null && 'message' in error) return String(error.message)
    return this.#complaint.trim() || 'it ended without a word'
  }
}

function parseEvent(line: string): NodeEvent | null {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value !== 'object' || value === null) return null
    return { ...value, event: 'event' in value ? String(value.event) : 'error' }
  } catch {
    return null
  }
}
