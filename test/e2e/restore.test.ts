/** A consumer that has lost its folder and kept its 24 words, with processes that are killed on the way. */
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openIdentity } from '../../daemon/identity.js'
import { startLoopbackDht } from '../../swarm/bootstrap.js'
import { CliHome } from '../helpers/cli.js'
import type { RunningCli } from '../helpers/cli.js'
import { until } from '../helpers/nodes.js'

interface Lost {
  readonly home: CliHome
  readonly data: string
  /** Of the provider, hexadecimal. */
  readonly provider: string
  consumer(): Promise<RunningCli>
  /** The provider has written down so many. */
  provided(count: number): Promise<void>
}

async function lost(t: TestContext): Promise<Lost> {
  const dht = await startLoopbackDht()
  t.after(() => dht.close())
  const home = new CliHome(t)
  const common = [...dht.bootstrap.flatMap(({ host, port }) => ['--bootstrap', `${host}:${port}`]), '--network', 'test']
  const [data, theirs] = [home.path('consumer'), home.path('provider')]
  const serving = home.start(['serve', 'mock', '--no-api', '--tokens-per-second', '0', '--data', theirs, ...common])
  await serving.event('ready')
  return {
    home,
    data,
    provider: Buffer.from(openIdentity(theirs).node().publicKey).toString('hex'),
    async consumer() {
      const node = home.start(['up', '--port', '0', '--data', data, ...common])
      await node.event('ready')
      await until(async () => (await status(home, data)).models?.[0]?.providers === 1)
      return node
    },
    provided: (count) => until(async () => ((await status(home, theirs)).ledger?.transactions ?? 0) >= count),
  }
}

interface Status {
  readonly models?: readonly { readonly providers: number }[]
  readonly ledger?: { readonly transactions: number }
}

async function status(home: CliHome, data: string): Promise<Status> {
  const { stdout } = await home.run(['status', '--data', data, '--json'])
  return JSON.parse(stdout) as Status
}

async function ask(node: RunningCli, from: number, to: number): Promise<void> {
  const { apiUrl } = await node.event('listening')
  let next = from
  const worker = async (): Promise<void> => {
    while (next < to) {
      const n = next++
      const response = await fetch(`${String(apiUrl)}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          model: 'mock-words:f32',
          messages: [{ role: 'user', content: `the question number q${n}q` }],
          max_tokens: 5,
        }),
      })
      assert.equal(response.status, 200, await response.text())
    }
  }
  await Promise.all(Array.from({ length: 8 }, worker))
}

test('a folder is lost, the words are kept, and all that a provider shares comes back, killed on the way or not', async (t) => {
  const { home, data, provider, consumer, provided } = await lost(t)
  // Two runs under two keys, the second one ended by force.
  const first = await consumer()
  await ask(first, 0, 20)
  first.child.kill('SIGTERM')
  await first.outcome
  const second = await consumer()
  await ask(second, 20, 300)
  await provided(300)
  second.child.kill('SIGKILL')
  await second.outcome
  const { stdout: words } = await home.run(['keys', 'show', '--yes', '--data', data])
  assert.equal(words.trim().split(' ').length, 24)
  rmSync(data, { recursive: true })

  const restored = await home.run(['keys', 'restore', '--data', data], { input: words })
  assert.equal(restored.code, 0, restored.stderr)
  // Killed at several points, among them when some have come back already, each time begun anew.
  const arrived = (): Promise<void> => until(async () => ((await status(home, data)).ledger?.transactions ?? 0) > 0)
  for (const moment of [() => sleep(60), () => sleep(300), arrived]) {
    const node = await consumer()
    const restoring = home.run(['history', 'restore', '--peer', provider.slice(0, 8), '--data', data])
    await moment()
    node.child.kill('SIGKILL')
    await Promise.all([restoring, node.outcome])
  }
  const last = await consumer()
  const { stdout, code, stderr } = await home.run([
    'history',
    'restore',
    '--peer',
    provider.slice(0, 8),
    '--data',
    data,
  ])
  assert.equal(code, 0, stderr)
  assert.match(stdout, /restored\. Answered by 1 connected peer/)
  const again = await home.run(['history', 'restore', '--yes', '--json', '--data', data])
  assert.deepEqual(JSON.parse(again.stdout), { transactions: 0 })
  const { ledger } = await status(home, data)
  assert.equal(ledger?.transactions, 300)
  for (const n of [0, 19, 20, 299]) {
    const { stdout: found } = await home.run(['history', 'search', `q${n}q`, '--data', data, '--json'])
    assert.match(found, new RegExp(`q${n}q`))
  }
  const { stdout: report, code: verified } = await home.run(['history', 'verify', '--data', data])
  assert.equal(verified, 0, report)
  last.child.kill('SIGTERM')
  await last.outcome
})

test('another seed, and the same words without consent, get nothing', async (t) => {
  const { home, data, consumer, provided } = await lost(t)
  const owner = await consumer()
  await ask(owner, 0, 3)
  await provided(3)
  owner.child.kill('SIGTERM')
  await owner.outcome
  rmSync(data, { recursive: true })
  const stranger = await consumer()
  const refused = await home.run(['history', 'restore', '--data', data])
  assert.equal(refused.code, 2, refused.stderr)
  assert.match(refused.stderr, /--peer KEY/)
  const { stdout } = await home.run(['history', 'restore', '--yes', '--json', '--data', data])
  assert.deepEqual(JSON.parse(stdout), { transactions: 0 })
  stranger.child.kill('SIGTERM')
  await stranger.outcome
})
