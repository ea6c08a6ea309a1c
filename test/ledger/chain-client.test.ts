/** The life of a channel through the client, over HTTP, on the embedded chain with the real program. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { PublicKey } from '@solana/web3.js'
import { lamports } from '../../ledger/amount.js'
import { toBase58 } from '../../ledger/chain/base58.js'
import { accountOf, airdrop, outboxChain } from '../../ledger/chain/calls.js'
import { ChainClient } from '../../ledger/chain/client.js'
import type { Claim } from '../../ledger/chain/client.js'
import { startSwarmdChain, EMBEDDED_PROGRAM } from '../../ledger/chain/embedded/swarmd-chain.js'
import type { RunningChain } from '../../ledger/chain/embedded/start.js'
import { CHANNEL_PHASE } from '../../ledger/chain/layout/accounts.js'
import { Outbox } from '../../ledger/chain/outbox.js'
import {
  channelsOfPayer,
  channelsOfProvider,
  offers,
  offersOfModel,
  providerOfNode,
} from '../../ledger/chain/readings.js'
import { Rpc } from '../../ledger/chain/rpc.js'
import { Transactor } from '../../ledger/chain/transactor.js'
import { randomBytes, signingKeyPair } from '../../ledger/crypto.js'
import type { KeyPair } from '../../ledger/crypto.js'
import { Journal } from '../../ledger/store/journal.js'
import { signVoucher } from '../../ledger/voucher.js'
import { folderOf } from './folder.js'
import { filled } from './sample.js'

const SOL = 1_000_000_000n
const MODEL = filled(32, 5)
const GRACE = 3_600n

interface Party {
  readonly wallet: KeyPair
  readonly client: ChainClient
  readonly rpc: Rpc
  readonly outbox: Outbox
}

interface Scene {
  readonly chain: RunningChain
  /** Moves the chain's clock. */
  wait(seconds: number): void
  party(coins: bigint, priorityFee?: bigint): Promise<Party>
}

async function sceneOf(t: TestContext): Promise<Scene> {
  let ms = 1_800_000_000_000
  const chain = await startSwarmdChain({ folder: null, port: 0, now: () => ms })
  t.after(() => chain.close())
  return {
    chain,
    wait: (seconds) => void (ms += seconds * 1_000),
    async party(coins, priorityFee = 0n) {
      const wallet = signingKeyPair(randomBytes(32))
      const rpc = new Rpc({ urls: [chain.url], genesisHash: chain.genesisHash })
      const journal = await Journal.open(join(folderOf(t), 'outbox'))
      const outbox = new Outbox({ journal, chain: outboxChain(rpc), now: () => ms })
      t.after(() => outbox.close())
      const transactor = new Transactor({ rpc, outbox, priorityFee, maxPriorityFee: priorityFee })
      const client = new ChainClient({ rpc, transactor, program: EMBEDDED_PROGRAM, wallet })
      await airdrop(rpc, client.address, lamports(coins))
      return { wallet, client, rpc, outbox }
    },
  }
}

async function providerOf(scene: Scene, payout: string): Promise<Party> {
  const provider = await scene.party(SOL)
  await provider.client.register(signingKeyPair(randomBytes(32)), filled(32, 8), payout, '1')
  return provider
}

async function claimOf(party: Party, address: string, signer: KeyPair, cumulative: bigint): Promise<Claim> {
  const channel = await party.client.channel(address)
  assert.ok(channel)
  const voucher = { channel: new PublicKey(address).toBytes(), cumulative: lamports(cumulative), expiresAt: 0n }
  return { channel, signed: signVoucher(voucher, signer.secretKey) }
}

test('open, pay, top up, settle, close: what was paid is received, fees and remainder to the lamport', async (t) => {
  const scene = await sceneOf(t)
  const payout = signingKeyPair(randomBytes(32))
  const provider = await providerOf(scene, toBase58(payout.publicKey))
  const payer = await scene.party(10n * SOL)
  const { treasury } = await payer.client.config()
  const signer = signingKeyPair(randomBytes(32))
  const terms = { provider: provider.client.provider, signer: signer.publicKey, model: MODEL, grace: GRACE }
  const { channel } = await payer.client.open({ ...terms, deposit: lamports(SOL) }, 'first')
  assert.equal((await payer.client.open({ ...terms, deposit: lamports(SOL) }, 'first')).channel, channel)
  await payer.client.topUp(channel, lamports(SOL), '1')
  assert.equal((await payer.client.channel(channel))?.account.deposit, 2n * SOL)

  const before = await balance(payer, treasury.toBase58())
  await provider.client.settle([await claimOf(provider, channel, signer, SOL / 2n)])
  await provider.client.settle([await claimOf(provider, channel, signer, SOL)], {
    log: filled(32, 1),
    treeHash: filled(32, 2),
    length: 9n,
  })
  assert.equal(await balance(payer, toBase58(payout.publicKey)), (SOL * 9n) / 10n)
  assert.equal((await balance(payer, treasury.toBase58())) - before, SOL / 10n)
  assert.equal((await provider.client.providerAt(provider.client.provider))?.account.logLength, 9n)

  await payer.client.requestClose(channel)
  assert.equal((await payer.client.channel(channel))?.account.phase, CHANNEL_PHASE.closing)
  const closing = await payer.client.channel(channel)
  assert.ok(closing)
  await assert.rejects(payer.client.finish(closing), /GRACE_RUNNING/)
  scene.wait(Number(GRACE) + 1)
  await payer.client.finish(closing)
  assert.equal(await payer.client.channel(channel), null)
  // All that is gone: what was earned, and the fees of four transactions (a repeated intention costs nothing).
  assert.equal(await payer.client.balance(), 10n * SOL - SOL - 4n * 5_000n)
})

