/** What is owed to a provider, over the embedded chain with a clock of its own: settled in time, anchored, finished. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressOf } from '../../daemon/chain/link.js'
import { randomBytes } from '../../daemon/crypto.js'
import { IncomingAccount } from '../../daemon/payment/incoming-account.js'
import { lamports, microLamports, toMicroLamports } from '../../ledger/amount.js'
import { chainScene, HOUR } from '../helpers/chain-scene.js'
import { entries, fill } from '../ledger/entries.js'

test('it is settled when it is worth it, and at the end when that is worth its fee', async (t) => {
  const { node, provider, payer, hold, settled } = await chainScene(t)
  const { channel } = await payer.channels.outgoing(node.publicKey)
  await hold(provider, channel, 10_000n)
  await provider.settler.run(true)
  assert.equal(await settled(channel), 0n, 'the fee would eat it')
  await hold(provider, channel, 10_001n)
  await provider.settler.run()
  assert.equal(await settled(channel), 0n, 'it can wait')
  await provider.settler.run(true)
  assert.equal(await settled(channel), 10_001n)
  await hold(provider, channel, 1_010_001n)
  await provider.settler.run()
  assert.equal(await settled(channel), 1_010_001n)
})

test('a payer that asks to close is seen, also after a restart: settled, then finished, and nothing more served', async (t) => {
  const { node, provider, payer, hold, settled, wait, within } = await chainScene(t)
  const { channel } = await payer.channels.outgoing(node.publicKey)
  assert.ok(await provider.channels.incoming(channel))
  await hold(provider, channel, 20_000n)
  await payer.link.client.requestClose(addressOf(channel))
  wait(HOUR)
  const later = await provider.restart()
  await later.settler.run()
  assert.equal(await settled(channel), 20_000n)
  assert.equal(later.channels.ending(channel), true)
  await assert.rejects(later.channels.incoming(channel), { code: 'PAYMENT_REQUIRED', message: /closed/ })
  const [before, inside] = [payer.balance(), within(channel)]
  await later.settler.run()
  assert.equal(payer.balance(), before + inside, 'long before the grace is over')
  assert.equal(within(channel), 0n)
})

test('a channel is not finished early while an answer on it runs, nor for somebody who paid less than that costs', async (t) => {
  const { node, provider, payer, hold, serving, settled } = await chainScene(t)
  const { channel } = await payer.channels.outgoing(node.publicKey)
  const [name, address] = [Buffer.from(channel).toString('hex'), addressOf(channel)]
  await payer.link.client.requestClose(address)
  const before = provider.balance()
  await provider.settler.run()
  await provider.settler.run()
  assert.equal(provider.balance(), before, 'whoever opens and closes channels costs a provider nothing')
  serving.add(name)
  await hold(provider, channel, 30_000n)
  await provider.settler.run()
  await provider.settler.run()
  const phase = async (): Promise<number | undefined> => (await provider.link.client.channel(address))?.account.phase
  assert.equal(await phase(), 1)
  await hold(provider, channel, 60_000n)
  serving.delete(name)
  await provider.settler.run()
  assert.equal(await phase(), 1, 'what came meanwhile is settled first')
  assert.equal(await settled(channel), 60_000n)
  await provider.settler.run()
  assert.equal(await phase(), 2, 'it is young, so its address stays')
})

test('the newest checkpoint goes to the chain with a settlement, and one that is behind does not stand in the way', async (t) => {
  const { node, provider, payer, hold, registration, settled } = await chainScene(t)
  const { channel } = await payer.channels.outgoing(node.publicKey)
  await hold(provider, channel, 20_000n)
  await provider.settler.run(true)
  assert.equal((await registration())?.logLength, 0n, 'nothing is in the log')
  const log = entries('provider')
  await fill(provider.store, log, 2)
  await hold(provider, channel, 40_000n)
  await provider.settler.run(true)
  const signed = await provider.store.latestCheckpoint()
  const anchored = await registration()
  assert.equal(anchored?.logLength, 4n)
  assert.deepEqual(Buffer.from(anchored.treeHash), Buffer.from(signed?.checkpoint.treeHash ?? []))
  assert.deepEqual(Buffer.from(anchored.log), Buffer.from(provider.store.keys.log))
  await hold(provider, channel, 50_100n)
  const { store } = provider
  const sign = store.checkpoint.bind(store)
  store.checkpoint = () => assert.fail('the log has not grown')
  await provider.settler.run(true)
  store.checkpoint = sign
  // The chain knows a longer log of the same key: this folder has lost some of it.
  const other = { log: provider.store.keys.log, treeHash: randomBytes(32), length: 100n }
  const claim = await provider.link.client.channel(addressOf(channel))
  assert.ok(claim)
  await hold(provider, channel, 60_000n)
  const voucher = provider.store.vouchers.held(channel)
  assert.ok(voucher)
  await provider.link.client.settle([{ channel: claim, signed: voucher }], other)
  await fill(provider.store, log, 1)
  await hold(provider, channel, 80_000n)
  await provider.settler.run(true)
  assert.equal(await settled(channel), 80_000n)
  assert.equal((await registration())?.logLength, 100n)
})

test('vouchers that were settled for a lost ledger buy nothing again, and the channel is used on', async (t) => {
  const { node, provider, payer, hold, signer } = await chainScene(t)
  const { channel } = await payer.channels.outgoing(node.publicKey)
  await hold(provider, channel, 20_000n)
  await provider.settler.run(true)
  await provider.store.vouchers.drop(channel)
  const source = await provider.channels.incoming(channel)
  assert.ok(source)
  assert.deepEqual(Buffer.from(source.signer), Buffer.from(signer.publicKey))
  const { vouchers } = provider.store
  const account = new IncomingAccount({ source, vouchers, billed: microLamports(0n), now: Date.now })
  assert.equal(account.paid, 20_000n)
  assert.ok(account.accrued > toMicroLamports(lamports(19_999n)), 'all of it counts as delivered')
  assert.equal(account.stranger, false)
})

test('vouchers of channels that are closed for good are dropped on both sides, and those of no channel are kept', async (t) => {
  const { node, provider, payer, hold, promise, wait } = await chainScene(t)
  const { channel } = await payer.channels.outgoing(node.publicKey)
  const credit = randomBytes(32)
  for (const one of [channel, credit]) {
    await hold(provider, one, 20_000n)
    await promise(payer, one, 20_000n)
  }
  await payer.link.client.requestClose(addressOf(channel))
  wait(HOUR)
  for (let turn = 0; turn < 3; turn++) await provider.settler.run()
  const gone = async (): Promise<void> => {
    await provider.settler.run()
    await payer.keeper.run()
  }
  await gone()
  assert.ok(provider.store.vouchers.held(channel) && payer.store.vouchers.lastSigned(channel), 'not at once')
  wait(121n)
  await gone()
  assert.equal(provider.store.vouchers.held(channel), null)
  assert.equal(payer.store.vouchers.lastSigned(channel), null)
  assert.ok(provider.store.vouchers.held(credit) && payer.store.vouchers.lastSigned(credit))
})

test('what cannot be enforced is refused: another provider, a short grace, no channel at all', async (t) => {
  const { node, provider, payer } = await chainScene(t, { grace: HOUR })
  const { channel } = await payer.channels.outgoing(node.publicKey)
  await assert.rejects(provider.channels.incoming(channel), { code: 'PAYMENT_REQUIRED', message: /grace/ })
  await assert.rejects(payer.channels.incoming(channel), { code: 'PAYMENT_REQUIRED', message: /no such channel/ })
  await assert.rejects(provider.channels.incoming(randomBytes(32)), { code: 'PAYMENT_REQUIRED', message: /no such/ })
  await assert.rejects(payer.channels.outgoing(randomBytes(32)), { code: 'NO_MEANS', message: /not registered/ })
})

test('no channel is finished before its settlement is final: a fork could take the one and leave the other', async (t) => {
  const { node, provider, payer, hold, within, settled, wait } = await chainScene(t)
  const { channel } = await payer.channels.outgoing(node.publicKey)
  await hold(provider, channel, 50_000n)
  await payer.link.client.requestClose(addressOf(channel))
  wait(HOUR)
  await provider.settler.run()
  assert.equal(await settled(channel), 50_000n)
  const { outbox, client } = provider.link
  const [list, finish] = [outbox.list.bind(outbox), client.finish.bind(client)]
  const late = list().map((entry) => ({ ...entry, phase: 'confirmed' as const }))
  let finished = 0
  outbox.list = () => late
  client.finish = (found) => (finished++, Promise.resolve(late[0] ?? assert.fail(found.address)))
  await provider.settler.run()
  Object.assign(outbox, { list })
  Object.assign(client, { finish })
  assert.equal(finished, 0)
  await provider.settler.run()
  assert.equal(within(channel), 0n)
})
