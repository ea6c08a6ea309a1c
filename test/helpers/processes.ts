/** Nodes as processes of their own on a private DHT, to be killed; and what their folders hold afterwards. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import OpenAI from 'openai'
import { NodeProcess } from '../../bin/demo/node-process.js'
import { connectControl } from '../../daemon/control/client.js'
import type { NodeSnapshot } from '../../daemon/control/snapshot.js'
import { openIdentity } from '../../daemon/identity.js'
import { LedgerStore } from '../../ledger/store/store.js'
import type { Entry } from '../../ledger/store/entry.js'
import { startLoopbackDht } from '../../swarm/bootstrap.js'

export interface Processes {
  readonly client: OpenAI
  /** Holds a folder for each node. */
  readonly folder: string
  /** All of them, or one. */
  kill(name?: string, signal?: NodeJS.Signals): Promise<void>
  /** The provider that computes something now. */
  killServing(): Promise<void>
  /** Newest first. */
  entries(name: string): Promise<readonly Entry[]>
  /** How many transactions a dead node's log has, and the newest content that it can read. */
  read(name: string): Promise<{ readonly transactions: number; readonly content: string }>
}

export async function processes(
  t: TestContext,
  { providers = 1, tokensPerSecond = 0 }: { readonly providers?: number; readonly tokensPerSecond?: number } = {},
): Promise<Processes> {
  const folder = await mkdtemp(join(tmpdir(), 'swarmd-killed-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const dht = await startLoopbackDht()
  t.after(() => dht.close())
  const config = join(folder, 'config.toml')
  await writeFile(config, '')
  const env = { ...process.env, SWARMD_CONFIG: config }
  const common = [...dht.bootstrap.flatMap(({ host, port }) => ['--bootstrap', `${host}:${port}`]), '--network', 'test']
  const running = new Map<string, NodeProcess>()
  const start = (name: string, ...args: string[]): NodeProcess => {
    const node = new NodeProcess(name, [...args, '--data', join(folder, name), ...common], env)
    running.set(name, node)
    t.after(() => node.stop())
    return node
  }
  const names = Array.from({ length: providers }, (_, i) => `provider${i}`)
  const serving = names.map((name) =>
    start(name, 'serve', 'mock', '--no-api', '--tokens-per-second', String(tokensPerSecond)),
  )
  const consumer = start('consumer', 'up', '--port', '0')
  await Promise.all(serving.map((provider) => provider.event('ready')))
  const { apiUrl } = await consumer.event('listening')
  await sees(join(folder, 'consumer'), ({ models }) => models[0]?.providers === providers)
  const kill = async (name: string, signal: NodeJS.Signals): Promise<void> => {
    const node = running.get(name)
    if (!node) return
    running.delete(name)
    process.kill(node.pid, signal)
    await node.gone
  }
  const store = async <T>(name: string, use: (ledger: LedgerStore, dataDir: string) => Promise<T>): Promise<T> => {
    const dataDir = join(folder, name)
    const ledger = await LedgerStore.open(join(dataDir, 'ledger'), openIdentity(dataDir).store())
    try {
      return await use(ledger, dataDir)
    } finally {
      await ledger.close()
    }
  }
  return {
    client: new OpenAI({ baseURL: `${String(apiUrl)}/v1`, apiKey: 'any', maxRetries: 0 }),
    folder,
    async kill(name, signal = 'SIGKILL') {
      await Promise.all((name === undefined ? [...running.keys()] : [name]).map((one) => kill(one, signal)))
    },
    async killServing() {
      const snapshots = await Promise.all(names.map((name) => snapshotOf(join(folder, name))))
      const at = snapshots.findIndex(({ provided }) => provided.active > 0)
      await kill(names[at] ?? '', 'SIGKILL')
    },
    entries: (name) => store(name, async (ledger) => (await ledger.query({}, 1000)).map(({ entry }) => entry)),
    read: (name) =>
      store(name, async (ledger, dataDir) => {
        const [newest] = await ledger.query({}, 1)
        const content = newest && (await ledger.content(newest.entry, openIdentity(dataDir).box()))
        return { transactions: ledger.length, content: content ? Buffer.from(content.request).toString('utf8') : '' }
      }),
  }
}

async function snapshotOf(dataDir: string): Promise<NodeSnapshot> {
  const control = await connectControl({ dataDir, runtimeDir: process.env['XDG_RUNTIME_DIR'] })
  try {
    return await control.snapshot()
  } finally {
    control.close()
  }
}

async function sees(dataDir: string, wanted: (snapshot: NodeSnapshot) => boolean): Promise<void> {
  const control = await connectControl({ dataDir, runtimeDir: process.env['XDG_RUNTIME_DIR'] })
  await new Promise<void>((resolve, reject) => {
    const look = (snapshot: NodeSnapshot): void => {
      if (wanted(snapshot)) resolve()
    }
    control.subscribe(look).then(look, reject)
  }).finally(() => control.close())
}
