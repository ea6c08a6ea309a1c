/**
 * Three hosts on one machine: network namespaces joined by a bridge inside one of them, so that nothing of it touches
 * the machine's own network. Needs Linux, root and iproute2.
 */
import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

export const HOSTS = { bootstrap: '11.22.33.1', provider: '11.22.33.2', consumer: '11.22.33.3' } as const
export type HostName = keyof typeof HOSTS

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}

/** Why namespaces cannot be had here; null = they can. */
export function whyNot(): string | null {
  if (process.platform !== 'linux') return 'network namespaces are a thing of Linux'
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  const probe = `swarmd-probe-${process.pid}`
  try {
    ip('netns', 'add', probe)
    ip('-n', probe, 'link', 'add', 'name', 'v0', 'type', 'veth', 'peer', 'name', 'v1')
    return null
  } catch (error) {
    return `network namespaces are not allowed here: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : ''}`
  } finally {
    try {
      ip('netns', 'del', probe)
    } catch {
      // It was never made.
    }
  }
}

/** A process in one of the hosts; it speaks one JSON value a line. */
export interface Speaker {
  /** The next line. */
  hear(): Promise<Record<string, unknown>>
  say(line: string): void
  kill(): void
}

export class Namespaces {
  #prefix = `sw${process.pid}`
  #children: ChildProcessByStdio<Writable, Readable, null>[] = []

  /** The bridge lives where the bootstrap node does; the two homes hang on it. */
  constructor() {
    const hub = this.#name('bootstrap')
    for (const name of Object.keys(HOSTS) as HostName[]) {
      ip('netns', 'add', this.#name(name))
      ip('-n', this.#name(name), 'link', 'set', 'lo', 'up')
    }
    // A bridge listens for half a minute before it forwards, unless told not to.
    ip('-n', hub, 'link', 'add', 'name', 'br0', 'type', 'bridge', 'forward_delay', '0')
    ip('-n', hub, 'addr', 'add', `${HOSTS.bootstrap}/24`, 'dev', 'br0')
    ip('-n', hub, 'link', 'set', 'br0', 'up')
    for (const name of ['provider', 'consumer'] as const) {
      ip('-n', hub, 'link', 'add', 'name', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.#name(name))
      ip('-n', hub, 'link', 'set', name, 'master', 'br0')
      ip('-n', this.#name(name), 'addr', 'add', `${HOSTS[name]}/24`, 'dev', 'eth0')
      ip('-n', this.#name(name), 'link', 'set', 'eth0', 'up')
      this.cable(name, 'up')
    }
  }

  /** Pulls or plugs the cable of one home. */
  cable(name: 'provider' | 'consumer', state: 'up' | 'down'): void {
    ip('-n', this.#name('bootstrap'), 'link', 'set', name, state)
  }

  /** Runs `namespace-node.js` in a host. */
  run(name: HostName, ...args: readonly string[]): Speaker {
    const script = fileURLToPath(new URL('namespace-node.js', import.meta.url))
    const command = ['netns', 'exec', this.#name(name), process.execPath, script, name, ...args]
    const child = spawn('ip', command, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#children.push(child)
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
    return {
      async hear() {
        const next = await lines.next()
        if (next.done) throw new Error(`the ${name} ended`)
        return JSON.parse(next.value) as Record<string, unknown>
      },
      say: (line) => void child.stdin.write(`${line}\n`),
      kill: () => void child.kill('SIGKILL'),
    }
  }

  close(): void {
    for (const child of this.#children) child.kill('SIGKILL')
    for (const name of Object.keys(HOSTS) as HostName[]) ip('netns', 'del', this.#name(name))
  }

  #name(host: HostName): string {
    return `${this.#prefix}-${host}`
  }
}
