/** The connection to nodes that are slow, down, mad, or on another chain; when to settle. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { balanceOf } from '../../ledger/chain/calls.js'
import { Rpc } from '../../ledger/chain/rpc.js'
import type { RpcOptions } from '../../ledger/chain/rpc.js'
import { settlementFee, settlePolicy } from '../../ledger/chain/settle-policy.js'
import type { SettleState } from '../../ledger/chain/settle-policy.js'
import { lamports } from '../../ledger/amount.js'

type Behaviour = 'ok' | 'behind' | 'refuses' | 'hangs' | 'broken' | 'half' | 'busy' | 'other chain'

const GENESIS = 'the chain'
const SECRET = 'key-that-nobody-may-see'

/** Nodes by host. */
class Nodes {
  readonly behaviours = new Map<string, Behaviour>()
  readonly asked: string[] = []
  readonly pauses: number[] = []
  authorization: string | null = null

  rpc(options: Partial<RpcOptions> = {}): Rpc {
    return new Rpc({
      urls: [...this.behaviours.keys()].map((host) => `https://${host}/${SECRET}?api=${SECRET}`),
      genesisHash: GENESIS,
      fetch: (url, init) => this.#answer(String(url), init ?? {}),
      random: () => 0.5,
      delay: (ms) => Promise.resolve(this.pauses.push(ms)),
      timeoutMs: 5,
      ...options,
    })
  }

  async #answer(url: string, init: RequestInit): Promise<Response> {
    const { host } = new URL(url)
    this.authorization = new Headers(init.headers).get('authorization')
    const { method, id } = JSON.parse(String(init.body)) as { method: string; id: number }
    this.asked.push(`${host} ${method}`)
    const behaviour = this.behaviours.get(host)
    if (behaviour === 'refuses') throw new TypeError(`fetch failed for ${url}`, { cause: { code: 'ECONNREFUSED' } })
    if (behaviour === 'hangs')
      return new Promise((_, reject) => {
        // The signal's own timer keeps no process alive.
        const alive = setInterval(() => undefined, 1_000)
        init.signal?.addEventListener('abort', () => {
          clearInterval(alive)
          reject(new DOMException(url, 'TimeoutError'))
        })
      })
    if (behaviour === 'broken') return new Response(`<html>${SECRET}`)
    if (behaviour === 'half') return new Response(JSON.stringify({ jsonrpc: '2.0', id }))
    if (behaviour === 'behind') return new Response(JSON.stringify({ id, error: { code: -32005, message: 'behind' } }))
    if (behaviour === 'busy') return new Response('slow down', { status: 429 })
    const genesis = behaviour === 'other chain' ? 'another chain' : GENESIS
    const result = method === 'getGenesisHash' ? genesis : { context: { slot: 1 }, value: 7 }
    return new Response(JSON.stringify({ jsonrpc: '2.0', id, result }))
  }
}

test('a node that fails is passed over, and the one that answered is asked first afterwards', async () => {
  const nodes = new Nodes()
  for (const [host, behaviour] of [
    ['a', 'refuses'],
    ['b', 'hangs'],
    ['c', 'broken'],
    ['d', 'busy'],
    ['f', 'behind'],
    ['e', 'ok'],
  ] as const)
    nodes.behaviours.set(host, behaviour)
  const rpc = nodes.rpc()
  assert.equal(await balanceOf(rpc, 'x'), 7n)
  assert.deepEqual(nodes.asked.slice(-2), ['e getGenesisHash', 'e getBalance'])
  nodes.asked.length = 0
  await balanceOf(rpc, 'x')
  assert.deepEqual(nodes.asked, ['e getBalance'])
})

