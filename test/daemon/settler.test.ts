/** Channels of both sides over the embedded chain with a clock of its own: opened once, watched, settled in time. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { ChainChannels } from '../../daemon/chain/channels.js'
import { addressOf, bytesOf, openLink } from '../../daemon/chain/link.js'
import type { ChainLink } from '../../daemon/chain/link.js'
import { Settler } from '../../daemon/chain/settler.js'
import { randomBytes, signKeyPair } from '../../daemon/crypto.js'
import type { KeyPair } from '../../daemon/crypto.js'
import type { ChainSettings } from '../../daemon/node-options.js'
import { lamports } from '../../ledger/amount.js'
import { EMBEDDED_PROGRAM, startSwarmdChain } from '../../ledger/chain/embedded/swarmd-chain.js'
import { LedgerStore } from '../../ledger/store/store.js'
import { signVoucher } from '../../ledger/voucher.js'

const SOL = 1_000_000_000n
const HOUR = 3_600n
const DEPOSIT = 10_000_000n

interface Side {
  readonly link: ChainLink
  readonly store: LedgerStore
  readonly channels: ChainChannels
  readonly settler: Settler
  /** As after a start: nothing is left but the disk. */
  restart(): Promise<Side>
}

interface Scene {
  readonly node: KeyPair
  readonly signer: KeyPair
  readonly provider: Side
  readonly payer: Side
  wait(seconds: bigint): void
  /** The provider takes a voucher. */
  hold(side: Side, channel: Uint8Array, cumulative: bigint): Promise<void>
  settled(channel: Uint8Array): Promise<bigint | undefined>
}

async function sceneOf(t: TestContext, settings: Partial<ChainSettings> = {}): Promise<Scene> {
  let ms = 1_800_000_000_000
  const now = (): number => ms
  const chain = await startSwarmdChain({ folder: null, port: 0, now })
  t.after(() => chain.close())
  const signer = signKeyPair(randomBytes(32))
  const all: ChainSettings = {
    urls: [chain.url],
    program: EMBEDDED_PROGRAM,
    deposit: lamports(DEPOSIT),
    grace: 24n * HOUR,
    leastGrace: 2n * HOUR,
    ...settings,
  }
  const side = async (dataDir: string, wallet: KeyPair): Promise<Side> => {
    const link = await openLink({ dataDir, settings: all, genesis: bytesOf(chain.genesisHash), wallet, now })
    const store = await LedgerStore.open(join(dataDir, 'ledger'), new Uint8Array(32))
    const opened = Promise.resolve(link)
    const ledger = (): Promise<LedgerStore> => Promise.resolve(store)
    const channels = new ChainChannels({
      settings: all,
      link: () => opened,
      store: ledger,
      signer: () => signer,
      wrongChain: (error) => error.message,
    })
    const settler = new Settler({
      link,
      store: ledger,
      closing: (channel) => channels.close(channel),
      failed: (error) => assert.fail(String(error)),
      now,
    })
    const close = async (): Promise<void> => {
      await link.outbox.close()
      await store.close()
    }
    const sides = { link, store, channels, settler }
    running.add(close)
    return {
      ...sides,
      async restart() {
        running.delete(close)
        await close()
        return side(dataDir, wallet)
      },
    }
  }
  const running = new Set<() => Promise<void>>()
  t.after(async () => {
    for (const close of running) await close()
  })
  const fresh = async (): Promise<Side> => {
    const dataDir = await mkdtemp(join(tmpdir(), 'swarmd-settler-'))
    t.after(() => rm(dataDir, { recursive: true, force: true }))
    const wallet = signKeyPair(randomBytes(32))
    chain.chain.airdrop(wallet.publicKey, SOL)
    return side(dataDir, wallet)
  }
  const [provider, payer] = [await fresh(), await fresh()]
  const node = signKeyPair(randomBytes(32))
  await provider.link.client.register(node, new Uint8Array(32).fill(8), provider.link.client.address, '1')
  return {
    node,
    signer,
    provider,
    payer,
    wait: (seconds) => void (ms += Number(seconds) * 1000),
    async hold({ store }, channel, cumulative) {
      const signed = signVoucher({ channel, cumulative: lamports(cumulative), expiresAt: 0n }, signer.secretKey)
      const rule = { channel, signer: signer.publicKey, deposit: lamports(DEPOSIT), now: 0n }
      await store.vouchers.accept(signed, rule)
    },
    settled: async (channel) => (await payer.link.client.channel(addressOf(channel)))?.account.settled,
  }
}

test('a channel is opened once, also by a process that died over it, and another when it is used up', async (t) => {
  const { node, signer, payer, provider } = await sceneOf(t)
  const { outbox } = payer.link
  const tick = outbox.tick.bind(outbox)
  // Dies when the transaction is on the disk and not sent yet.
  outbox.tick = () => (outbox.list().length > 0 ? Promise.reject(new Error('killed')) : tick())
  await assert.rejects(payer.channels.outgoing(node.publicKey), /killed/)
  const later = await payer.restart()
  const { channel } = await later.channels.outgoing(node.publicKey)
  assert.deepEqual((await later.channels.outgoing(node.publicKey)).channel, channel)
  assert.equal((await provider.link.channelsTo()).length, 1)
  const most = { channel, cumulative: lamports(DEPOSIT - 1n), expiresAt: 0n }
  await later.store.vouchers.sign(most, lamports(DEPOSIT), signer.secretKey)
  const next = await later.channels.outgoing(node.publicKey)
  assert.notDeepEqual(next.channel, channel)
  assert.deepEqual((await later.channels.outgoing(node.publicKey)).channel, next.channel)
  assert.equal((await provider.link.channelsTo()).length, 2)
})

test('it is settled when it is worth it, and at the end when that is worth its fee', async (t) => {
  const { node, provider, payer, hold, settled } = await sceneOf(t)
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

test('a payer that asks to close is seen, also after a restart: what is held is settled, and nothing more served', async (t) => {
  const { node, provider, payer, hold, settled, wait } = await sceneOf(t)
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
})

test('vouchers that were settled for a lost ledger buy nothing again', async (t) => {
  const { node, provider, payer, hold } = await sceneOf(t)
  const { channel } = await payer.channels.outgoing(node.publicKey)
  await hold(provider, channel, 20_000n)
  await provider.settler.run(true)
  assert.ok(await provider.channels.incoming(channel))
  await provider.store.vouchers.drop(channel)
  await assert.rejects(provider.channels.incoming(channel), { code: 'PAYMENT_REQUIRED', message: /More was settled/ })
})

test('what cannot be enforced is refused: another provider, a short grace, no channel at all', async (t) => {
  const { node, provider, payer } = await sceneOf(t, { grace: HOUR })
  const { channel } = await payer.channels.outgoing(node.publicKey)
  await assert.rejects(provider.channels.incoming(channel), { code: 'PAYMENT_REQUIRED', message: /grace/ })
  await assert.rejects(payer.channels.incoming(channel), { code: 'PAYMENT_REQUIRED', message: /no such channel/ })
  await assert.rejects(provider.channels.incoming(randomBytes(32)), { code: 'PAYMENT_REQUIRED', message: /no such/ })
  await assert.rejects(payer.channels.outgoing(randomBytes(32)), { code: 'NO_MEANS', message: /not registered/ })
})
