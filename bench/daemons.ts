/**
 * Whole daemons on a loopback DHT, as processes of their own: what a bench measures is what a person would run.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import createTestnet from 'hyperdht/testnet.js'

const SWARMD = fileURLToPath(new URL('../bin/swarmd.js', import.meta.url))
const URL_LINE = /http:\/\/127\.0\.0\.1:\d+/
const NETWORK = 'bench'
const PATIENCE_MS = 120_000

export interface Daemon {
  /** `http://127.0.0.1:n`, without `/v1`. */
  readonly url: string
  readonly pid: number
  /** Milliseconds from spawn to the line that names the URL. */
  readonly listeningMs: number
  stop(): Promise<void>
}

export interface Loopback {
  /** `swarmd <arguments>` on this network, with a data folder of its own. Resolves when the local API listens. */
  start(...args: readonly string[]): Promise<Daemon>
  close(): Promise<void>
}

/** A DHT of `size` nodes in this process. `close()` stops every daemon started here, then the DHT. */
export async function loopback(size = 3): Promise<Loopback> {
  const testnet = await createTestnet(size, { host: '127.0.0.1' })
  const folder = mkdtempSync(join(tmpdir(), 'swarmd-bench-'))
  const daemons = new Set<Daemon>()
  const common = [
    ...testnet.bootstrap.flatMap(({ host, port }) => ['--bootstrap', `${host}:${port}`]),
    '--network',
    NETWORK,
    '--swarm-host',
    '127.0.0.1',
    '--port',
    '0',
    '--log-level',
    'error',
  ]
  return {
    async start(...args) {
      const dataDir = mkdtempSync(join(folder, 'node-'))
      const daemon = await launch([...args, ...common, '--data', dataDir])
      const stop = async (): Promise<void> => {
        daemons.delete(tracked)
        await daemon.stop()
        rmSync(dataDir, { recursive: true, force: true })
      }
      const tracked = { ...daemon, stop }
      daemons.add(tracked)
      return tracked
    },
    async close() {
      await Promise.all([...daemons].map((daemon) => daemon.stop()))
      await testnet.destroy()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function launch(args: readonly string[]): Promise<Daemon> {
  const begun = performance.now()
  const child = spawn(process.execPath, [SWARMD, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const errors: Buffer[] = []
  child.stderr.on('data', (chunk: Buffer) => {
    if (errors.length < 64) errors.push(chunk)
  })
  const { pid } = child
  try {
    const url = await firstUrl(child)
    if (pid === undefined) throw new Error('no process')
    return { url, pid, listeningMs: performance.now() - begun, stop: () => stop(child) }
  } catch (error) {
    await stop(child)
    throw new Error(`swarmd ${args.join(' ')} did not start: ${Buffer.concat(errors).toString()}`, { cause: error })
  }
}

function firstUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let seen = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      if (seen.length > 65_536) return
      seen += chunk.toString()
      const url = URL_LINE.exec(seen)?.[0]
      if (url !== undefined) resolve(url)
    })
    child.once('error', reject)
    child.once('exit', (code, signal) => reject(new Error(`ended with ${signal ?? code}`)))
  })
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await exited
  clearTimeout(late)
}

/** Waits until `url` lists a model, and returns its id. Throws after two minutes. */
export async function firstModel(url: string): Promise<string> {
  for (const deadline = performance.now() + PATIENCE_MS; performance.now() < deadline;) {
    const response = await fetch(`${url}/v1/models`)
    const { data } = (await response.json()) as { data?: readonly { id: string }[] }
    const id = data?.[0]?.id
    if (id !== undefined) return id
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`${url} sees no model`)
}

/** Resident set of a process in MB, from /proc; null where there is none. */
export function residentMb(pid: number): number | null {
  try {
    const kb = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return kb === undefined ? null : Number(kb) / 1024
  } catch {
    return null
  }
}
