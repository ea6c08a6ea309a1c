/** A watchtower: the newest voucher reaches the chain in time, once, and not for nothing. */
import assert from 'node:assert/strict'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import fc from 'fast-check'
import { addressOf } from '../../daemon/chain/link.js'
import { readVouchers, voucherLine } from '../../daemon/chain/voucher-lines.js'
import { WatchedFile } from '../../daemon/chain/watch-open.js'
import { Watcher } from '../../daemon/chain/watch.js'
import type { WatchEvent } from '../../daemon/chain/watch.js'
import { watchStep } from '../../daemon/chain/watch-step.js'
import { randomBytes } from '../../daemon/crypto.js'
import { lamports } from '../../ledger/amount.js'
import { CHANNEL_PHASE } from '../../ledger/chain/layout/accounts.js'
import type { ChannelAccount } from '../../ledger/chain/layout/accounts.js'
import { settlementFee } from '../../ledger/chain/settle-policy.js'
import { chainScene, DEPOSIT, HOUR, SOL } from '../helpers/chain-scene.js'
import type { ChainScene, Side } from '../helpers/chain-scene.js'

const GENESIS = 'genesis'
const WAIT = 600n

interface Tower {
  readonly events: WatchEvent[]
  readonly watcher: Watcher
}

function towerOf(side: Side, now: () => number): Tower {
  const events: WatchEvent[] = []
  const tell = (event: WatchEvent): void => void events.push(event)
  return { events, watcher: new Watcher({ link: side.link, wait: WAIT, tell, now }) }
}

interface Watched extends ChainScene {
  readonly tower: Side
  readonly channel: Uint8Array
  /** Of the scene's clock. */
  now(): number
  /** The export of the provider, as a file would say it. */
  lines(): string
}

async function watched(t: TestContext): Promise<Watched> {
  const scene = await chainScene(t)
  let ms = 1_800_000_000_000
  const { channel } = await scene.payer.channels.outgoing(scene.node.publicKey)
  const tower = await scene.stranger(SOL)
  return {
    ...scene,
    tower,
    channel,
    now: () => ms,
    wait(seconds) {
      ms += Number(seconds) * 1000
      scene.wait(seconds)
    },
    lines: () =>
      scene.provider.store.vouchers
        .allHeld()
        .map((signed) => `${JSON.stringify(voucherLine(signed, GENESIS, scene.provider.link))}\n`)
        .join(''),
  }
}

function loaded(scene: Watched, side: Side, text = scene.lines()): Tower {
  const tower = towerOf(side, () => scene.now())
  tower.watcher.take(readVouchers(text, GENESIS, side.link.program).vouchers)
  return tower
}

test('when a payer asks to close and the provider stays away, its newest voucher is submitted in time, and once', async (t) => {
  const scene = await watched(t)
  const { provider, payer, tower, channel, hold, wait, settled } = scene
  await hold(provider, channel, 50_000n)
  const before = provider.balance()
  const { watcher, events } = loaded(scene, tower)
  assert.equal(await watcher.turn(), true)
  assert.deepEqual(events, [], 'an open channel is no news')
  await payer.link.client.requestClose(addressOf(channel))
  await watcher.turn()
  await watcher.turn()
  assert.deepEqual(
    events.map(({ event }) => event),
    ['closing'],
    'told once, and the provider gets its while',
  )
  assert.equal(await settled(channel), 0n)
  wait(WAIT)
  await watcher.turn()
  assert.equal(await settled(channel), 50_000n)
  assert.equal(provider.balance(), before + 45_000n, 'all of it to the provider, less the fee of the program')
  assert.equal(tower.balance(), SOL - 10_000n, 'the fee from the wallet of the tower')
  const again = await tower.restart()
  const later = loaded(scene, again)
  await later.watcher.turn()
  assert.equal(again.balance(), SOL - 10_000n)
  assert.deepEqual(later.events, [{ event: 'over', channel: addressOf(channel), why: 'settled' }])
})

test('a provider that settles by itself costs the tower nothing', async (t) => {
  const scene = await watched(t)
  const { provider, payer, tower, channel, hold, wait } = scene
  await hold(provider, channel, 50_000n)
  const { watcher, events } = loaded(scene, tower)
  await payer.link.client.requestClose(addressOf(channel))
  await watcher.turn()
  await provider.settler.run()
  wait(HOUR)
  await watcher.turn()
  assert.equal(tower.balance(), SOL)
  assert.deepEqual(events.at(-1), { event: 'over', channel: addressOf(channel), why: 'settled' })
})

test('a tower that was away submits at once, and a higher voucher that arrives later is submitted too', async (t) => {
  const scene = await watched(t)
  const { provider, payer, tower, channel, hold, wait, settled } = scene
  await hold(provider, channel, 50_000n)
  await payer.link.client.requestClose(addressOf(channel))
  wait(20n * HOUR)
  const { watcher } = loaded(scene, tower)
  await watcher.turn()
  assert.equal(await settled(channel), 50_000n)
  await hold(provider, channel, 80_000n)
  watcher.take(readVouchers(scene.lines(), GENESIS, tower.link.program).vouchers)
  await watcher.turn()
  assert.equal(await settled(channel), 80_000n)
})

