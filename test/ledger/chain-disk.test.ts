/** What is left of an embedded chain when its process ends, however it does. */
import assert from 'node:assert/strict'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { EmbeddedChain } from '../../ledger/chain/embedded/chain.js'
import { folderOf } from './folder.js'
import { filled } from './sample.js'

const SOL = 1_000_000_000n

test('a chain that is opened again is the same chain: accounts, history, genesis, time', async (t) => {
  const folder = folderOf(t)
  let ms = 1_800_000_000_000
  const now = (): number => ms
  const first = await EmbeddedChain.open({ folder, now })
  const signature = first.airdrop(filled(32, 3), SOL)
  await first.durable()
  ms += 100_000
  first.airdrop(filled(32, 4), 2n * SOL)
  const { slot } = { slot: first.clock.slot() }
  await first.durable()
  await first.close()
  // A clock that was set back while nobody looked: the chain does not go back with it.
  ms -= 50_000
  const again = await EmbeddedChain.open({ folder, now })
  assert.equal(again.clock.slot(), slot)
  assert.deepEqual(again.identity.genesisHash, first.identity.genesisHash)
  assert.equal(again.account(filled(32, 3))?.lamports, SOL)
  assert.equal(again.account(filled(32, 4))?.lamports, 2n * SOL)
  assert.equal(again.history.landed(signature)?.error, null)
  assert.deepEqual(again.history.record(signature), first.history.record(signature))
  assert.equal(statSync(join(folder, 'chain')).mode & 0o077, 0)
  await again.close()
})

test('wherever the file is torn, the chain opens with a whole number of transactions', async (t) => {
  const folder = folderOf(t)
  const now = (): number => 1_800_000_000_000
  const chain = await EmbeddedChain.open({ folder, now })
  const sizes: number[] = [statSync(join(folder, 'chain')).size]
  for (let count = 0; count < 4; count++) {
    chain.airdrop(filled(32, 3), SOL)
    await chain.durable()
    sizes.push(statSync(join(folder, 'chain')).size)
  }
  await chain.close()
  const bytes = readFileSync(join(folder, 'chain'))
  const [whole = 0] = sizes
  for (let cut = whole; cut <= bytes.byteLength; cut += 97) {
    const torn = folderOf(t)
    writeFileSync(join(torn, 'chain'), bytes.subarray(0, cut))
    const opened = await EmbeddedChain.open({ folder: torn, now })
    const transactions = BigInt(sizes.filter((size) => size <= cut).length - 1)
    assert.equal(opened.account(filled(32, 3))?.lamports ?? 0n, transactions * SOL, `cut at ${cut}`)
    assert.equal(opened.history.size, Number(transactions))
    const faucet = opened.account(opened.identity.faucet.publicKey)?.lamports ?? 0n
    assert.equal(faucet, 5_000_000n * SOL - transactions * (SOL + 5_000n))
    opened.airdrop(filled(32, 3), SOL)
    await opened.durable()
    await opened.close()
  }
})

test('old transactions are forgotten, but not while they could land again', async (t) => {
  let ms = 1_800_000_000_000
  const chain = await EmbeddedChain.open({ folder: folderOf(t), now: () => ms, history: 3 })
  const signatures = Array.from({ length: 5 }, () => chain.airdrop(filled(32, 3), SOL))
  assert.equal(chain.history.size, 5)
  ms += 200 * 400
  const last = chain.airdrop(filled(32, 3), SOL)
  assert.equal(chain.history.size, 3)
  assert.deepEqual(
    chain.history.of('CktRuQ2mttgRGkXJtyksdKHjUdc2C4TgDzyB98oEzy8', 10, null, null).map(({ signature }) => signature),
    [last, ...signatures.slice(3).toReversed()],
  )
  await chain.durable()
  assert.equal(chain.history.record(signatures[0] ?? ''), null)
  await chain.close()
})

test('after a write that failed nothing is answered any more', async (t) => {
  const folder = folderOf(t)
  const chain = await EmbeddedChain.open({ folder })
  await chain.close()
  await assert.rejects(chain.durable(), { code: 'STORE_CLOSED' })
  assert.throws(() => chain.airdrop(filled(32, 3), SOL), { code: -32603 })
})
