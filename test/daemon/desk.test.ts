/** What a person does with money at a node's desk, over the embedded chain with a clock of its own. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { Desk } from '../../daemon/chain/desk.js'
import type { DeskParts } from '../../daemon/chain/desk.js'
import type { ChannelRow, DeskItem } from '../../daemon/chain/desk-items.js'
import { parseDeskRequest, wireOf } from '../../daemon/chain/desk-request.js'
import type { DeskRequest } from '../../daemon/chain/desk-request.js'
import { addressOf } from '../../daemon/chain/link.js'
import { withoutChain } from '../../daemon/chain/desk-errors.js'
import { randomBytes, signKeyPair } from '../../daemon/crypto.js'
import { EarningsBook } from '../../daemon/payment/earnings-book.js'
import { lamports } from '../../ledger/amount.js'
import type { Lamports } from '../../ledger/amount.js'
import { chainScene, DEPOSIT, HOUR, SOL } from '../helpers/chain-scene.js'
import type { Side } from '../helpers/chain-scene.js'
import { record } from '../helpers/exchanges.js'
import { filled } from '../ledger/sample.js'

const FEE = 5_000n
/** What the chain lets an account without data hold at least. */
const LEAST = 890_880n
const NOW = 1_800_000_000_000

interface Answer {
  readonly items: readonly DeskItem[]
  of<K extends string>(name: K): Extract<DeskItem, Record<K, unknown>>[K]
}

interface Asking {
  ask(request: DeskRequest): Promise<Answer>
}

