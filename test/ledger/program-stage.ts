/**
 * The stage for the program's tests: a config, two providers, two payers, and one valid call of every instruction to
 * start from. Everything else is a change of one of these.
 */
import type { PublicKey, TransactionInstruction } from '@solana/web3.js'
import { lamports } from '../../ledger/amount.js'
import * as at from '../../ledger/chain/layout/addresses.js'
import * as channels from '../../ledger/chain/layout/channel-instructions.js'
import * as configs from '../../ledger/chain/layout/config-instructions.js'
import * as orders from '../../ledger/chain/layout/order-instructions.js'
import * as providers from '../../ledger/chain/layout/provider-instructions.js'
import * as stakes from '../../ledger/chain/layout/stake-instructions.js'
import { voucherSignatures } from '../../ledger/chain/layout/voucher-signatures.js'
import type { VoucherSignature } from '../../ledger/chain/layout/voucher-signatures.js'
import { signVoucher } from '../../ledger/voucher.js'
import { SOL, World } from './program-world.js'

export const MODEL = new Uint8Array(32).fill(0x77)
export const HASH = new Uint8Array(32).fill(0x33)
export const SALT = 7n
export const DEPOSIT = 1003n
export const DAY = 86_400n

export interface VoucherOf {
  readonly payer?: string
  readonly provider?: string
  readonly salt?: bigint
  readonly cumulative?: bigint
  readonly expiresAt?: bigint
  /** Who signs it instead of the channel's signer. */
  readonly by?: string
  /** What it names instead of its own channel. */
  readonly names?: PublicKey
}

export class Stage {
  readonly world: World

  constructor(image: Uint8Array, world = new World(image)) {
    this.world = world
    for (const name of ['deployer', 'admin', 'treasury', 'pool', 'slasher', 'alice', 'bob', 'mallory']) {
      world.fund(name, 100n * SOL)
    }
    for (const name of ['pat', 'patNode', 'patPayout', 'quinn', 'quinnNode', 'quinnPayout'])
      world.fund(name, 100n * SOL)
  }

  /** The config and both providers are there. */
  static ready(image: Uint8Array): Stage {
    const stage = new Stage(image)
    stage.must(stage.init())
    stage.must(stage.register('pat'), stage.register('quinn'))
    return stage
  }

  get program(): PublicKey {
    return this.world.program
  }

  key(name: string): PublicKey {
    return this.world.key(name)
  }

  must(...instructions: readonly TransactionInstruction[]): void {
    const { error } = this.world.send(...instructions)
    if (error !== null) throw new Error(`a valid call failed: ${error}`)
  }

  get config(): PublicKey {
    return at.configAddress(this.program)
  }

  provider(name = 'pat'): PublicKey {
    return at.providerAddress(this.program, this.key(name))
  }

  offer(name = 'pat'): PublicKey {
    return at.offerAddress(this.program, this.provider(name), MODEL)
  }

  stake(name = 'pat'): PublicKey {
    return at.stakeAddress(this.program, this.provider(name))
  }

  order(payer = 'alice', salt = SALT): PublicKey {
    return at.orderAddress(this.program, this.key(payer), salt)
  }

  channel(payer = 'alice', provider = 'pat', salt = SALT, openSlot = 10_000n): PublicKey {
    const signer = this.world.pair(`${payer}Voucher`).publicKey
    const seeds = { payer: this.key(payer), provider: this.provider(provider), signer, salt, openSlot }
    return at.channelAddress(this.program, seeds)
  }

  configChange(change: Partial<configs.ConfigChange> = {}): configs.ConfigChange {
    const fees = { feeBps: 1000, trainerBps: 3000, poolBps: 2000, treasuryBps: 5000 }
    const [admin, slasher, treasury, pool] = ['admin', 'slasher', 'treasury', 'pool'].map((name) => this.key(name))
    if (!admin || !slasher || !treasury || !pool) throw new Error('four keys')
    return { admin, slasher, treasury, pool, ...fees, ...change }
  }

  init(change: Partial<configs.ConfigChange> = {}, authority = 'deployer'): TransactionInstruction {
    return configs.initConfig(this.program, { authority: this.key(authority), ...this.configChange(change) })
  }

  update(change: Partial<configs.ConfigChange> = {}, by = 'admin'): TransactionInstruction {
    return configs.updateConfig(this.program, { by: this.key(by), ...this.configChange(change) })
  }

  identity(name: string): Parameters<typeof providers.registerProvider>[1] {
    const box = new Uint8Array(32).fill(name.length)
    return { authority: this.key(name), node: this.key(`${name}Node`), box, payout: this.key(`${name}Payout`) }
  }

  register(name = 'pat'): TransactionInstruction {
    return providers.registerProvider(this.program, this.identity(name))
  }

  checkpoint(length: bigint, log = 1, tree = 1, name = 'pat'): TransactionInstruction {
    const [logKey, treeHash] = [log, tree].map((byte) => new Uint8Array(32).fill(byte))
    if (!logKey || !treeHash) throw new Error('two hashes')
    return providers.anchorCheckpoint(this.program, { authority: this.key(name), log: logKey, treeHash, length })
  }

