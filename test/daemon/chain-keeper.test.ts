/** Deposits come back: what becomes of a channel that nobody uses, as rules and over the embedded chain, to the lamport. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { payersStep, providersStep } from '../../daemon/chain/keeping.js'
import type { ChannelPhase } from '../../daemon/chain/keeping.js'
import { addressOf } from '../../daemon/chain/link.js'
import { lamports } from '../../ledger/amount.js'
import { entries, fill } from '../ledger/entries.js'
import { chainScene, HOUR, SOL } from '../helpers/chain-scene.js'
import type { Side } from '../helpers/chain-scene.js'

const SIGNATURE = 5_000n
const phases = fc.constantFrom<ChannelPhase>('open', 'closing', 'ended')
// A small domain: an off-by-one is met within a few runs.
const small = fc.bigInt(0n, 8n)
const slots = fc.bigInt(0n, 160n)

test('a payer closes what is idle and nothing else, and takes what it can have, never earlier', () => {
  const channel = fc.record({ phase: phases, closeAt: small, openSlot: slots, busy: fc.boolean(), usedAt: small })
  const moment = fc.record({ now: fc.bigInt(0n, 20n), slot: fc.bigInt(0n, 320n), since: small, idle: small })
  fc.assert(
    fc.property(channel, moment, (one, at) => {
      const step = payersStep(one, at)
      const quiet = !one.busy && at.idle > 0n && at.now - one.usedAt >= at.idle && at.now - at.since >= at.idle
      assert.equal(step === 'request-close', one.phase === 'open' && quiet)
      assert.equal(step === 'finish', one.phase === 'closing' && at.now >= one.closeAt)
      assert.equal(step === 'take-rent', one.phase === 'ended' && at.slot - one.openSlot > 150n)
    }),
    { numRuns: 5_000 },
  )
})

test('every channel comes to its end, whatever is done to it meanwhile, and no step is taken twice', () => {
  const events = fc.array(fc.constantFrom('use', 'away', 'wait', 'provider'), { maxLength: 30 })
  fc.assert(
    fc.property(events, fc.bigInt(1n, 8n), fc.bigInt(1n, 8n), (given, idle, grace) => {
      let phase = 'open' as ChannelPhase | 'gone'
      let [now, slot, usedAt, since, closeAt] = [0n, 0n, 0n, 0n, 0n]
      const steps: string[] = []
      const young = (): boolean => slot <= 150n
      const finish = (): void => void (phase = young() ? 'ended' : 'gone')
      const turn = (): void => {
        if (phase === 'gone') return
        const step = payersStep({ phase, closeAt, openSlot: 0n, busy: false, usedAt }, { now, slot, since, idle })
        if (step === 'keep') return
        steps.push(step)
        if (step === 'request-close') [phase, closeAt] = ['closing', now + grace]
        else if (step === 'finish') finish()
        else phase = 'gone'
      }
      const rest = Array.from({ length: 80 }, () => 'wait')
      for (const event of [...given, ...rest]) {
        ;[now, slot] = [now + 1n, slot + 3n]
        if (event === 'use' && phase === 'open') usedAt = now
        if (event === 'away') since = now
        if (event === 'provider' && phase === 'closing') finish()
        turn()
      }
      assert.equal(phase, 'gone')
      assert.equal(new Set(steps).size, steps.length)
    }),
  )
})

test('a provider finishes what is closing, settled, at rest and worth a signature', () => {
  const channel = fc.record({
    phase: phases,
    busy: fc.boolean(),
    settled: fc.bigInt(4_998n, 5_003n).map(lamports),
    settling: fc.boolean(),
  })
  fc.assert(
    fc.property(channel, (one) => {
      const due = one.phase === 'closing' && !one.busy && !one.settling && one.settled > SIGNATURE
      assert.equal(providersStep(one), due ? 'finish' : 'keep')
    }),
    { numRuns: 3_000 },
  )
})

test('an idle channel is closed, finished after the grace and its rent taken: every lamport comes back but the fees', async (t) => {
  const { node, payer, wait, within } = await chainScene(t)
  const { channel } = await payer.channels.outgoing(node.publicKey)
  assert.notEqual(within(channel), 0n)
  wait(12n * HOUR - 1n)
  await payer.keeper.run()
  assert.equal((await payer.link.client.channel(addressOf(channel)))?.account.phase, 0)
  wait(1n)
  await payer.keeper.run()
  assert.equal((await payer.link.client.channel(addressOf(channel)))?.account.phase, 1)
  wait(24n * HOUR - 1n)
  await payer.keeper.run()
  assert.notEqual(within(channel), 0n)
  wait(1n)
  await payer.keeper.run()
  assert.equal(within(channel), 0n)
  // Opening, asking, finishing.
  assert.equal(payer.balance(), SOL - 3n * SIGNATURE)
  await payer.keeper.run()
  assert.equal(payer.balance(), SOL - 3n * SIGNATURE)
})

test('the same with a restart in each state, a provider that is paid in between, and one that ends it early', async (t) => {
  const { node, provider, payer, hold, promise, wait, within } = await chainScene(t)
  const { channel } = await payer.channels.outgoing(node.publicKey)
  await promise(payer, channel, 50_000n)
  await hold(provider, channel, 50_000n)
  const turn = async (side: Side): Promise<Side> => {
    const again = await side.restart()
    await again.keeper.run()
    return again
  }
  let side = await turn(payer)
  wait(12n * HOUR)
  side = await turn(side)
  assert.equal((await side.link.client.channel(addressOf(channel)))?.account.phase, 0, 'it has only just come back')
  wait(600n)
  await side.keeper.run()
  assert.equal((await side.link.client.channel(addressOf(channel)))?.account.phase, 1)
  side = await turn(side)
  await provider.settler.run()
  await provider.settler.run()
  assert.equal(within(channel), 0n, 'the provider is paid and has ended it')
  side = await turn(side)
  // Opening and asking; finishing is on the provider.
  assert.equal(side.balance(), SOL - 2n * SIGNATURE - 50_000n)
})

test('a channel that was finished while it was young gives its rent back with a second step, whoever took the first', async (t) => {
  const { node, provider, payer, hold, wait, within } = await chainScene(t)
  const { channel } = await payer.channels.outgoing(node.publicKey)
  await hold(provider, channel, 50_000n)
  await payer.link.client.requestClose(addressOf(channel))
  await provider.settler.run()
  await provider.settler.run()
  const rent = within(channel)
  assert.ok(rent > 0n, 'the address could still be used again')
  const later = await payer.restart()
  await later.keeper.run()
  assert.equal(within(channel), rent)
  wait(61n)
  await later.keeper.run()
  assert.equal(within(channel), 0n)
  assert.equal(later.balance(), SOL - 3n * SIGNATURE - 50_000n)
})

test('what is in use is not closed, and what is closed is not used', async (t) => {
  const { node, payer, wait } = await chainScene(t)
  const account = await payer.purse.open(node.publicKey)
  const address = addressOf(account.id)
  account.reserve('a request', account.left)
  wait(48n * HOUR)
  await payer.keeper.run()
  assert.equal((await payer.link.client.channel(address))?.account.phase, 0)
  account.release('a request')
  await payer.keeper.run()
  assert.equal((await payer.link.client.channel(address))?.account.phase, 1)
  assert.equal(payer.purse.accounts.size, 0)
  assert.notDeepEqual((await payer.purse.open(node.publicKey)).id, account.id)
})

test('with an idle time of zero nothing is closed, and what somebody else closes still comes back', async (t) => {
  const { node, payer, wait } = await chainScene(t, { idle: 0n })
  const { channel } = await payer.channels.outgoing(node.publicKey)
  wait(10_000n * HOUR)
  await payer.keeper.run()
  assert.equal((await payer.link.client.channel(addressOf(channel)))?.account.phase, 0)
  await payer.link.client.requestClose(addressOf(channel))
  wait(24n * HOUR)
  await payer.keeper.run()
  assert.equal(payer.balance(), SOL - 3n * SIGNATURE)
})

test('a payer that finishes a young channel itself takes its rent with a second step', async (t) => {
  const { node, payer, wait, within } = await chainScene(t, { grace: 60n, leastGrace: 60n })
  const { channel } = await payer.channels.outgoing(node.publicKey)
  const { lamports: whole, account } = (await payer.link.client.channel(addressOf(channel))) ?? {}
  await payer.link.client.requestClose(addressOf(channel))
  wait(60n)
  await payer.keeper.run()
  assert.equal(within(channel), (whole ?? 0n) - (account?.deposit ?? 0n), 'the rent')
  const later = await payer.restart()
  wait(1n)
  await later.keeper.run()
  assert.equal(within(channel), 0n)
  assert.equal(later.balance(), SOL - 4n * SIGNATURE)
})

test('a channel counts as used when it was paid on, also in an earlier life, and when it was handed out', async (t) => {
  const { node, payer, now, wait } = await chainScene(t)
  const { channel } = await payer.channels.outgoing(node.publicKey)
  const phase = async (): Promise<number | undefined> =>
    (await payer.link.client.channel(addressOf(channel)))?.account.phase
  wait(11n * HOUR)
  await payer.channels.outgoing(node.publicKey)
  wait(11n * HOUR)
  await payer.keeper.run()
  assert.equal(await phase(), 0)
  const times = { asked: now(), firstToken: null, done: now() }
  await fill(
    payer.store,
    entries('consumer', () => ({ channel, times })),
    1,
  )
  const later = await payer.restart()
  wait(12n * HOUR - 1n)
  await later.keeper.run()
  assert.equal((await later.link.client.channel(addressOf(channel)))?.account.phase, 0)
  wait(1n)
  await later.keeper.run()
  assert.equal((await later.link.client.channel(addressOf(channel)))?.account.phase, 1)
})

test('nothing is closed while somebody looks for a channel to pay on', async (t) => {
  const { node, payer, wait } = await chainScene(t)
  const { channel } = await payer.channels.outgoing(node.publicKey)
  wait(13n * HOUR)
  const { providerOf } = payer.link
  let go: () => void = () => undefined
  const held = new Promise<void>((resolve) => (go = resolve))
  payer.link.providerOf = async (key) => {
    await held
    return providerOf(key)
  }
  const looking = payer.channels.outgoing(node.publicKey)
  await payer.keeper.run()
  go()
  assert.deepEqual((await looking).channel, channel)
  assert.equal((await payer.link.client.channel(addressOf(channel)))?.account.phase, 0)
})

for (const when of ['before', 'after'] as const) {
  test(`a process that dies ${when} it sends a step takes it once, and the fees are those of one life`, async (t) => {
    const { node, payer, wait, within } = await chainScene(t, { grace: 60n, leastGrace: 60n })
    const { channel } = await payer.channels.outgoing(node.publicKey)
    let side = payer
    const dying = async (step: string): Promise<void> => {
      const { outbox } = side.link
      const tick = outbox.tick.bind(outbox)
      outbox.tick = async () => {
        const mine = outbox.get(`${step}/${addressOf(channel)}`)
        if (mine?.phase === 'prepared' && when === 'after') await tick()
        if (mine) throw new Error('killed')
        await tick()
      }
      await side.keeper.run()
      assert.match(String(side.failures.pop()), /killed/)
      side = await side.restart()
      await side.keeper.run()
    }
    wait(13n * HOUR)
    await dying('request-close')
    wait(60n)
    await dying('finish')
    assert.equal(within(channel), 0n)
    assert.equal(side.balance(), SOL - 3n * SIGNATURE)
  })
}