test('all nodes are tried again after growing pauses, then the failure has a code and shows no address', async () => {
  const nodes = new Nodes()
  nodes.behaviours.set('a', 'refuses').set('b', 'busy')
  const error: unknown = await balanceOf(nodes.rpc(), 'x').catch((caught: unknown) => caught)
  assert.ok(error instanceof Error && 'code' in error && error.code === 'RPC_UNREACHABLE')
  assert.deepEqual(nodes.pauses, [250, 500])
  assert.equal(nodes.asked.length, 6)
  assert.doesNotMatch(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`, new RegExp(SECRET))
  const slow = new Nodes()
  slow.behaviours.set('a', 'hangs')
  await assert.rejects(balanceOf(slow.rpc(), 'x'), { code: 'RPC_TIMEOUT' })
})

test('another chain is refused and hears nothing but the question which one it is', async () => {
  const nodes = new Nodes()
  nodes.behaviours.set('a', 'other chain')
  await assert.rejects(nodes.rpc().once('sendTransaction', ['money']), { code: 'WRONG_CHAIN' })
  assert.deepEqual(nodes.asked, ['a getGenesisHash'])
  nodes.behaviours.set('b', 'ok')
  assert.equal(await balanceOf(nodes.rpc(), 'x'), 7n)
})

test('a node that answers without an answer is no node of another chain', async () => {
  const nodes = new Nodes()
  nodes.behaviours.set('a', 'half')
  await assert.rejects(balanceOf(nodes.rpc(), 'x'), { code: 'RPC_UNREACHABLE' })
})

test('a node that was lost has to name its chain again', async () => {
  const nodes = new Nodes()
  nodes.behaviours.set('a', 'ok')
  const rpc = nodes.rpc({ rounds: 1 })
  await balanceOf(rpc, 'x')
  nodes.behaviours.set('a', 'refuses')
  await assert.rejects(balanceOf(rpc, 'x'), { code: 'RPC_UNREACHABLE' })
  nodes.behaviours.set('a', 'other chain')
  await assert.rejects(balanceOf(rpc, 'x'), { code: 'WRONG_CHAIN' })
})

test('a name and password of an address go into the header, not into errors', async () => {
  const nodes = new Nodes()
  nodes.behaviours.set('a', 'ok')
  await balanceOf(nodes.rpc({ urls: [`https://me:${SECRET}@a/`] }), 'x')
  assert.equal(nodes.authorization, `Basic ${Buffer.from(`me:${SECRET}`).toString('base64')}`)
  assert.throws(
    () => nodes.rpc({ urls: [`ftp://me:${SECRET}@a/`] }),
    (error: unknown) => !String(error).includes(SECRET),
  )
})

test('settle when it is worth it, before a deadline, on close and on shutdown; never at a loss', () => {
  const quiet: SettleState = { unclaimed: lamports(0n), deadline: null, closing: false, shutdown: false }
  const fee = settlementFee(1)
  assert.deepEqual([fee, settlementFee(7)], [10_000n, 40_000n])
  const decide = (state: Partial<SettleState>, now = 0n, grace = 86_400n) =>
    settlePolicy({ ...quiet, ...state }, now, grace)
  assert.equal(decide({ unclaimed: lamports(fee * 100n - 1n) }), null)
  assert.equal(decide({ unclaimed: lamports(fee * 100n) }), 'worth')
  const some = lamports(fee + 1n)
  assert.equal(decide({ unclaimed: some, closing: true }), 'close')
  assert.equal(decide({ unclaimed: some, shutdown: true }), 'shutdown')
  assert.equal(decide({ unclaimed: fee, closing: true, shutdown: true, deadline: 0n }), null)
  assert.equal(decide({ unclaimed: some, deadline: 10_000n }, 6_399n), null)
  assert.equal(decide({ unclaimed: some, deadline: 10_000n }, 6_400n), 'deadline')
  assert.equal(decide({ unclaimed: some, deadline: 10_000n }, 9_969n, 60n), null)
  assert.equal(decide({ unclaimed: some, deadline: 10_000n }, 9_970n, 60n), 'deadline')
})
