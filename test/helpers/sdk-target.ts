/**
 * What SDKs are tested against: a consumer's API in front of a provider in another process, found through a loopback DHT.
 * The provider serves the demo model, for answers, and a slow mock, for streams that are cut off.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { NodeProcess } from '../../bin/demo/node-process.js'
import { connectControl } from '../../daemon/control/client.js'
import type { NodeSnapshot } from '../../daemon/control/snapshot.js'
import { startLoopbackDht } from '../../swarm/bootstrap.js'
import { ROOT } from './repository.js'

export interface SdkTarget {
  /** `http://127.0.0.1:n/v1` */
  readonly baseURL: string
  /** The demo model's id. */
  readonly toy: string
  /** The mock's id: 20 tokens a second, as many as are asked for. */
  readonly slow: string
  /** Resolves once the provider computes something, or nothing. */
  computes(something: boolean): Promise<void>
}

export const CAPITAL = { ask: "What's the capital of Japan?", answer: 'The capital of Japan is Tokyo.' }
/** Worked out in a thought, whatever the result. */
export const SUM = { ask: 'What is 27 + 45?', answer: /27 \+ 45 = \d+/ }

const SEEDLING = join(ROOT, 'models', 'seedling', 'seedling.gguf')

/** Opens the target before the tests of the calling file and closes it after them. */
export function sdkTarget(): () => SdkTarget {
  const closers: (() => Promise<unknown>)[] = []
  let target: SdkTarget | null = null
  before(async () => {
    target = await open((closer) => void closers.unshift(closer))
  })
  after(async () => {
    for (const close of closers) await close()
  })
  return () => {
    assert.ok(target, 'the target is open before the first test')
    return target
  }
}

async function open(onClose: (closer: () => Promise<unknown>) => void): Promise<SdkTarget> {
  const folder = await mkdtemp(join(tmpdir(), 'swarmd-sdk-'))
  onClose(() => rm(folder, { recursive: true, force: true }))
  const dht = await startLoopbackDht()
  onClose(() => dht.close())
  const config = join(folder, 'config.toml')
  await writeFile(config, '')
  const bootstrap = dht.bootstrap.flatMap(({ host, port }) => ['--bootstrap', `${host}:${port}`])
  const start = (name: string, ...args: readonly string[]): NodeProcess => {
    const all = [...args, '--data', join(folder, name), '--network', 'sdk', '--swarm-host', '127.0.0.1', ...bootstrap]
    const node = new NodeProcess(name, all, { ...process.env, SWARMD_CONFIG: config })
    onClose(() => node.stop())
    return node
  }
  const provider = start(
    'provider',
    'serve',
    SEEDLING,
    'mock',
    '--tokens-per-second',
    '20',
    '--threads',
    '1',
    '--no-api',
  )
  const consumer = start('consumer', 'up', '--port', '0')
  await provider.event('ready')
  const { apiUrl } = await consumer.event('listening')
  const { models } = await seen(join(folder, 'consumer'), (snapshot) => snapshot.models.length === 2)
  const id = (mock: boolean): string => models.find(({ features }) => features.includes('mock') === mock)?.id ?? ''
  return {
    baseURL: `${String(apiUrl)}/v1`,
    toy: id(false),
    slow: id(true),
    async computes(something) {
      await seen(join(folder, 'provider'), ({ served }) => served.some(({ active }) => active > 0) === something)
    },
  }
}

async function seen(dataDir: string, wanted: (snapshot: NodeSnapshot) => boolean): Promise<NodeSnapshot> {
  const control = await connectControl({ dataDir, runtimeDir: process.env['XDG_RUNTIME_DIR'] })
  try {
    return await new Promise<NodeSnapshot>((resolve, reject) => {
      const look = (snapshot: NodeSnapshot): void => {
        if (wanted(snapshot)) resolve(snapshot)
      }
      control.subscribe(look).then(look, reject)
    })
  } finally {
    control.close()
  }
}
