/** Real processes on a private DHT: providers that are killed while they stream, and a caller who must not notice. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import OpenAI from 'openai'
import { NodeProcess } from '../../bin/demo/node-process.js'
import { connectControl } from '../../daemon/control/client.js'
import type { NodeSnapshot } from '../../daemon/control/snapshot.js'
import { startLoopbackDht } from '../../swarm/bootstrap.js'

const MODEL = 'mock-words:f32'

interface Net {
  readonly client: OpenAI
  readonly providers: readonly NodeProcess[]
  /** Resolves once the consumer's picture of itself satisfies `wanted`. */
  sees(wanted: (snapshot: NodeSnapshot) => boolean): Promise<void>
}

async function net(t: TestContext, providerCount: number, tokensPerSecond: number): Promise<Net> {
  const folder = await mkdtemp(join(tmpdir(), 'swarmd-test-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const dht = await startLoopbackDht()
  t.after(() => dht.close())
  const config = join(folder, 'config.toml')
  await writeFile(config, '')
  const env = { ...process.env, SWARMD_CONFIG: config }
  const common = [...dht.bootstrap.flatMap(({ host, port }) => ['--bootstrap', `${host}:${port}`]), '--network', 'test']
  const start = (name: string, ...args: string[]): NodeProcess => {
    const node = new NodeProcess(name, [...args, '--data', join(folder, name), ...common], env)
    t.after(() => node.stop())
    return node
  }
  const providers = Array.from({ length: providerCount }, (_, i) =>
    start(`p${i}`, 'serve', 'mock', '--no-api', '--tokens-per-second', String(tokensPerSecond)),
  )
  const consumer = start('consumer', 'up', '--port', '0')
  await Promise.all(providers.map((provider) => provider.event('ready')))
  const { apiUrl } = await consumer.event('listening')
  const sees = async (wanted: (snapshot: NodeSnapshot) => boolean): Promise<void> => {
    const control = await connectControl({
      dataDir: join(folder, 'consumer'),
      runtimeDir: process.env['XDG_RUNTIME_DIR'],
    })
    await new Promise<void>((resolve, reject) => {
      const look = (snapshot: NodeSnapshot): void => {
        if (wanted(snapshot)) resolve()
      }
      control.subscribe(look).then(look, reject)
    }).finally(() => control.close())
  }
  await sees(({ models }) => models[0]?.providers === providerCount)
  return { client: new OpenAI({ baseURL: `${String(apiUrl)}/v1`, apiKey: 'any', maxRetries: 0 }), providers, sees }
}

async function snapshotOf(node: NodeProcess): Promise<NodeSnapshot> {
  const { dataDir } = await node.event('listening')
  const control = await connectControl({ dataDir: String(dataDir), runtimeDir: process.env['XDG_RUNTIME_DIR'] })
  try {
    return await control.snapshot()
  } finally {
    control.close()
  }
}

function killed(node: NodeProcess): Promise<void> {
  process.kill(node.pid, 'SIGKILL')
  return node.gone
}

test('a provider killed in the middle of a stream is replaced, and the caller reads one unbroken answer', async (t) => {
  const { client, providers } = await net(t, 2, 40)
  const ask = { model: MODEL, messages: [{ role: 'user' as const, content: 'hello' }], seed: 3, max_tokens: 120 }
  const expected = (await client.chat.completions.create(ask)).choices[0]?.message.content
  const stream = await client.chat.completions.create({
    ...ask,
    stream: true,
    stream_options: { include_usage: true },
  })
  let text = ''
  let usage = 0
  let chunks = 0
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? ''
    usage = chunk.usage?.completion_tokens ?? usage
    // A chunk may hold many tokens where time is short.
    if (++chunks !== 8) continue
    const snapshots = await Promise.all(providers.map((provider) => snapshotOf(provider)))
    const serving = providers[snapshots.findIndex(({ provided }) => provided.active > 0)]
    assert.ok(serving, 'one of them computes')
    await killed(serving)
  }
  assert.ok(chunks > 8, 'the answer was over before anybody was killed')
  assert.equal(text, expected)
  assert.equal(usage, 120)
})

test('when the only provider is killed, the stream ends with a coded error and the next request says so at once', async (t) => {
  const { client, providers, sees } = await net(t, 1, 50)
  const stream = await client.chat.completions.create({
    model: MODEL,
    messages: [{ role: 'user', content: 'hello' }],
    max_tokens: 500,
    stream: true,
  })
  const [provider] = providers
  assert.ok(provider)
  let chunks = 0
  await assert.rejects(
    async () => {
      for await (const chunk of stream) {
        assert.ok(chunk.id)
        if (++chunks === 10) await killed(provider)
      }
    },
    (error: unknown) => error instanceof OpenAI.APIError && error.code !== null,
  )
  assert.ok(chunks >= 10)
  await sees(({ peers, requests }) => peers.length === 0 && requests.active === 0)
})
