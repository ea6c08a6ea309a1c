/** All checks in order. Each ends with a finding, whatever goes wrong inside it. */
import { readFileSync, statSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { availableParallelism, totalmem } from 'node:os'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { LoadedConfig } from '../config.js'
import { availableMemory } from '../engine/model/memory.js'
import { isLocked, readHolder } from '../lock.js'
import type { NodeOptions } from '../node-options.js'
import { ADDONS, checkAddon } from './addons.js'
import { checkChain } from './chain.js'
import { fail } from './check.js'
import type { Finding } from './check.js'
import { checkClock, checkDisk, checkMemory, checkNode, checkThreads } from './machine.js'
import { checkModel } from './model.js'
import type { ModelQuestion } from './model.js'
import { checkSwarm } from './network.js'
import { checkDataFolder, checkPort } from './places.js'

export interface DoctorOptions {
  readonly loaded: LoadedConfig
  readonly node: NodeOptions
  readonly models: readonly ModelQuestion[]
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

function checks({ loaded, node, models, swarmTimeoutMs }: DoctorOptions): readonly Check[] {
  const { dataDir, cacheDir, config } = loaded
  const { chain } = node
  const running = isLocked(dataDir) ? (readHolder(dataDir)?.apiUrl ?? null) : null
  return [
    ['node', () => checkNode(process.versions.node)],
    ...ADDONS.map((addon): Check => [addon.name, () => checkAddon(addon)]),
    ['memory', () => checkMemory({ total: totalmem(), available: availableMemory() })],
    ...models.map((model): Check => ['model', () => checkModel(model)]),
    ['threads', () => checkThreads({ physical: physicalCores(), logical: availableParallelism() }, config.threads)],
    ['disk (data)', async () => checkDisk(dataDir, await freeSpace(dataDir), 'data')],
    ['disk (models)', async () => checkDisk(cacheDir, await freeSpace(cacheDir), 'models')],
    ['data folder', () => checkDataFolder(dataDir)],
    ['clock', () => checkClock(Date.now(), statSync(fileURLToPath(import.meta.url)).mtimeMs)],
    ...(node.api === null ? [] : [['port', () => checkPort(config.host, config.port, running)] satisfies Check]),
    ['swarm', () => checkSwarm(node, swarmTimeoutMs)],
    ...(chain ? [['chain', () => checkChain(chain, dataDir)] satisfies Check] : []),
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

/** Distinct (package, core) pairs where the kernel tells them; elsewhere what the system counts. */
function physicalCores(): number {
  const logical = availableParallelism()
  const text = readText('/proc/cpuinfo')
  const packages = [...text.matchAll(/^physical id\s*: (\d+)$/gm)].map((match) => match[1])
  const cores = [...text.matchAll(/^core id\s*: (\d+)$/gm)].map((match) => match[1])
  const distinct = new Set(cores.map((core, index) => `${packages[index] ?? 0}:${core}`)).size
  return distinct === 0 ? logical : Math.min(distinct, logical)
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
