/** A provider with one slot and one place to wait in: what everybody else is told, through real processes. */
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

/** The consumer's base URL, once it knows the provider. */
async function net(t: TestContext, ...provider: readonly string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'swarmd-test-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const dht = await startLoopbackDht()
  t.after(() => dht.close())
  const config = join(folder, 'config.toml')
  await writeFile(config, '')
  const common = [...dht.bootstrap.flatMap(({ host, port }) => ['--bootstrap', `${host}:${port}`]), '--network', 'test']
  const start = (name: string, ...args: readonly string[]): NodeProcess => {
    const env = { ...process.env, SWARMD_CONFIG: config }
    const node = new NodeProcess(name, [...args, '--data', join(folder, name), ...common], env)
    t.after(() => node.stop())
    return node
  }
  const serving = start('provider', 'serve', 'mock', '--no-api', ...provider)
  const consumer = start('consumer', 'up', '--port', '0')
  await serving.event('ready')
  const { apiUrl } = await consumer.event('listening')
  const control = await connectControl({
    dataDir: join(folder, 'consumer'),
    runtimeDir: process.env['XDG_RUNTIME_DIR'],
  })
  await new Promise<void>((resolve, reject) => {
    const look = ({ models }: NodeSnapshot): void => {
      if (models[0]?.providers === 1) resolve()
    }
    control.subscribe(look).then(look, reject)
  }).finally(() => control.close())
  return `${String(apiUrl)}/v1`
}

const ENDLESS = { model: MODEL, messages: [{ role: 'user' as const, content: 'hello' }], max_tokens: 10_000 }

function ask(base: string, body: object, signal: AbortSignal | null = null): Promise<Response> {
  return fetch(`${base}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal,
  })
}

test('one computes, one waits, the next is told 429 and when to come back; an SDK that does so is answered', async (t) => {
  const base = await net(t, '--tokens-per-second', '20', '--slots', '1', '--queue', '1')
  const leaving = new AbortController()
  t.after(() => leaving.abort())
  const computing = await ask(base, { ...ENDLESS, stream: true }, leaving.signal)
  const waiting = await ask(base, { ...ENDLESS, stream: true }, leaving.signal)
  assert.deepEqual([computing.status, waiting.status], [200, 200])

  const told = async (): Promise<number> => {
    const response = await ask(base, ENDLESS)
    const body = (await response.json()) as { error: { type: string; code: string } }
    assert.equal(response.status, 429)
    assert.deepEqual([body.error.type, body.error.code], ['rate_limit_error', 'busy'])
    assert.ok(Number(response.headers.get('retry-after')) >= 1)
    return Number(response.headers.get('retry-after-ms'))
  }
  const wait = await told()
  assert.ok(wait > 0)
  const again = await told()
  assert.ok(again <= wait, 'what the provider said is remembered, not asked again')

  leaving.abort()
  const client = new OpenAI({ baseURL: base, apiKey: 'any', maxRetries: 5 })
  const answer = await client.chat.completions.create({ ...ENDLESS, max_tokens: 4 })
  assert.equal(answer.usage?.completion_tokens, 4)
})