test('an error of the program comes with its name, before anything is signed', async (t) => {
  const scene = await sceneOf(t)
  const provider = await providerOf(scene, toBase58(filled(32, 77)))
  const payer = await scene.party(SOL)
  const signer = signingKeyPair(randomBytes(32))
  const terms = { provider: provider.client.provider, signer: signer.publicKey, model: MODEL }
  const open = payer.client.open({ ...terms, deposit: lamports(1_000_000n), grace: 1n }, 'short')
  await assert.rejects(open, (error: unknown) => {
    assert.ok(error instanceof Error && 'rejection' in error)
    assert.equal((error.rejection as { name: string }).name, 'BAD_GRACE')
    return true
  })
  assert.deepEqual(payer.outbox.list(), [])
  const rich = payer.client.open({ ...terms, deposit: lamports(2n * SOL), grace: GRACE }, 'rich')
  await assert.rejects(rich, { code: 'INSUFFICIENT_FUNDS' })
  await assert.rejects(payer.client.transfer('not an address', lamports(1n), '1'), { code: 'BAD_ADDRESS' })
})

test('many channels of a provider settle in as few transactions as fit', async (t) => {
  const scene = await sceneOf(t)
  const provider = await providerOf(scene, toBase58(signingKeyPair(randomBytes(32)).publicKey))
  const payer = await scene.party(10n * SOL)
  const signer = signingKeyPair(randomBytes(32))
  const terms = { provider: provider.client.provider, signer: signer.publicKey, model: MODEL, grace: GRACE }
  const channels: string[] = []
  for (let index = 0; index < 7; index++)
    channels.push((await payer.client.open({ ...terms, deposit: lamports(SOL / 10n) }, `${index}`)).channel)
  const found = await channelsOfPayer(payer.rpc, EMBEDDED_PROGRAM, payer.client.address)
  assert.deepEqual(found.map(({ address }) => address).toSorted(), channels.toSorted())
  assert.equal((await channelsOfProvider(payer.rpc, EMBEDDED_PROGRAM, provider.client.provider)).length, 7)
  const claims = await Promise.all(channels.map((channel) => claimOf(provider, channel, signer, 50_000_000n)))
  const entries = await provider.client.settle(claims)
  assert.ok(entries.length <= 3, `${entries.length} transactions`)
  const after = await channelsOfPayer(payer.rpc, EMBEDDED_PROGRAM, payer.client.address)
  assert.ok(after.every(({ account }) => account.settled === 50_000_000n))
  // The same again is known, and costs nothing.
  const held = await provider.client.balance()
  await provider.client.settle(claims)
  assert.equal(await provider.client.balance(), held)
})

test('providers and offers are found by node key and by model; offers close', async (t) => {
  const scene = await sceneOf(t)
  const provider = await scene.party(SOL)
  const node = signingKeyPair(randomBytes(32))
  await provider.client.register(node, filled(32, 8), provider.client.address, '1')
  const found = await providerOfNode(provider.rpc, EMBEDDED_PROGRAM, node.publicKey)
  assert.equal(found?.address, provider.client.provider)
  await provider.client.register(node, filled(32, 9), provider.client.address, '2')
  assert.deepEqual((await provider.client.providerAt(provider.client.provider))?.account.box, filled(32, 9))
  const offer = { model: MODEL, input: 10n, cached: 1n, output: 30n, context: 4096, flags: 0 }
  await provider.client.setOffer(offer, '1')
  const [held] = await offersOfModel(provider.rpc, EMBEDDED_PROGRAM, MODEL)
  assert.deepEqual([held?.account.output, held?.account.provider.toBase58()], [30n, provider.client.provider])
  assert.deepEqual(await offersOfModel(provider.rpc, EMBEDDED_PROGRAM, filled(32, 6)), [])
  assert.equal((await offers(provider.rpc, EMBEDDED_PROGRAM)).length, 1)
  await provider.client.closeOffer(MODEL, '1')
  assert.deepEqual(await offersOfModel(provider.rpc, EMBEDDED_PROGRAM, MODEL), [])
})

test('a transfer with a priority fee pays it; the same id is the same transfer', async (t) => {
  const scene = await sceneOf(t)
  const payer = await scene.party(SOL, 10_000n)
  const to = toBase58(signingKeyPair(randomBytes(32)).publicKey)
  const both = [1, 2].map(() => payer.client.transfer(to, lamports(SOL / 10n), 'rent of June'))
  const [entry, twin] = await Promise.all(both)
  assert.ok(entry && entry.signature === twin?.signature)
  assert.equal((await payer.client.transfer(to, lamports(SOL / 10n), 'rent of June')).signature, entry.signature)
  assert.equal(await balance(payer, to), SOL / 10n)
  const fee = SOL - SOL / 10n - (await payer.client.balance())
  assert.ok(fee > 5_000n && fee < 5_100n, `${fee}`)
})

async function balance(party: Party, address: string): Promise<bigint> {
  return (await accountOf(party.rpc, address))?.lamports ?? 0n
}