async function deskOf(t: TestContext, side: Side, given: Partial<DeskParts> = {}): Promise<Asking> {
  const folder = await mkdtemp(join(tmpdir(), 'swarmd-desk-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const book = await EarningsBook.open(join(folder, 'earnings'))
  t.after(() => book.close())
  const desk = new Desk({
    store: () => Promise.resolve(side.store),
    book: () => Promise.resolve(book),
    credit: null,
    chain: {
      genesis: 'genesis',
      link: () => Promise.resolve(side.link),
      use: { leave: () => true, comeBack: () => undefined },
    },
    withoutChain: 'no chain here',
    nameOf: () => null,
    now: () => NOW,
    ...given,
  })
  return {
    async ask(request) {
      const items: DeskItem[] = []
      // As it goes over the control socket.
      const wire: unknown = JSON.parse(JSON.stringify(wireOf(request)))
      for await (const item of desk.run(wire, new AbortController().signal)) items.push(item)
      return {
        items: JSON.parse(JSON.stringify(items)) as DeskItem[],
        of: (name) => {
          const found = items.find((item) => name in item) as Record<string, never> | undefined
          assert.ok(found, `no ${name} in ${JSON.stringify(items)}`)
          return found[name] as never
        },
      }
    },
  }
}

function withdrawal(to: string, amount: bigint | null, more: object = {}): DeskRequest {
  const whole: Lamports | null = amount === null ? null : lamports(amount)
  return { op: 'withdraw', to, amount: whole, id: 'a', dry: false, toProgram: false, toNew: true, ...more }
}

test('a wallet tells where every lamport is, and its parts add up', async (t) => {
  const { node, payer, provider, promise, hold } = await chainScene(t)
  const buyer = await deskOf(t, payer)
  const before = payer.balance()
  const { channel } = await payer.channels.outgoing(node.publicKey)
  await promise(payer, channel, 30_000n)
  await hold(provider, channel, 30_000n)
  const terms = {
    model: filled(32, 1),
    requestHash: filled(32, 2),
    minReputation: lamports(0n),
    context: 0,
    allowed: [],
  }
  const deadline = BigInt(NOW / 1000) + HOUR
  await payer.link.orders.open({ ...terms, maxCost: lamports(70_000n), deadline }, '1')
  const wallet = (await buyer.ask({ op: 'wallet' })).of('wallet')
  assert.equal(wallet.address, payer.link.client.address)
  assert.equal(wallet.deposits, String(DEPOSIT))
  assert.equal(wallet.promised, '30000')
  assert.equal(wallet.orders, '70000')
  const parts = [wallet.balance, wallet.deposits, wallet.orders, wallet.rent].map(BigInt)
  assert.equal(
    parts.reduce((a, b) => a + b),
    before - 2n * FEE,
  )
  const theirs = (await (await deskOf(t, provider)).ask({ op: 'wallet' })).of('wallet')
  assert.deepEqual([theirs.owed, theirs.channelsIn, theirs.channelsOut], ['30000', 1, 0])
  // Two signatures to register; the account's lamports are rent.
  assert.equal(BigInt(theirs.balance) + BigInt(theirs.rent), SOL - 2n * FEE)
})

test('a withdrawal pays once for each id, tells what it would do first, and "all" leaves nothing', async (t) => {
  const { payer, stranger } = await chainScene(t)
  const other = await stranger(SOL)
  const to = other.link.client.address
  const desk = await deskOf(t, payer)
  const plan = (await desk.ask(withdrawal(to, 1_000n, { dry: true }))).of('plan')
  assert.deepEqual([plan.amount, plan.fee, plan.left, plan.unused], ['1000', '5000', String(SOL - 6_000n), false])
  assert.equal(other.balance(), SOL, 'a plan is no payment')
  const [one, two] = await Promise.all([desk.ask(withdrawal(to, 1_000n)), desk.ask(withdrawal(to, 1_000n))])
  assert.equal(one.of('sent').signature, two.of('sent').signature)
  const again = (await desk.ask(withdrawal(to, 1_000n))).of('sent')
  assert.equal(again.before, true)
  assert.equal(other.balance(), SOL + 1_000n)
  assert.equal(payer.balance(), SOL - 1_000n - FEE)
  await assert.rejects(desk.ask(withdrawal(to, 2_000n)), { code: 'ID_TAKEN' })
  await assert.rejects(desk.ask(withdrawal(payer.link.client.provider, 1_000n)), { code: 'ID_TAKEN' })
  const all = (await desk.ask(withdrawal(to, null, { id: 'b' }))).of('sent')
  assert.equal(all.amount, String(SOL - 1_000n - 2n * FEE))
  assert.equal(payer.balance(), 0n)
  assert.equal((await desk.ask(withdrawal(to, null, { id: 'b' }))).of('sent').signature, all.signature)
  await assert.rejects(desk.ask(withdrawal(to, null, { id: 'c' })), { code: 'AMOUNT_REFUSED', message: /pays no fee/ })
})

test('an amount that would leave too little is refused with the most that can be taken', async (t) => {
  const { payer, stranger } = await chainScene(t)
  const to = (await stranger(SOL)).link.client.address
  const desk = await deskOf(t, payer)
  const most = SOL - FEE
  const refused = (amount: bigint, message: RegExp): Promise<void> =>
    assert.rejects(desk.ask(withdrawal(to, amount)), { code: 'AMOUNT_REFUSED', message })
  await refused(0n, /no payment/)
  await refused(most + 1n, new RegExp(`at most .*\\(${most} lamports\\)`))
  await refused(most - 1n, new RegExp(`1 lamports\\) would be left.*at most .*\\(${most - LEAST} lamports\\), or all`))
  await refused(most - LEAST + 1n, /would be left/)
  assert.equal(payer.balance(), SOL)
  await desk.ask(withdrawal(to, most - LEAST))
  assert.equal(payer.balance(), LEAST, 'exactly at the bound')
})

test('coins are not sent where nobody could take them', async (t) => {
  const { payer, provider } = await chainScene(t)
  const desk = await deskOf(t, payer)
  const refused = (to: string, message: RegExp, more: object = {}): Promise<void> =>
    assert.rejects(desk.ask(withdrawal(to, 1_000_000n, more)), { code: 'ADDRESS_REFUSED', message })
  await refused('0OIl', /no address/)
  await refused(addressOf(randomBytes(31)), /no address/)
  await refused(payer.link.client.address, /this wallet itself/)
  await refused(provider.link.client.provider, /no key can ever sign/)
  await refused(provider.link.client.provider, /--to-program/, { toProgram: false, toNew: false })
  await refused(payer.link.program, /is a program/, { toProgram: true })
  const fresh = addressOf(signKeyPair(randomBytes(32)).publicKey)
  await refused(fresh, /holds nothing yet/, { toNew: false })
  await assert.rejects(desk.ask(withdrawal(fresh, LEAST - 1n)), {
    code: 'AMOUNT_REFUSED',
    message: /holds nothing yet/,
  })
  assert.equal(payer.balance(), SOL)
  await desk.ask(withdrawal(fresh, LEAST))
  assert.equal(payer.balance(), SOL - LEAST - FEE)
})

test('settling by hand says what it cost and what came in, to the lamport, and leaves what is not worth it', async (t) => {
  const { node, payer, provider, hold } = await chainScene(t)
  const desk = await deskOf(t, provider)
  const { channel } = await payer.channels.outgoing(node.publicKey)
  await hold(provider, channel, 10_000n)
  const little = (await desk.ask({ op: 'settle', channel: null })).of('settled')
  assert.deepEqual([little.channels, little.notWorth, little.leftThere], [0, 1, '10000'])
  const address = addressOf(channel)
  await assert.rejects(desk.ask({ op: 'settle', channel: address.slice(0, 6) }), { code: 'NOT_WORTH_IT' })
  await hold(provider, channel, 123_457n)
  const before = provider.balance()
  const done = (await desk.ask({ op: 'settle', channel: address })).of('settled')
  assert.deepEqual([done.amount, done.fee, done.received, done.cost], ['123457', '12345', '111112', '10000'])
  assert.equal(provider.balance(), before + 111_112n - 10_000n)
  const nothing = (await desk.ask({ op: 'settle', channel: null })).of('settled')
  assert.deepEqual([nothing.channels, nothing.notWorth, nothing.cost], [0, 0, '0'])
  const earned = (await desk.ask({ op: 'earnings', since: null, by: null })).of('earnings').chain
  assert.deepEqual(earned, {
    settled: '123457',
    fees: '12345',
    received: '111112',
    unsettled: '0',
    networkFees: '10000',
  })
})

test('channels are listed for both sides, topped up once for each id, and named by their beginning', async (t) => {
  const { node, payer, provider, promise, hold } = await chainScene(t)
  const [buyer, seller] = [await deskOf(t, payer), await deskOf(t, provider)]
  assert.deepEqual((await buyer.ask({ op: 'channels' })).items, [])
  const { channel } = await payer.channels.outgoing(node.publicKey)
  const address = addressOf(channel)
  await promise(payer, channel, 70_000n)
  await hold(provider, channel, 60_000n)
  await seller.ask({ op: 'settle', channel: null })
  const row = async (desk: Asking): Promise<ChannelRow> => (await desk.ask({ op: 'channels' })).of('channel')
  const [ours, theirs] = [await row(buyer), await row(seller)]
  assert.deepEqual([ours.direction, ours.counterparty], ['out', Buffer.from(node.publicKey).toString('hex')])
  assert.deepEqual([ours.paid, ours.settled, ours.unclaimed, ours.left], ['70000', '60000', '10000', '9930000'])
  assert.deepEqual([theirs.direction, theirs.counterparty], ['in', payer.link.client.address])
  assert.deepEqual([theirs.paid, theirs.unclaimed, theirs.state], ['60000', '0', 'open'])
  const more: DeskRequest = { op: 'top-up', channel: address.slice(0, 8), amount: lamports(5_000n), id: 'x' }
  assert.equal((await buyer.ask(more)).of('toppedUp').deposit, String(DEPOSIT + 5_000n))
  assert.equal((await buyer.ask(more)).of('toppedUp').deposit, String(DEPOSIT + 5_000n), 'once')
  await assert.rejects(buyer.ask({ ...more, amount: lamports(6_000n) }), { code: 'ID_TAKEN' })
  await assert.rejects(buyer.ask({ ...more, amount: lamports(2n * SOL), id: 'y' }), { code: 'AMOUNT_REFUSED' })
  await assert.rejects(buyer.ask({ ...more, channel: 'nope' }), { code: 'CHANNEL_NOT_FOUND' })
  await payer.link.client.open(
    {
      provider: provider.link.client.provider,
      signer: randomBytes(32),
      model: new Uint8Array(32),
      deposit: lamports(10_000n),
      grace: 24n * HOUR,
    },
    'another',
  )
  await assert.rejects(buyer.ask({ ...more, channel: '' }), { code: 'DESK_BAD_REQUEST' })
})

test('a channel is closed in steps: asked for, waited for, finished, its rent returned, and each step once', async (t) => {
  const { node, payer, provider, hold, wait } = await chainScene(t)
  const desk = await deskOf(t, payer, { now: () => clock })
  let clock = NOW
  const before = payer.balance()
  const { channel } = await payer.channels.outgoing(node.publicKey)
  await hold(provider, channel, 40_000n)
  const step = async (): Promise<readonly [string, string]> => {
    const { did, returned } = (await desk.ask({ op: 'close', channel: null })).of('closed')
    return [did, returned]
  }
  assert.deepEqual(await step(), ['asked', '0'])
  assert.deepEqual(await step(), ['waiting', '0'])
  await (await deskOf(t, provider)).ask({ op: 'settle', channel: null })
  wait(24n * HOUR)
  clock += 24 * 3_600_000 - 1000
  assert.deepEqual(await step(), ['waiting', '0'], 'not by this machine’s clock')
  clock += 2000
  const [did, returned] = await step()
  assert.equal(did, 'returned', 'its slot is old by now, so the rent comes at once')
  assert.ok(BigInt(returned) > DEPOSIT - 40_000n)
  assert.deepEqual((await desk.ask({ op: 'close', channel: null })).items, [])
  assert.equal(payer.balance(), before - 40_000n - 3n * FEE)
})

test('a provider that closes collects first, pays back the rest at once, and not while an answer is under way', async (t) => {
  const { node, payer, provider, hold, within } = await chainScene(t)
  const { channel } = await payer.channels.outgoing(node.publicKey)
  await hold(provider, channel, 50_000n)
  const link = (): Promise<Side['link']> => Promise.resolve(provider.link)
  const busy = await deskOf(t, provider, {
    chain: { genesis: 'genesis', link, use: { leave: () => false, comeBack: () => assert.fail('never left') } },
  })
  const address = addressOf(channel)
  assert.equal((await busy.ask({ op: 'close', channel: address })).of('closed').did, 'busy')
  const desk = await deskOf(t, provider)
  const [seller, buyer] = [provider.balance(), payer.balance()]
  const { did, returned } = (await desk.ask({ op: 'close', channel: address })).of('closed')
  assert.deepEqual([did, returned], ['finished', String(DEPOSIT - 50_000n)])
  assert.equal(payer.balance(), buyer + DEPOSIT - 50_000n)
  assert.equal(provider.balance(), seller + 45_000n - 10_000n - FEE)
  assert.notEqual(within(channel), 0n, 'a young address keeps its rent')
  assert.equal((await desk.ask({ op: 'close', channel: address })).of('closed').did, 'resting')
})

test('the history of a wallet is that of the chain in words of the outbox, newest first, with fees that add up', async (t) => {
  const { node, payer, stranger } = await chainScene(t)
  const desk = await deskOf(t, payer)
  await payer.channels.outgoing(node.publicKey)
  await desk.ask(withdrawal((await stranger(SOL)).link.client.address, 9_000n))
  const { items } = await desk.ask({ op: 'transactions', limit: 10 })
  const rows = items.flatMap((item) => ('transaction' in item ? [item.transaction] : []))
  assert.deepEqual(
    rows.map(({ what, state }) => [what, state]),
    [
      ['transfer', 'finalized'],
      ['open', 'finalized'],
      ['received', 'finalized'],
    ],
  )
  assert.equal(
    rows.reduce((sum, { change }) => sum + BigInt(change ?? 0), 0n),
    payer.balance(),
  )
  assert.deepEqual(
    rows.map(({ fee }) => fee),
    ['5000', '5000', '0'],
  )
  const [newest] = (await desk.ask({ op: 'transactions', limit: 1 })).items
  assert.deepEqual(newest, items[0])
})

test('on credit the channels show what is owed, and without either one sentence says that nothing is paid', async (t) => {
  const { payer, promise, hold } = await chainScene(t)
  const none = { chain: null }
  const credit = await deskOf(t, payer, { ...none, credit: lamports(1_000n), withoutChain: 'credit' })
  await promise(payer, filled(32, 1), 300n)
  await hold(payer, filled(32, 2), 200n)
  await record(payer.store, filled(32, 5), [{ changes: { channel: filled(32, 1) } }])
  const rows = (await credit.ask({ op: 'channels' })).items.flatMap((item) => ('channel' in item ? [item.channel] : []))
  assert.deepEqual(
    rows.map(({ direction, paid, left, state }) => [direction, paid, left, state]),
    [
      ['out', '300', '700', 'credit'],
      ['in', '200', '800', 'credit'],
    ],
  )
  assert.match(rows[0]?.counterparty ?? '', /^[0-9a-f]{64}$/)
  const view = (await credit.ask({ op: 'earnings', since: null, by: null })).of('earnings')
  assert.deepEqual(view.credit, { owedToThis: '200', owedByThis: '300' })
  await assert.rejects(credit.ask({ op: 'wallet' }), { code: 'NO_CHAIN', message: 'credit' })
  const free = await deskOf(t, (await chainScene(t)).payer, none)
  await assert.rejects(free.ask({ op: 'earnings', since: null, by: null }), { code: 'NOTHING_PAID' })
  await assert.rejects(free.ask({ op: 'channels' }), { code: 'NO_CHAIN' })
  assert.match(withoutChain({ dataDir: '/nowhere', credit: null }), /no chain/)
})

test('what is no request is refused before anything is opened', () => {
  for (const wrong of [
    null,
    'wallet',
    {},
    { op: 'steal' },
    { op: 'withdraw', to: 'x', id: 'a', amount: 1 },
    { op: 'withdraw', to: 'x', id: 'a', amount: '-1' },
    { op: 'withdraw', to: 'x', id: '', amount: '1' },
    { op: 'top-up', channel: 'x', id: 'a' },
    { op: 'transactions', limit: 1.5 },
    { op: 'earnings', by: 'moon' },
  ])
    assert.throws(() => parseDeskRequest(wrong), { code: 'DESK_BAD_REQUEST' }, JSON.stringify(wrong))
})

test('what a person asks for and what the node does by itself at the same time happens once', async (t) => {
  const { node, payer, provider, hold, promise, wait } = await chainScene(t)
  const [buyer, seller] = [await deskOf(t, payer), await deskOf(t, provider)]
  const { channel } = await payer.channels.outgoing(node.publicKey)
  await promise(payer, channel, 2_000_000n)
  await hold(provider, channel, 2_000_000n)
  const [earned, before] = [provider.balance(), payer.balance()]
  const settle: DeskRequest = { op: 'settle', channel: null }
  await Promise.all([seller.ask(settle), provider.settler.run(), seller.ask(settle), provider.settler.run(true)])
  assert.equal(provider.balance(), earned + 1_800_000n - 10_000n, 'one settlement')
  // Idle for long, so that the keeper wants to close it as well.
  wait(13n * HOUR)
  const close: DeskRequest = { op: 'close', channel: addressOf(channel) }
  await Promise.all([buyer.ask(close), payer.keeper.run(), buyer.ask(close), payer.keeper.run()])
  assert.equal(payer.balance(), before - FEE, 'one request')
  assert.deepEqual([...payer.failures, ...provider.failures], [])
})