  setOffer(name = 'pat', change: Partial<providers.OfferArgs> = {}): TransactionInstruction {
    const args = { model: MODEL, input: 10n, cached: 1n, output: 30n, context: 4096, flags: 0, ...change }
    return providers.setOffer(this.program, { authority: this.key(name), ...args })
  }

  closeOffer(name = 'pat'): TransactionInstruction {
    return providers.closeOffer(this.program, { authority: this.key(name), model: MODEL })
  }

  open(payer = 'alice', provider = 'pat', change: Partial<channels.ChannelOpenArgs> = {}): TransactionInstruction {
    const signer = this.world.pair(`${payer}Voucher`).publicKey
    const rule = { salt: SALT, openSlot: 10_000n, deposit: lamports(DEPOSIT), grace: 60n }
    const keys = { payer: this.key(payer), provider: this.provider(provider) }
    return channels.openChannel(this.program, { ...keys, signer, model: MODEL, ...rule, ...change })
  }

  topUp(amount: bigint, payer = 'alice', channel = this.channel()): TransactionInstruction {
    return channels.topUpChannel(this.program, { payer: this.key(payer), channel, amount: lamports(amount) })
  }

  voucher(of: VoucherOf): VoucherSignature {
    const { payer = 'alice', provider = 'pat', salt = SALT, cumulative = 500n, expiresAt = 0n } = of
    const pair = this.world.pair(of.by ?? `${payer}Voucher`)
    const channel = (of.names ?? this.channel(payer, provider, salt)).toBytes()
    return {
      signed: signVoucher({ channel, cumulative: lamports(cumulative), expiresAt }, pair.secretKey),
      signer: pair.publicKey,
    }
  }

  settleKeys(provider = 'pat'): Omit<channels.SettleKeys, 'channels'> {
    const [payout, treasury, pool] = [`${provider}Payout`, 'treasury', 'pool'].map((name) => this.key(name))
    if (!payout || !treasury || !pool) throw new Error('three keys')
    return { provider: this.provider(provider), payout, treasury, pool }
  }

  /** The Ed25519 instruction and the settlement. */
  settle(vouchers: readonly VoucherOf[] = [{}], provider = 'pat'): [TransactionInstruction, TransactionInstruction] {
    const keys = vouchers.map((of) => this.channel(of.payer, of.provider ?? provider, of.salt))
    const settlement = channels.settleChannels(this.program, { ...this.settleKeys(provider), channels: keys })
    return [voucherSignatures(vouchers.map((of) => this.voucher(of))), settlement]
  }

  requestClose(payer = 'alice', channel = this.channel()): TransactionInstruction {
    return channels.requestCloseChannel(this.program, { payer: this.key(payer), channel })
  }

  finish(closer = 'pat', change: Partial<channels.FinishKeys> = {}): TransactionInstruction {
    const keys = { closer: this.key(closer), channel: this.channel(), payer: this.key('alice') }
    return channels.finishCloseChannel(this.program, { ...keys, provider: this.provider(), ...change })
  }

  openOrder(payer = 'alice', change: Partial<orders.OrderOpenArgs> = {}): TransactionInstruction {
    const money = { maxCost: lamports(1003n), minReputation: lamports(0n), deadline: this.world.now + 100n }
    const rule = { model: MODEL, requestHash: HASH, salt: SALT, context: 512, allowed: [] }
    return orders.openOrder(this.program, { payer: this.key(payer), ...rule, ...money, ...change })
  }

  lock(name = 'pat', change: Partial<orders.OrderLockArgs> = {}, order = this.order()): TransactionInstruction {
    const keys = { authority: this.key(name), provider: this.provider(name), order }
    return orders.lockOrder(this.program, { ...keys, requestHash: HASH, maxCost: lamports(1003n), ...change })
  }

  claim(name = 'pat', cost = 505n, change: Partial<orders.ClaimKeys> = {}): TransactionInstruction {
    const keys = { authority: this.key(name), order: this.order(), ...this.settleKeys(name), ...change }
    return orders.claimOrder(this.program, { ...keys, responseHash: HASH, cost: lamports(cost) })
  }

  refund(by = 'alice', locker: string | null = null, change: Partial<orders.RefundKeys> = {}): TransactionInstruction {
    const keys = { by: this.key(by), order: this.order(), payer: this.key('alice') }
    return orders.refundOrder(this.program, { ...keys, locker: locker ? this.provider(locker) : null, ...change })
  }

  depositStake(amount = 1000n, name = 'pat'): TransactionInstruction {
    return stakes.depositStake(this.program, { authority: this.key(name), amount: lamports(amount) })
  }

  unbond(amount: bigint, owner = 'pat', stake = this.stake()): TransactionInstruction {
    return stakes.unbondStake(this.program, { owner: this.key(owner), stake, amount: lamports(amount) })
  }

  withdraw(owner = 'pat', stake = this.stake()): TransactionInstruction {
    return stakes.withdrawStake(this.program, { owner: this.key(owner), stake })
  }

  slash(amount: bigint, verdict = 1, by = 'slasher', change: Partial<stakes.SlashKeys> = {}): TransactionInstruction {
    const keys = { slasher: this.key(by), stake: this.stake(), treasury: this.key('treasury'), ...change }
    const args = { amount: lamports(amount), verdict: new Uint8Array(32).fill(verdict) }
    return stakes.slashStake(this.program, { ...keys, ...args })
  }
}
