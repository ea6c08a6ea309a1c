/** A consumer and its providers as real processes on a private DHT, for one test. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { NodeProcess } from '../../bin/demo/node-process.js'
import { connectControl } from '../../daemon/control/client.js'
import type { NodeSnapshot } from '../../daemon/control/snapshot.js'
import { startLoopbackDht } from '../../swarm/bootstrap.js'

export interface SmallNet {
  /** Of the consumer's API, with `/v1`. */
  readonly base: string
  /** The consumer's data folder. */
  readonly dataDir: string
  /** What every command and node of this test runs with. */
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Resolves once the consumer knows all providers; each is given by the flags of its `serve mock`, the consumer by its own. */
export async function smallNet(
  t: TestContext,
  providers: readonly (readonly string[])[],
  flags: readonly string[] = [],
): Promise<SmallNet> {
  const folder = await mkdtemp(join(tmpdir(), 'swarmd-test-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const dht = await startLoopbackDht()
  t.after(() => dht.close())
  const config = join(folder, 'config.toml')
  await writeFile(config, '')
  const env = { ...process.env, SWARMD_CONFIG: config }
  const common = [...dht.bootstrap.flatMap(({ host, port }) => ['--bootstrap', `${host}:${port}`]), '--network', 'test']
  const start = (name: string, ...args: readonly string[]): NodeProcess => {
    const node = new NodeProcess(name, [...args, '--data', join(folder, name), ...common], env)
    t.after(() => node.stop())
    return node
  }
  const serving = providers.map((own, i) => start(`provider${i}`, 'serve', 'mock', '--no-api', ...own))
  const consumer = start('consumer', 'up', '--port', '0', ...flags)
  await Promise.all(serving.map((provider) => provider.event('ready')))
  const { apiUrl } = await consumer.event('listening')
  const dataDir = join(folder, 'consumer')
  const control = await connectControl({ dataDir, runtimeDir: process.env['XDG_RUNTIME_DIR'] })
  await new Promise<void>((resolve, reject) => {
    const look = ({ models }: NodeSnapshot): void => {
      if (models[0]?.providers === providers.length) resolve()
    }
    control.subscribe(look).then(look, reject)
  }).finally(() => control.close())
  return { base: `${String(apiUrl)}/v1`, dataDir, env }
}
