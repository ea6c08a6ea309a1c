/**
 * What each instruction does, for the model: written from docs/program.md, not from the C sources.
 */
import { Ed25519Program, SYSVAR_INSTRUCTIONS_PUBKEY } from '@solana/web3.js'
import type { PublicKey } from '@solana/web3.js'
import { lamports } from '../../ledger/amount.js'
import type { Fees } from '../../ledger/chain/layout/accounts.js'
import { CHANNEL_PHASE, ORDER_PHASE } from '../../ledger/chain/layout/accounts.js'
import * as channels from '../../ledger/chain/layout/channel-instructions.js'
import * as configs from '../../ledger/chain/layout/config-instructions.js'
import * as orders from '../../ledger/chain/layout/order-instructions.js'
import * as providers from '../../ledger/chain/layout/provider-instructions.js'
import * as stakes from '../../ledger/chain/layout/stake-instructions.js'
import { decodeVoucher } from '../../ledger/voucher.js'
import { isEmpty, need, NO_KEY, plus } from './program-model.js'
import type { Call, Rules } from './program-model.js'

const ZEROS = new Uint8Array(32)
const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0)
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.from(a).equals(b)

function u64(value: bigint): Uint8Array {
  const out = new Uint8Array(8)
  new DataView(out.buffer).setBigUint64(0, value, true)
  return out
}

function writeConfig(call: Call, treasury: number, args: configs.ConfigArgs): void {
  const { feeBps, trainerBps, poolBps, treasuryBps, admin, slasher } = args
  need(feeBps <= 1000, 'fee')
  need(trainerBps + poolBps + treasuryBps === 10_000, 'shares')
  need(!admin.equals(NO_KEY), 'admin')
  for (const place of [treasury, treasury + 1]) {
    call.writable(place)
    const size = call.model.bytes(call.key(place)).byteLength
    need(call.model.entry(call.key(place)).lamports >= call.model.rent(size), 'a fee account without its rent')
  }
  const keys = { treasury: call.key(treasury), pool: call.key(treasury + 1) }
  call.update(1, 'config', { admin, slasher, feeBps, trainerBps, poolBps, treasuryBps, ...keys })
}

function authority(call: Call, place: number): ReturnType<typeof call.changing<'provider'>> {
  const provider = call.changing(place, 'provider')
  need(call.signed(0).equals(provider.authority), 'the authority')
  return provider
}

function writeProvider(call: Call, place: number, { box, payout }: providers.ProviderArgs): void {
  const node = call.signed(1).toBytes()
  need(!isZero(box) && !payout.equals(NO_KEY), 'keys')
  call.update(place, 'provider', { node, box, payout, updatedAt: call.model.now })
}

/** What provider, pool and treasury get when a cumulative amount grows. */
function split(
  fees: Fees,
  before: bigint,
  after: bigint,
): { provider: bigint; pool: bigint; rest: bigint; fee: bigint } {
  const fee = (amount: bigint): bigint => (amount * BigInt(fees.feeBps)) / 10_000n
  const pool = (amount: bigint): bigint => (fee(amount) * BigInt(fees.poolBps)) / 10_000n
  const [all, pooled] = [fee(after) - fee(before), pool(after) - pool(before)]
  return { fee: all, provider: after - before - all, pool: pooled, rest: all - pooled }
}

/** `payout` is the place of three accounts: payout, treasury, pool. */
function payOut(
  call: Call,
  from: number,
  provider: number,
  payout: number,
  config: number,
  fees: Fees,
  range: [bigint, bigint],
): void {
  const { treasury, pool } = call.ours(config, 'config')
  const known = call.ours(provider, 'provider')
  need(call.writable(payout).equals(known.payout), 'the payout')
  need(call.writable(payout + 1).equals(treasury), 'the treasury')
  need(call.writable(payout + 2).equals(pool), 'the pool')
  const parts = split(fees, ...range)
  call.model.move(call.key(from), call.key(payout), parts.provider)
  call.model.move(call.key(from), pool, parts.pool)
  call.model.move(call.key(from), treasury, parts.rest)
  const settled = plus(known.settled, range[1] - range[0])
  call.update(provider, 'provider', { settled, fees: plus(known.fees, parts.fee) })
}

