/** All checks in order. Each ends with a finding, whatever goes wrong inside it. */
import { readFileSync, statSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { availableParallelism, freemem, totalmem } from 'node:os'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { LoadedConfig } from '../config.js'
import { isLocked, readHolder } from '../lock.js'
import type { NodeOptions } from '../node-options.js'
import { ADDONS, checkAddon } from './addons.js'
import { fail } from './check.js'
import type { Finding } from './check.js'
import { checkClock, checkDisk, checkMemory, checkNode, checkThreads } from './machine.js'
import type { MemoryNeed } from './machine.js'
import { checkSwarm } from './network.js'
import { checkDataFolder, checkPort } from './places.js'

export interface DoctorOptions {
  readonly loaded: LoadedConfig
  readonly node: NodeOptions
  /** How much memory the model in question takes; null = none was named. Throws what stands against loading it. */
  readonly memoryNeed: (() => Promise<MemoryNeed>) | null
  /** How long the DHT may take. */
  readonly swarmTimeoutMs: number
}

type Check = readonly [name: string, run: () => Finding | Promise<Finding>]

/** Yields each finding as it is made. */
export async function* examine(options: DoctorOptions): AsyncGenerator<Finding> {
  for (const [name, run] of checks(options)) {
    try {
      yield await run()
    } catch (error) {
      yield fail(
        name,
        error instanceof Error ? error.message : String(error),
        'This check could not be made; the reason above says more.',
      )
    }
  }
}

function checks({ loaded, node, memoryNeed, swarmTimeoutMs }: DoctorOptions): readonly Check[] {
  const { dataDir, cacheDir, config } = loaded
  const running = isLocked(dataDir) ? (readHolder(dataDir)?.apiUrl ?? null) : null
  return [
    ['node', () => checkNode(process.versions.node)],
    ...ADDONS.map((addon): Check => [addon.name, () => checkAddon(addon)]),
    [
      'memory',
      async () =>
        checkMemory(
          { total: totalmem(), available: availableMemory() },
          memoryNeed === null ? null : await memoryNeed(),
        ),
    ],
    ['threads', () => checkThreads({ physical: physicalCores(), logical: availableParallelism() }, config.threads)],
    ['disk (data)', async () => checkDisk(dataDir, await freeSpace(dataDir), 'data')],
    ['disk (models)', async () => checkDisk(cacheDir, await freeSpace(cacheDir), 'models')],
    ['data folder', () => checkDataFolder(dataDir)],
    ['clock', () => checkClock(Date.now(), statSync(fileURLToPath(import.meta.url)).mtimeMs)],
    ...(node.api === null ? [] : [['port', () => checkPort(config.host, config.port, running)] satisfies Check]),
    ['swarm', () => checkSwarm(node, swarmTimeoutMs)],
  ]
}

/** Of the nearest folder that exists. */
async function freeSpace(folder: string): Promise<number> {
  for (let place = folder; ; place = dirname(place)) {
    try {
      const { bavail, bsize } = await statfs(place)
      return bavail * bsize
    } catch (error) {
      if (dirname(place) === place) throw error
    }
  }
}

/** What can be had without swapping: free memory does not count caches that the kernel would give up. */
function availableMemory(): number {
  const kilobytes = procNumber('/proc/meminfo', /^MemAvailable:\s+(\d+) kB$/m)
  return kilobytes === null ? freemem() : kilobytes * 1024
}

/** Distinct (package, core) pairs where the kernel tells them, else half of a hyperthreaded guess is worse than all. */
function physicalCores(): number {
  const logical = availableParallelism()
  const text = readText('/proc/cpuinfo')
  const packages = [...text.matchAll(/^physical id\s*: (\d+)$/gm)].map((match) => match[1])
  const cores = [...text.matchAll(/^core id\s*: (\d+)$/gm)].map((match) => match[1])
  const distinct = new Set(cores.map((core, index) => `${packages[index] ?? 0}:${core}`)).size
  return distinct === 0 ? logical : Math.min(distinct, logical)
}

function procNumber(path: string, pattern: RegExp): number | null {
  const match = pattern.exec(readText(path))
  return match?.[1] === undefined ? null : Number(match[1])
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
