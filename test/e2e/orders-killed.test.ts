/** Nodes killed in the middle of an answer that an order pays for: whoever comes back, every lamport is accounted for. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { NodeProcess } from '../../bin/demo/node-process.js'
import { bytesOf } from '../../daemon/chain/link.js'
import { connectControl } from '../../daemon/control/client.js'
import { openIdentity } from '../../daemon/identity.js'
import { EMBEDDED_PROGRAM, startSwarmdChain } from '../../ledger/chain/embedded/swarmd-chain.js'
import { ORDER, ORDER_PHASE, PROVIDER } from '../../ledger/chain/layout/accounts.js'
import type { OrderAccount, ProviderAccount } from '../../ledger/chain/layout/accounts.js'
import { startLoopbackDht } from '../../swarm/bootstrap.js'
import { MODEL, until } from '../helpers/nodes.js'

type Reader = ReadableStreamDefaultReader<Uint8Array>

const SOL = 1_000_000_000n
const SIGNATURE = 5_000n
/** The same each time, so that an order that nobody took is asked with again. */
const REQUEST = { model: MODEL, max_tokens: 2000, seed: 1, stream: true }
const PRICES = ['--price-in', '100000000', '--price-out', '1000000500', '--tokens-per-second', '20']

test('kill -9 of a provider, then of a payer, in the middle of an ordered answer', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'swarmd-ordered-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const { chain, close, url } = await startSwarmdChain({ folder: null, port: 0 })
  t.after(close)
  const dht = await startLoopbackDht()
  t.after(() => dht.close())
  const config = join(folder, 'config.toml')
  await writeFile(config, '')
  const env = { ...process.env, SWARMD_CONFIG: config }
  const common = [...dht.bootstrap.flatMap(({ host, port }) => ['--bootstrap', `${host}:${port}`]), '--network', 'test']
  const start = (name: string, ...args: readonly string[]): NodeProcess => {
    const node = new NodeProcess(name, [...args, '--data', join(folder, name), '--chain', url, ...common], env)
    t.after(() => node.stop())
    return node
  }
  const kill = async (node: NodeProcess): Promise<void> => {
    process.kill(node.pid, 'SIGKILL')
    await node.gone
  }
  const wallet = async (name: string): Promise<Uint8Array> => {
    await mkdir(join(folder, name), { recursive: true, mode: 0o700 })
    const { publicKey } = openIdentity(join(folder, name)).wallet()
    chain.airdrop(publicKey, SOL)
    return publicKey
  }
  const accounts = (kind: number): readonly Uint8Array[] =>
    chain
      .accountsOf(bytesOf(EMBEDDED_PROGRAM))
      .flatMap(({ account }) => (account.data[0] === kind ? [account.data] : []))
  const orders = (): readonly OrderAccount[] => accounts(ORDER.kind).map((data) => ORDER.decode(data))
  const seller = (): ProviderAccount => PROVIDER.decode(accounts(PROVIDER.kind)[0] ?? assert.fail())
  await wallet('provider')
  const buyer = await wallet('consumer')
  const balance = (): bigint => chain.account(buyer)?.lamports ?? 0n

  const serve = async (): Promise<NodeProcess> => {
    const node = start('provider', 'serve', 'mock', '--no-api', ...PRICES)
    await node.event('ready')
    return node
  }
  const consume = async (): Promise<{ readonly node: NodeProcess; readonly base: string }> => {
    const node = start('consumer', 'up', '--port', '0')
    const { apiUrl } = await node.event('listening')
    const dataDir = join(folder, 'consumer')
    const control = await connectControl({ dataDir, runtimeDir: process.env['XDG_RUNTIME_DIR'] })
    await until(async () => (await control.snapshot()).models[0]?.providers === 1).finally(() => control.close())
    return { node, base: String(apiUrl) }
  }
  const ask = async (base: string): Promise<Reader | null> => {
    const response = await fetch(`${base}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-swarmd-pay': 'order', 'x-swarmd-allow-fallbacks': 'false' },
      body: JSON.stringify({ ...REQUEST, messages: [{ role: 'user', content: 'x' }] }),
    })
    const reader: Reader = response.body?.getReader() ?? assert.fail()
    const decoder = new TextDecoder()
    for (let heard = ''; !heard.includes('"content":"');) {
      const { value, done } = await reader.read()
      if (done) return null
      heard += decoder.decode(value, { stream: true })
    }
    return reader
  }
  /** Resolves when the answer has begun; a line to the dead process may have to be given up first. */
  const begin = async (base: string): Promise<() => Promise<void>> => {
    let reader: Reader | null = null
    await until(async () => (reader = await ask(base)) !== null)
    assert.deepEqual(
      orders().map(({ phase }) => phase),
      [ORDER_PHASE.locked],
      'locked before anything is computed, and one alone',
    )
    return async () => reader?.cancel().catch(() => undefined)
  }

  const first = await serve()
  const { node: payer, base } = await consume()
  const end = await begin(base)
  await kill(first)
  await end()
  assert.equal(orders().length, 1, 'the money is in the order')
  await serve()
  await until(() => orders().length === 0)
  assert.equal(balance(), SOL - 2n * SIGNATURE, 'what was not answered to its end is claimed for nothing')
  assert.deepEqual([seller().settled, seller().openOrders], [0n, 0n])

  const again = join(folder, 'consumer')
  const control = await connectControl({ dataDir: again, runtimeDir: process.env['XDG_RUNTIME_DIR'] })
  await until(async () => (await control.snapshot()).models[0]?.providers === 1).finally(() => control.close())
  const over = await begin(base)
  await kill(payer)
  await over()
  await until(() => orders()[0]?.phase === ORDER_PHASE.claimed)
  const paid = seller().settled
  assert.ok(paid > 0n, 'what left for the payer is paid')
  await consume()
  await until(() => orders().length === 0)
  assert.equal(balance(), SOL - paid - 4n * SIGNATURE)
})