function readWords(data: Uint8Array, at: number): number[] {
  return Array.from({ length: 7 }, (_, index) => Buffer.from(data).readUInt16LE(at + 2 * index))
}

function settle(call: Call): void {
  call.args(channels.CHANNEL_SETTLE.args)
  const count = call.keys.length - 6
  need(count > 0, 'channels')
  need(call.keys.length <= 16, 'too many accounts')
  need(call.key(0).equals(SYSVAR_INSTRUCTIONS_PUBKEY), 'the sysvar')
  call.ours(1, 'config')
  call.changing(2, 'provider')
  for (const place of [3, 4, 5]) call.writable(place)
  const { previous } = call
  need(previous !== null && previous.programId.equals(Ed25519Program.programId), 'signatures before')
  const { data } = previous
  need(data.length >= 2 + 14 * count && data[0] === count && data[1] === 0, 'as many signatures')
  for (let index = 0; index < count; index++) {
    const place = 6 + index
    const channel = call.changing(place, 'channel')
    need(channel.provider.equals(call.key(2)), 'the provider of the channel')
    need(channel.phase !== CHANNEL_PHASE.ended, 'ended')
    const [, a, key = 0, b, message = 0, length, c] = readWords(data, 2 + 14 * index)
    need(a === 0xffff && b === 0xffff && c === 0xffff && length === 50, 'this instruction')
    need(same(data.subarray(key, key + 32), channel.signer), 'the signer')
    const bytes = data.subarray(message, message + 50)
    need(bytes[0] === 0x56 && bytes[1] === 1, 'magic')
    const { channel: named, cumulative, expiresAt } = decodeVoucher(bytes)
    need(same(named, call.key(place).toBytes()), 'the channel')
    need(expiresAt === 0n || expiresAt > call.model.now, 'expired')
    need(cumulative > channel.settled && cumulative <= channel.deposit, 'between settled and deposit')
    call.update(place, 'channel', { settled: cumulative })
    payOut(call, place, 2, 3, 1, channel, [channel.settled, cumulative])
    const { settlements } = call.ours(2, 'provider')
    call.update(2, 'provider', { settlements: settlements + 1n })
  }
}

function closeChannel(call: Call): void {
  call.args(channels.CHANNEL_FINISH_CLOSE.args)
  call.count(4)
  const closer = call.signed(0)
  const channel = call.changing(1, 'channel')
  need(call.writable(2).equals(channel.payer), 'the payer')
  need(call.key(3).equals(channel.provider), 'the provider')
  const isYoung = channel.openSlot + channels.RECENT_SLOTS >= call.model.slot
  if (channel.phase !== CHANNEL_PHASE.ended) {
    const provider = call.changing(3, 'provider')
    const isDue = channel.phase === CHANNEL_PHASE.closing && call.model.now >= channel.closeAt
    need(closer.equals(provider.authority) || isDue, 'grace')
    const { openChannels, channelsClosed } = provider
    call.update(3, 'provider', { openChannels: openChannels - 1n, channelsClosed: channelsClosed + 1n })
    call.update(1, 'channel', { phase: CHANNEL_PHASE.ended })
    if (isYoung) {
      call.model.move(call.key(1), call.key(2), channel.deposit - channel.settled)
      return
    }
  }
  need(!isYoung, 'young')
  call.destroy(1, 2)
}

function refund(call: Call): void {
  call.args(orders.ORDER_REFUND.args)
  need(call.keys.length >= 3, 'accounts')
  const by = call.signed(0)
  const order = call.changing(1, 'order')
  need(call.writable(2).equals(order.payer), 'the payer')
  const isLocked = order.phase === ORDER_PHASE.locked
  call.count(isLocked ? 4 : 3)
  const isDone = order.phase === ORDER_PHASE.claimed && by.equals(order.payer)
  need(isDone || call.model.now > order.deadline, 'the deadline')
  if (isLocked) {
    const { openOrders, ordersRefunded } = call.changing(3, 'provider')
    need(call.key(3).equals(order.provider), 'the provider')
    call.update(3, 'provider', { openOrders: openOrders - 1n, ordersRefunded: ordersRefunded + 1n })
  }
  call.destroy(1, 2)
}

