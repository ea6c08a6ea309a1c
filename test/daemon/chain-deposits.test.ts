/** Which channel a provider is paid on: opened once, filled up rather than opened twice, within what the owner allows. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressOf } from '../../daemon/chain/link.js'
import { lamports } from '../../ledger/amount.js'
import { chainScene, DEPOSIT, HOUR, SOL } from '../helpers/chain-scene.js'

const SIGNATURE = 5_000n

test('a channel is opened once, also by a process that died over it', async (t) => {
  const { node, payer, provider } = await chainScene(t)
  const { outbox } = payer.link
  const tick = outbox.tick.bind(outbox)
  // Dies when the transaction is on the disk and not sent yet.
  outbox.tick = () => (outbox.list().length > 0 ? Promise.reject(new Error('killed')) : tick())
  await assert.rejects(payer.channels.outgoing(node.publicKey), /killed/)
  const later = await payer.restart()
  const { channel } = await later.channels.outgoing(node.publicKey)
  assert.deepEqual((await later.channels.outgoing(node.publicKey)).channel, channel)
  assert.equal((await provider.link.channelsTo()).length, 1)
})

test('two that ask at the same time get one channel, and so does one that reads the chain before it lands', async (t) => {
  const { node, payer, provider } = await chainScene(t)
  const { channelsFrom: read } = payer.link
  let looks = 0
  payer.link.channelsFrom = () => (looks++, read())
  const [one, two] = await Promise.all([
    payer.channels.outgoing(node.publicKey),
    payer.channels.outgoing(node.publicKey),
  ])
  assert.deepEqual(one.channel, two.channel)
  assert.equal(looks, 1)
  // What the chain showed before the opening landed, while the outbox knows already that it is final.
  const late = await payer.restart()
  const { channelsFrom } = late.link
  late.link.channelsFrom = () => Promise.resolve([])
  assert.equal(late.link.outbox.list().find(({ id }) => id.startsWith('open/'))?.phase, 'finalized')
  assert.deepEqual((await late.channels.outgoing(node.publicKey)).channel, one.channel)
  late.link.channelsFrom = channelsFrom
  assert.equal((await provider.link.channelsTo()).length, 1)
})

test('a channel that is used up is filled up to the deposit, once, also by a process that died over it', async (t) => {
  const { node, payer, provider, promise, within } = await chainScene(t)
  const { channel } = await payer.channels.outgoing(node.publicKey)
  await promise(payer, channel, DEPOSIT - 1n)
  const inside = within(channel)
  const { outbox } = payer.link
  const tick = outbox.tick.bind(outbox)
  const open = (): boolean => outbox.list().some(({ id }) => id.startsWith('top-up/'))
  outbox.tick = () => (open() ? Promise.reject(new Error('killed')) : tick())
  await assert.rejects(payer.channels.outgoing(node.publicKey), /killed/)
  const later = await payer.restart()
  const before = later.balance()
  const next = await later.channels.outgoing(node.publicKey)
  assert.deepEqual(next.channel, channel)
  assert.equal(next.deposit, 2n * DEPOSIT - 1n)
  assert.equal(later.balance(), before - (DEPOSIT - 1n) - SIGNATURE)
  assert.equal(within(channel), inside + DEPOSIT - 1n)
  assert.deepEqual(await later.channels.outgoing(node.publicKey), next)
  assert.equal((await provider.link.channelsTo()).length, 1)
  await promise(later, channel, next.deposit)
  assert.equal((await later.channels.outgoing(node.publicKey)).deposit, next.deposit + DEPOSIT)
})

test('no deposit is larger than the budget of a day, none is made when that is spent, and what is there is used up', async (t) => {
  let spent = false
  const perDay = lamports(DEPOSIT / 10n)
  const { node, payer, promise } = await chainScene(t, { allowance: { perDay, spent: () => spent } })
  const { channel, deposit } = await payer.channels.outgoing(node.publicKey)
  assert.equal(deposit, perDay)
  spent = true
  await promise(payer, channel, perDay)
  await assert.rejects(payer.channels.outgoing(node.publicKey), { code: 'BUDGET_EXCEEDED' })
  spent = false
  assert.equal((await payer.channels.outgoing(node.publicKey)).deposit, 2n * perDay)
})

test('a wallet with little in it fills up with what it has, and one with nothing says what it needs', async (t) => {
  const { node, payer, promise } = await chainScene(t, { coins: DEPOSIT + 8_000_000n })
  const { channel } = await payer.channels.outgoing(node.publicKey)
  await promise(payer, channel, DEPOSIT - 100n)
  const { deposit } = await payer.channels.outgoing(node.publicKey)
  assert.ok(deposit > DEPOSIT && deposit < 2n * DEPOSIT - 100n, String(deposit))
  assert.ok(payer.balance() > 890_880n, 'what the chain wants an account to hold stays')
  await promise(payer, channel, deposit - 100n)
  assert.equal((await payer.channels.outgoing(node.publicKey)).deposit, deposit, 'the rest of it is used')
  await promise(payer, channel, deposit)
  await assert.rejects(payer.channels.outgoing(node.publicKey), { code: 'NO_MEANS', message: /wallet/ })
})

test('an owner who wants no deposits is told why nothing is paid, and what is there is used up', async (t) => {
  let objection: string | null = 'because of me'
  const { node, payer, promise, provider } = await chainScene(t, { allowance: { objection: () => objection } })
  await assert.rejects(payer.channels.outgoing(node.publicKey), { code: 'NO_MEANS', message: 'because of me' })
  assert.equal((await provider.link.channelsTo()).length, 0)
  objection = null
  const { channel } = await payer.channels.outgoing(node.publicKey)
  objection = 'no more'
  await promise(payer, channel, DEPOSIT - 1n)
  assert.equal((await payer.channels.outgoing(node.publicKey)).deposit, DEPOSIT)
  await promise(payer, channel, DEPOSIT)
  await assert.rejects(payer.channels.outgoing(node.publicKey), { code: 'NO_MEANS', message: 'no more' })
})

test('a provider sees the larger deposit, and a channel that is being closed is not paid on', async (t) => {
  const { node, payer, provider, promise } = await chainScene(t)
  const { channel } = await payer.channels.outgoing(node.publicKey)
  await promise(payer, channel, DEPOSIT)
  await payer.channels.outgoing(node.publicKey)
  assert.equal((await provider.channels.incoming(channel))?.deposit, 2n * DEPOSIT)
  const before = await payer.link.channelsFrom()
  await payer.link.client.requestClose(addressOf(channel))
  const { channelsFrom } = payer.link
  // A node that is behind still shows it as open.
  payer.link.channelsFrom = () => Promise.resolve(before)
  const other = await payer.channels.outgoing(node.publicKey)
  assert.notDeepEqual(other.channel, channel)
  payer.link.channelsFrom = channelsFrom
  assert.deepEqual((await payer.channels.outgoing(node.publicKey)).channel, other.channel)
  assert.ok(payer.deposits.leave(addressOf(other.channel)))
  const third = await payer.channels.outgoing(node.publicKey)
  assert.notDeepEqual(third.channel, other.channel)
  payer.deposits.comeBack(addressOf(other.channel))
  assert.ok(payer.balance() > SOL - 6n * DEPOSIT)
})

test('what is under way on a channel counts as gone, and what no deposit can hold is not tried', async (t) => {
  const { node, payer } = await chainScene(t)
  const first = await payer.channels.outgoing(node.publicKey)
  const need = (taken: bigint, more: bigint): Parameters<typeof payer.channels.outgoing>[1] => ({
    taken: lamports(taken),
    more: lamports(more),
  })
  assert.deepEqual(await payer.channels.outgoing(node.publicKey, need(0n, DEPOSIT)), first)
  assert.deepEqual(await payer.channels.outgoing(node.publicKey, need(0n, DEPOSIT + 1n)), first)
  assert.deepEqual(await payer.channels.outgoing(node.publicKey, need(DEPOSIT - 5n, 5n)), {
    ...first,
    deposit: 2n * DEPOSIT - 5n,
  })
})

test('a channel with a shorter grace than is set now is left: a provider may have refused it for that', async (t) => {
  const { node, payer, provider, signer } = await chainScene(t)
  const short = { provider: provider.link.client.provider, signer: signer.publicKey, model: new Uint8Array(32) }
  const terms = { ...short, deposit: lamports(DEPOSIT), grace: HOUR }
  const { channel } = await payer.link.client.open(terms, 'by hand')
  assert.notEqual(addressOf((await payer.channels.outgoing(node.publicKey)).channel), channel)
})
