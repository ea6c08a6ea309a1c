/** Two sides of channels over the embedded chain with a clock of its own: what a daemon's chain folder is tested on. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { Anchor } from '../../daemon/chain/anchor.js'
import { ChainChannels } from '../../daemon/chain/channels.js'
import { Deposits } from '../../daemon/chain/deposits.js'
import type { Allowance } from '../../daemon/chain/deposits.js'
import { Keeper } from '../../daemon/chain/keeper.js'
import { addressOf, bytesOf, openLink } from '../../daemon/chain/link.js'
import type { ChainLink } from '../../daemon/chain/link.js'
import { Settler } from '../../daemon/chain/settler.js'
import { randomBytes, signKeyPair } from '../../daemon/crypto.js'
import type { KeyPair } from '../../daemon/crypto.js'
import type { ChainSettings } from '../../daemon/node-options.js'
import { Purse } from '../../daemon/payment/purse.js'
import { lamports } from '../../ledger/amount.js'
import { EMBEDDED_PROGRAM, startSwarmdChain } from '../../ledger/chain/embedded/swarmd-chain.js'
import type { ProviderAccount } from '../../ledger/chain/layout/accounts.js'
import { LedgerStore } from '../../ledger/store/store.js'
import { signVoucher } from '../../ledger/voucher.js'

export const SOL = 1_000_000_000n
export const HOUR = 3_600n
export const DEPOSIT = 10_000_000n

export interface Side {
  readonly link: ChainLink
  readonly store: LedgerStore
  readonly deposits: Deposits
  readonly channels: ChainChannels
  readonly purse: Purse
  readonly settler: Settler
  readonly keeper: Keeper
  /** What could not be done. */
  readonly failures: unknown[]
  /** Lamports of its wallet. */
  balance(): bigint
  /** As after a start: nothing is left but the disk. */
  restart(): Promise<Side>
}

export interface ChainScene {
  readonly node: KeyPair
  readonly signer: KeyPair
  readonly provider: Side
  readonly payer: Side
  /** Hex channels on which the provider is serving an answer. */
  readonly serving: Set<string>
  /** Unix milliseconds. */
  now(): number
  wait(seconds: bigint): void
  /** The provider takes a voucher. */
  hold(side: Side, channel: Uint8Array, cumulative: bigint): Promise<void>
  /** The payer promises so much. */
  promise(side: Side, channel: Uint8Array, cumulative: bigint): Promise<void>
  settled(channel: Uint8Array): Promise<bigint | undefined>
  /** Lamports in the channel's account; 0n = there is none. */
  within(channel: Uint8Array): bigint
  registration(): Promise<ProviderAccount | undefined>
  /** Somebody else with a wallet of so much. */
  stranger(coins: bigint): Promise<Side>
}

export interface SceneSettings extends Partial<ChainSettings> {
  readonly allowance?: Partial<Allowance>
  /** Of the payer's wallet. */
  readonly coins?: bigint
}

export async function chainScene(t: TestContext, given: SceneSettings = {}): Promise<ChainScene> {
  const { allowance = {}, coins = SOL, ...settings } = given
  let ms = 1_800_000_000_000
  const now = (): number => ms
  const chain = await startSwarmdChain({ folder: null, port: 0, now })
  t.after(() => chain.close())
  const [signer, node] = [signKeyPair(randomBytes(32)), signKeyPair(randomBytes(32))]
  const serving = new Set<string>()
  const all: ChainSettings = {
    urls: [chain.url],
    program: EMBEDDED_PROGRAM,
    deposit: lamports(DEPOSIT),
    grace: 24n * HOUR,
    leastGrace: 2n * HOUR,
    idle: 12n * HOUR,
    ...settings,
  }
  const side = async (dataDir: string, wallet: KeyPair): Promise<Side> => {
    const link = await openLink({ dataDir, settings: all, genesis: bytesOf(chain.genesisHash), wallet, now })
    const ledger = await LedgerStore.open(join(dataDir, 'ledger'), new Uint8Array(32))
    const opened = Promise.resolve(link)
    const store = (): Promise<LedgerStore> => Promise.resolve(ledger)
    const allowed: Allowance = { perDay: null, spent: () => false, objection: () => null, ...allowance }
    const deposits = new Deposits({
      settings: all,
      link: () => opened,
      store,
      signer: () => signer,
      allowance: allowed,
      now,
    })
    const channels = new ChainChannels({ settings: all, link: () => opened, deposits, wrongChain: (e) => e.message })
    const background = (work: Promise<void>): void => void work
    const purse = new Purse({ channels, store, swarm: () => null, background, now })
    const failures: unknown[] = []
    const failed = (error: unknown): void => void failures.push(error)
    const keeper = new Keeper({ link, store, deposits, purse, idle: all.idle ?? 0n, failed, now })
    const till = { busy: (channel: Uint8Array) => serving.has(Buffer.from(channel).toString('hex')) }
    const anchor = new Anchor({ client: link.client, store, secretKey: node.secretKey })
    const closing = (channel: Uint8Array): void => channels.close(channel)
    const settler = new Settler({ link, store, till, anchor, closing, failed, now })
    const close = async (): Promise<void> => {
      assert.deepEqual(failures, [])
      await link.outbox.close()
      await ledger.close()
    }
    running.add(close)
    return {
      link,
      store: ledger,
      deposits,
      channels,
      purse,
      settler,
      keeper,
      failures,
      balance: () => chain.chain.account(wallet.publicKey)?.lamports ?? 0n,
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
  const fresh = async (has: bigint): Promise<Side> => {
    const dataDir = await mkdtemp(join(tmpdir(), 'swarmd-sides-'))
    t.after(() => rm(dataDir, { recursive: true, force: true }))
    const wallet = signKeyPair(randomBytes(32))
    chain.chain.airdrop(wallet.publicKey, has)
    return side(dataDir, wallet)
  }
  const [provider, payer] = [await fresh(SOL), await fresh(coins)]
  await provider.link.client.register(node, new Uint8Array(32).fill(8), provider.link.client.address, '1')
  const { client } = provider.link
  return {
    node,
    signer,
    provider,
    payer,
    serving,
    now,
    wait: (seconds) => void (ms += Number(seconds) * 1000),
    async hold({ store }, channel, cumulative) {
      const signed = signVoucher({ channel, cumulative: lamports(cumulative), expiresAt: 0n }, signer.secretKey)
      await store.vouchers.accept(signed, { channel, signer: signer.publicKey, deposit: lamports(SOL), now: 0n })
    },
    async promise({ store }, channel, cumulative) {
      const voucher = { channel, cumulative: lamports(cumulative), expiresAt: 0n }
      await store.vouchers.sign(voucher, lamports(SOL), signer.secretKey)
    },
    settled: async (channel) => (await client.channel(addressOf(channel)))?.account.settled,
    within: (channel) => chain.chain.account(channel)?.lamports ?? 0n,
    registration: async () => (await client.providerAt(client.provider))?.account,
    stranger: fresh,
  }
}