function owner(call: Call): ReturnType<typeof call.changing<'stake'>> {
  const stake = call.changing(1, 'stake')
  need(call.signed(0).equals(stake.owner), 'the owner')
  return stake
}

const seed = (key: PublicKey): Uint8Array => key.toBytes()

export const RULES: Rules = new Map([
  [
    configs.CONFIG_UPDATE.number,
    (call: Call) => {
      const args = call.args(configs.CONFIG_UPDATE.args)
      call.count(4)
      need(call.signed(0).equals(call.changing(1, 'config').admin), 'the admin')
      writeConfig(call, 2, args)
    },
  ],
  [
    providers.PROVIDER_REGISTER.number,
    (call: Call) => {
      const args = call.args(providers.PROVIDER_REGISTER.args)
      call.count(4)
      call.system(3)
      const counters = { openChannels: 0n, openOrders: 0n, offers: 0n, channelsOpened: 0n, channelsClosed: 0n }
      const earned = {
        settlements: 0n,
        settled: lamports(0n),
        fees: lamports(0n),
        ordersClaimed: 0n,
        ordersRefunded: 0n,
      }
      const log = { log: ZEROS, treeHash: ZEROS, logLength: 0n, anchoredAt: 0n, logChanges: 0n }
      const keys = { authority: call.signed(0), node: ZEROS, box: ZEROS, payout: NO_KEY }
      const times = { registeredAt: call.model.now, updatedAt: 0n }
      const value = { ...keys, ...times, ...counters, ...earned, ...log }
      call.create(0, 2, 'provider', ['provider', seed(call.key(0))], value)
      writeProvider(call, 2, args)
    },
  ],
  [
    providers.PROVIDER_UPDATE.number,
    (call: Call) => {
      const args = call.args(providers.PROVIDER_UPDATE.args)
      call.count(3)
      authority(call, 2)
      writeProvider(call, 2, args)
    },
  ],
  [
    providers.PROVIDER_CLOSE.number,
    (call: Call) => {
      call.args(providers.PROVIDER_CLOSE.args)
      call.count(2)
      const { openChannels, openOrders, offers } = authority(call, 1)
      need(openChannels === 0n && openOrders === 0n && offers === 0n, 'in use')
      call.destroy(1, 0)
    },
  ],
  [
    providers.PROVIDER_CHECKPOINT.number,
    (call: Call) => {
      const { log, treeHash, length } = call.args(providers.PROVIDER_CHECKPOINT.args)
      call.count(2)
      const known = authority(call, 1)
      need(!isZero(log), 'a log')
      const isSame = same(log, known.log)
      need(!isSame || length >= known.logLength, 'behind')
      need(!isSame || length !== known.logLength || same(treeHash, known.treeHash), 'forked')
      const logChanges = known.logChanges + (isSame || isZero(known.log) ? 0n : 1n)
      call.update(1, 'provider', { log, treeHash, logLength: length, anchoredAt: call.model.now, logChanges })
    },
  ],
  [
    providers.OFFER_SET.number,
    (call: Call) => {
      const { model, ...terms } = call.args(providers.OFFER_SET.args)
      call.count(4)
      const { offers } = authority(call, 1)
      call.system(3)
      need(!isZero(model), 'a model')
      const provider = call.key(1)
      if (isEmpty(call.model.entry(call.key(2)))) {
        const value = { provider, model, ...terms, updatedAt: 0n }
        call.create(0, 2, 'offer', ['offer', seed(provider), model], value)
        call.update(1, 'provider', { offers: offers + 1n })
      }
      const offer = call.changing(2, 'offer')
      need(offer.provider.equals(provider) && same(offer.model, model), 'the offer')
      call.update(2, 'offer', { ...terms, updatedAt: call.model.now })
    },
  ],
  [
    providers.OFFER_CLOSE.number,
    (call: Call) => {
      call.args(providers.OFFER_CLOSE.args)
      call.count(3)
      const { offers } = authority(call, 1)
      need(call.changing(2, 'offer').provider.equals(call.key(1)), 'the provider')
      call.update(1, 'provider', { offers: offers - 1n })
      call.destroy(2, 0)
    },
  ],
  [
    channels.CHANNEL_OPEN.number,
    (call: Call) => {
      const { signer, model, salt, openSlot, deposit, grace } = call.args(channels.CHANNEL_OPEN.args)
      call.count(5)
      const payer = call.signed(0)
      const { openChannels, channelsOpened } = call.changing(2, 'provider')
      const { feeBps, trainerBps, poolBps, treasuryBps } = call.ours(3, 'config')
      call.system(4)
      need(deposit > 0n && !isZero(signer), 'a deposit and a signer')
      need(grace >= 60n && grace <= 2_592_000n, 'grace')
      const { slot, now } = call.model
      need(openSlot <= slot && openSlot + 150n >= slot, 'a recent slot')
      const provider = call.key(2)
      const seeds = ['channel', seed(payer), seed(provider), signer, u64(salt), u64(openSlot)]
      const fees = { feeBps, trainerBps, poolBps, treasuryBps }
      const terms = { payer, provider, signer, model, salt, openSlot, deposit, grace }
      const value = { ...terms, ...fees, settled: lamports(0n), closeAt: 0n, openedAt: now }
      call.create(0, 1, 'channel', seeds, value, deposit)
      call.update(2, 'provider', { openChannels: openChannels + 1n, channelsOpened: channelsOpened + 1n })
    },
  ],
  [
    channels.CHANNEL_TOP_UP.number,
    (call: Call) => {
      const { amount } = call.args(channels.CHANNEL_TOP_UP.args)
      call.count(3)
      const { payer, phase, deposit } = call.changing(1, 'channel')
      need(call.signed(0).equals(payer), 'the payer')
      call.system(2)
      need(phase === CHANNEL_PHASE.open && amount > 0n, 'open')
      call.update(1, 'channel', { deposit: plus(deposit, amount) })
      call.pay(0, 1, amount)
    },
  ],
  [channels.CHANNEL_SETTLE.number, settle],
  [
    channels.CHANNEL_REQUEST_CLOSE.number,
    (call: Call) => {
      call.args(channels.CHANNEL_REQUEST_CLOSE.args)
      call.count(2)
      const { payer, phase, grace } = call.changing(1, 'channel')
      need(call.signed(0).equals(payer) && phase === CHANNEL_PHASE.open, 'the payer of an open channel')
      call.update(1, 'channel', { phase: CHANNEL_PHASE.closing, closeAt: call.model.now + grace })
    },
  ],
  [channels.CHANNEL_FINISH_CLOSE.number, closeChannel],
  [
    orders.ORDER_OPEN.number,
    (call: Call) => {
      const { salt, ...args } = call.args(orders.ORDER_OPEN.args)
      call.count(4)
      const payer = call.signed(0)
      const { feeBps, trainerBps, poolBps, treasuryBps } = call.ours(2, 'config')
      call.system(3)
      const { now } = call.model
      need(args.maxCost > 0n && args.allowedCount <= 8, 'the terms')
      need(args.deadline > now && args.deadline <= now + 2_592_000n, 'a deadline')
      const open = { responseHash: ZEROS, provider: NO_KEY, cost: lamports(0n), lockedAt: 0n }
      const value = { payer, salt, ...args, ...open, feeBps, trainerBps, poolBps, treasuryBps }
      call.create(0, 1, 'order', ['order', seed(payer), u64(salt)], value, args.maxCost)
    },
  ],
  [
    orders.ORDER_LOCK.number,
    (call: Call) => {
      const args = call.args(orders.ORDER_LOCK.args)
      call.count(3)
      const { settled, openOrders } = authority(call, 1)
      const order = call.changing(2, 'order')
      need(order.phase === ORDER_PHASE.open, 'open')
      need(same(order.requestHash, args.requestHash) && order.maxCost === args.maxCost, 'as expected')
      const provider = call.key(1)
      const named = order.allowed.slice(0, order.allowedCount)
      need(named.length === 0 || named.some((key) => key.equals(provider)), 'allowed')
      need(settled >= order.minReputation && call.model.now <= order.deadline, 'reputation and deadline')
      call.update(1, 'provider', { openOrders: openOrders + 1n })
      call.update(2, 'order', { phase: ORDER_PHASE.locked, provider, lockedAt: call.model.now })
    },
  ],
  [
    orders.ORDER_CLAIM.number,
    (call: Call) => {
      const { responseHash, cost } = call.args(orders.ORDER_CLAIM.args)
      call.count(7)
      const { openOrders, ordersClaimed } = authority(call, 1)
      const order = call.changing(2, 'order')
      need(order.phase === ORDER_PHASE.locked && order.provider.equals(call.key(1)), 'locked by this one')
      need(cost <= order.maxCost && call.model.now <= order.deadline, 'cost and deadline')
      call.update(1, 'provider', { openOrders: openOrders - 1n, ordersClaimed: ordersClaimed + 1n })
      call.update(2, 'order', { phase: ORDER_PHASE.claimed, responseHash, cost })
      payOut(call, 2, 1, 3, 6, order, [0n, cost])
    },
  ],
  [orders.ORDER_REFUND.number, refund],
  [
    stakes.STAKE_DEPOSIT.number,
    (call: Call) => {
      const { amount } = call.args(stakes.STAKE_DEPOSIT.args)
      call.count(4)
      const by = call.signed(0)
      need(by.equals(call.ours(1, 'provider').authority) && amount > 0n, 'the authority')
      call.system(3)
      const provider = call.key(1)
      if (isEmpty(call.model.entry(call.key(2)))) {
        const nothing = { unbonding: lamports(0n), unbondAt: 0n, slashed: lamports(0n), verdict: ZEROS }
        const value = { provider, owner: by, active: amount, ...nothing, depositedAt: call.model.now }
        call.create(0, 2, 'stake', ['stake', seed(provider)], value, amount)
        return
      }
      const stake = call.changing(2, 'stake')
      need(stake.provider.equals(provider), 'the stake')
      call.update(2, 'stake', { active: plus(stake.active, amount), depositedAt: call.model.now })
      call.pay(0, 2, amount)
    },
  ],
  [
    stakes.STAKE_UNBOND.number,
    (call: Call) => {
      const { amount } = call.args(stakes.STAKE_UNBOND.args)
      call.count(2)
      const { active, unbonding } = owner(call)
      need(amount > 0n && amount <= active, 'the amount')
      const unbondAt = call.model.now + 604_800n
      call.update(1, 'stake', { active: lamports(active - amount), unbonding: plus(unbonding, amount), unbondAt })
    },
  ],
  [
    stakes.STAKE_WITHDRAW.number,
    (call: Call) => {
      call.args(stakes.STAKE_WITHDRAW.args)
      call.count(2)
      const { active, unbonding, unbondAt } = owner(call)
      call.writable(0)
      need(unbonding === 0n ? active === 0n : call.model.now >= unbondAt, 'the delay')
      if (active === 0n) {
        call.destroy(1, 0)
        return
      }
      call.update(1, 'stake', { unbonding: lamports(0n), unbondAt: 0n })
      call.model.move(call.key(1), call.key(0), unbonding)
    },
  ],
  [
    stakes.STAKE_SLASH.number,
    (call: Call) => {
      const { amount, verdict } = call.args(stakes.STAKE_SLASH.args)
      call.count(4)
      const by = call.signed(0)
      const { slasher, treasury } = call.ours(1, 'config')
      const { active, unbonding, slashed, ...stake } = call.changing(2, 'stake')
      need(by.equals(slasher) && call.writable(3).equals(treasury), 'slasher and treasury')
      need(amount > 0n && amount <= active + unbonding, 'the amount')
      need(!isZero(verdict) && !same(verdict, stake.verdict), 'a new verdict')
      const fromActive = amount < active ? amount : active
      const left = { active: lamports(active - fromActive), unbonding: lamports(unbonding - (amount - fromActive)) }
      call.update(2, 'stake', { ...left, slashed: plus(slashed, amount), verdict })
      call.model.move(call.key(2), treasury, amount)
    },
  ],
])