test('forged, foreign and worthless vouchers are left alone, and trouble with one does not hold back the others', async (t) => {
  const scene = await watched(t)
  const { provider, payer, tower, channel, hold, wait } = scene
  await hold(provider, channel, 50_000n)
  const [good] = provider.store.vouchers.allHeld()
  assert.ok(good)
  const forged = { voucher: { ...good.voucher, cumulative: lamports(DEPOSIT) }, signature: good.signature }
  const stranger = { voucher: { ...good.voucher, channel: randomBytes(32) }, signature: good.signature }
  const line = (signed: typeof good, more: object = {}): string =>
    `${JSON.stringify({ ...voucherLine(signed, GENESIS, provider.link), ...more })}\n`
  const { watcher, events } = loaded(scene, tower, line(forged) + line(stranger))
  await payer.link.client.requestClose(addressOf(channel))
  wait(2n * HOUR)
  await watcher.turn()
  assert.deepEqual(
    events.map((event) => [event.event, event.channel, 'why' in event ? event.why : '']),
    [
      ['refused', addressOf(channel), 'its signature is not that of the channel'],
      ['over', addressOf(stranger.voucher.channel), 'gone'],
    ],
  )
  assert.equal(tower.balance(), SOL)
  const text = [
    'nonsense\n',
    '{"format":"other"}\n',
    line(good, { chain: 'elsewhere' }),
    line(good, { program: 'another' }),
    line(good, { cumulative: '-1' }),
    line(good, { signature: 'x' }),
    `{"format":"${'x'.repeat(3000)}"}\n`,
    '\n',
    line(good),
    line({ ...good, voucher: { ...good.voucher, cumulative: lamports(1n) } }),
  ].join('')
  const { vouchers, refused } = readVouchers(text, GENESIS, tower.link.program)
  assert.deepEqual(
    vouchers.map(({ signed }) => signed.voucher.cumulative),
    [50_000n],
    'the highest of a channel',
  )
  assert.deepEqual(
    refused.map(({ line: number }) => number),
    [1, 2, 3, 4, 5, 6, 7],
  )
})

test('a chain that cannot be asked is trouble told once, and asked again', async (t) => {
  const scene = await watched(t)
  const { provider, tower, channel, hold } = scene
  await hold(provider, channel, 50_000n)
  let away = true
  const rpc = Object.create(tower.link.rpc, {
    call: {
      value: (...args: Parameters<typeof tower.link.rpc.call>) =>
        away
          ? Promise.reject(Object.assign(new Error('nobody there'), { code: 'RPC_UNREACHABLE' }))
          : tower.link.rpc.call(...args),
    },
  }) as typeof tower.link.rpc
  const events: WatchEvent[] = []
  const options = { wait: WAIT, tell: (event: WatchEvent) => void events.push(event), now: () => scene.now() }
  const watcher = new Watcher({ link: { ...tower.link, rpc }, ...options })
  watcher.take(readVouchers(scene.lines(), GENESIS, tower.link.program).vouchers)
  assert.deepEqual([await watcher.turn(), await watcher.turn()], [false, false])
  away = false
  assert.equal(await watcher.turn(), true)
  away = true
  assert.equal(await watcher.turn(), false)
  assert.deepEqual(
    events.map((event) => (event.event === 'trouble' ? event.code : event.event)),
    ['RPC_UNREACHABLE', 'RPC_UNREACHABLE'],
  )
})

test('whatever the numbers, nothing is submitted that the chain would refuse or that costs more than it brings, and in time', () => {
  const small = fc.bigInt({ min: 0n, max: 8n }).map((n) => n * 5_000n)
  const channelOf = fc.record({ deposit: small, settled: small, grace: fc.bigInt({ min: 0n, max: 8n }) })
  fc.assert(
    fc.property(
      channelOf,
      fc.constantFrom(...Object.values(CHANNEL_PHASE)),
      small,
      fc.bigInt({ min: 0n, max: 12n }),
      fc.bigInt({ min: 0n, max: 8n }),
      ({ deposit, settled, grace }, phase, cumulative, now, wait) => {
        const closeAt = phase === CHANNEL_PHASE.open ? 0n : 4n + grace
        const account = { deposit, settled, grace, phase, closeAt } as unknown as ChannelAccount
        const voucher = { channel: new Uint8Array(32), cumulative: lamports(cumulative), expiresAt: 0n }
        const verdict = watchStep(account, voucher, now, wait)
        const worth = cumulative <= deposit && cumulative - settled > settlementFee(1)
        const acts = verdict.kind === 'submit' || verdict.kind === 'wait'
        assert.equal(acts, phase === CHANNEL_PHASE.closing && worth)
        // There is time left for retries whenever there was any.
        if (verdict.kind === 'wait') assert.ok(verdict.until <= closeAt - grace / 4n && verdict.until <= 4n + wait)
        if (acts && now >= closeAt) assert.equal(verdict.kind, 'submit')
      },
    ),
    { numRuns: 2_000 },
  )
  assert.equal(
    watchStep(null, { channel: new Uint8Array(32), cumulative: lamports(1n), expiresAt: 0n }, 0n, 0n).kind,
    'gone',
  )
})

test('a file is read again when it has changed, also when it was replaced, and a missing one is told', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'swarmd-watched-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'vouchers.jsonl')
  const file = new WatchedFile(path)
  await assert.rejects(file.changed(), { code: 'CONFIG_UNREADABLE', message: /ENOENT/ })
  await writeFile(path, 'one\n')
  assert.equal(await file.changed(), 'one\n')
  assert.equal(await file.changed(), null)
  await writeFile(`${path}.part`, 'two\n')
  await rename(`${path}.part`, path)
  assert.equal(await file.changed(), 'two\n')
  await rm(path)
  await assert.rejects(file.changed(), { code: 'CONFIG_UNREADABLE' })
  await writeFile(path, 'two\n')
  assert.equal(await file.changed(), 'two\n')
})
