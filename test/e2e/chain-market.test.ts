/** A model that a consumer can only know from the chain: listed, looked for by its provider's key, answered and paid. */
import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { test } from 'node:test'
import { bytesOf } from '../../daemon/chain/link.js'
import { openIdentity } from '../../daemon/identity.js'
import type { Node } from '../../daemon/node-options.js'
import { lamports } from '../../ledger/amount.js'
import { EMBEDDED_PROGRAM, startSwarmdChain } from '../../ledger/chain/embedded/swarmd-chain.js'
import { OFFER } from '../../ledger/chain/layout/accounts.js'
import { price } from '../../ledger/price.js'
import { chat, nodes, until } from '../helpers/nodes.js'

const SOL = 1_000_000_000n
const PRICES = { input: price(100_000_000n), cached: price(100_000_000n), output: price(1_000_000_000n) }

interface Entry {
  readonly id: string
  readonly root: string
  readonly provider_list: readonly {
    readonly node: string
    readonly connected: boolean
    readonly online: true | null
    readonly swarm: { readonly price: { readonly completion: string } } | null
    readonly chain: { readonly price: { readonly completion: string }; readonly registered_at: number } | null
  }[]
}

async function listed(node: Node): Promise<readonly Entry[]> {
  const response = await fetch(`${node.apiUrl ?? ''}/v1/models`)
  return ((await response.json()) as { data: readonly Entry[] }).data
}

test('a provider tells the chain what it serves; a consumer that has never heard of it finds and pays it', async (t) => {
  const chain = await startSwarmdChain({ folder: null, port: 0 })
  t.after(() => chain.close())
  const net = await nodes(t)
  for (const name of ['provider', 'consumer']) {
    await mkdir(net.folder(name), { recursive: true, mode: 0o700 })
    chain.chain.airdrop(openIdentity(net.folder(name)).wallet().publicKey, SOL)
  }
  const settings = {
    // The first is down: the second stands in for it, all the way.
    urls: ['http://127.0.0.1:9', chain.url],
    program: EMBEDDED_PROGRAM,
    grace: 86_400n,
    leastGrace: 7_200n,
    deposit: lamports(10_000_000n),
    publishOffers: true,
  }
  const offers = (): number =>
    chain.chain
      .accountsOf(bytesOf(EMBEDDED_PROGRAM))
      .filter(({ account }) => account.data.byteLength === OFFER.size && account.data[0] === OFFER.kind).length
  const provider = await net.provider('provider', { prices: PRICES, chain: settings })
  await until(() => offers() === 1)
  // With an invite of its own it meets nobody in a lobby or under a model's topic.
  const consumer = await net.consumer('consumer', { chain: settings, invite: new Uint8Array(32).fill(5) }, 0)
  await until(() => consumer.snapshot().models.length === 1)
  const [unmet] = await listed(consumer)
  assert.ok(unmet)
  assert.equal(unmet.id, unmet.root, 'a chain knows no names')
  const node = provider.snapshot().nodeKey
  assert.deepEqual(
    unmet.provider_list.map((one) => [one.node, one.connected, one.online, one.swarm, one.chain?.price.completion]),
    [[node, false, null, null, '1000000000']],
  )
  assert.equal(consumer.snapshot().models[0]?.onChainOnly, 1)
  assert.equal(consumer.snapshot().market?.offers, 1)
  const answer = await chat(consumer, 'hello there', { model: unmet.root, max_tokens: 8 })
  assert.equal(answer.status, 200, answer.body)
  assert.ok(answer.text.length > 0)
  const [met] = await listed(consumer)
  assert.equal(met?.root, unmet.root)
  assert.notEqual(met.id, unmet.id, 'its provider has told the name')
  const [seen] = met.provider_list
  assert.deepEqual(
    [seen?.connected, seen?.online, seen?.swarm?.price.completion, seen?.chain?.price.completion],
    [true, true, '1000000000', '1000000000'],
  )
  assert.ok((consumer.snapshot().peers[0]?.standing?.registeredAt ?? 0) > 0)
  await provider.close()
  assert.equal(offers(), 1, 'the end of a process is not the end of an offer')
  await net.provider('provider', { prices: PRICES, chain: { ...settings, publishOffers: false } })
  await until(() => offers() === 0)
})
