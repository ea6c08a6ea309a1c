/**
 * What each instruction must refuse, and the line beside it that it must take: one case for each rule and each of its
 * edges. The general refusals are in program-calls.ts.
 */
import assert from 'node:assert/strict'
import type { TransactionInstruction } from '@solana/web3.js'
import { Ed25519Program, PublicKey, SystemProgram } from '@solana/web3.js'
import { lamports } from '../../ledger/amount.js'
import { CHANNEL, ORDER, ORDER_PHASE, PROVIDER, STAKE } from '../../ledger/chain/layout/accounts.js'
import { programDataAddress, UPGRADEABLE_LOADER } from '../../ledger/chain/layout/addresses.js'
import type * as channels from '../../ledger/chain/layout/channel-instructions.js'
import { ORDER_OPEN } from '../../ledger/chain/layout/order-instructions.js'
import * as providers from '../../ledger/chain/layout/provider-instructions.js'
import { voucherSignatures } from '../../ledger/chain/layout/voucher-signatures.js'
import { withData, withExtra, withKeys, withMeta } from './program-calls.js'
import type { Case, Expected } from './program-calls.js'
import { DAY, DEPOSIT, MODEL } from './program-stage.js'
import type { Stage } from './program-stage.js'
import { SOL } from './program-world.js'

type Act = (stage: Stage) => TransactionInstruction | readonly TransactionInstruction[]

const ZERO = new Uint8Array(32)
const MAX = 2n ** 64n - 1n

function one(title: string, expected: Expected, act: Act, after?: (stage: Stage) => void): Case {
  const all = (stage: Stage): readonly TransactionInstruction[] => [act(stage)].flat()
  return { title, expected, act: all, ...(after ? { after } : {}) }
}

/** What everyone can see of who has how much. */
function holds(stage: Stage, name: string, change: bigint): void {
  assert.equal(stage.world.balance(stage.key(name)) - 100n * SOL, change, name)
}

const GENERAL: readonly Case[] = [
  one('no instruction has this number', 'BAD_INSTRUCTION', (stage) => withData(stage.requestClose(), Buffer.of(0x99))),
  one('seventeen accounts', 'BAD_ACCOUNT_COUNT', (stage) =>
    Array.from({ length: 15 }, (_, index) => stage.key(`extra ${index}`)).reduce(withExtra, stage.requestClose()),
  ),
  one('a rent that is stated in years', 'ok', (stage) => {
    stage.world.setRent(3480n, 2)
    return stage.open()
  }),
  one('a rent that is stated in another way', 'UNKNOWN_RENT', (stage) => {
    stage.world.setRent(3480n, 3)
    return stage.open()
  }),
]

function programData(stage: Stage, edit: (data: Uint8Array) => Uint8Array): void {
  const data = new Uint8Array(64)
  data[0] = 3
  data[12] = 1
  data.set(stage.key('deployer').toBytes(), 13)
  stage.world.put(stage.config, null)
  const key = programDataAddress(stage.program)
  stage.world.put(key, { lamports: SOL, data: edit(data), owner: UPGRADEABLE_LOADER })
}

function unfunded(stage: Stage, name: string): PublicKey {
  return stage.world.fund(name, 890_879n)
}

const CONFIGS: readonly Case[] = [
  one('a stranger makes the config', 'NOT_UPGRADE_AUTHORITY', (stage) => {
    programData(stage, (data) => data)
    return stage.init({}, 'mallory')
  }),
  one('the config of a program that nobody can upgrade', 'NOT_UPGRADE_AUTHORITY', (stage) => {
    programData(stage, (data) => data.with(12, 0))
    return stage.init()
  }),
  one('a loader account in another state', 'NOT_UPGRADE_AUTHORITY', (stage) => {
    programData(stage, (data) => data.with(0, 1))
    return stage.init()
  }),
  one('a loader account without an authority', 'NOT_UPGRADE_AUTHORITY', (stage) => {
    programData(stage, (data) => data.slice(0, 44))
    return stage.init()
  }),
  one('the loader account of another program', 'WRONG_ADDRESS', (stage) => {
    programData(stage, (data) => data)
    const data = stage.world.account(programDataAddress(stage.program))
    stage.world.put(stage.key('forged'), data)
    return withMeta(stage.init(), 2, { pubkey: stage.key('forged') })
  }),
  one('a fee of 10 %', 'ok', (stage) => stage.update({ feeBps: 1000 })),
  one('a fee above 10 %', 'FEE_TOO_HIGH', (stage) => stage.update({ feeBps: 1001 })),
  one('shares below the whole', 'BAD_SHARES', (stage) => stage.update({ treasuryBps: 4999 })),
  one('shares above the whole', 'BAD_SHARES', (stage) => stage.update({ treasuryBps: 5001 })),
  one('shares that are the whole in 16 bits', 'BAD_SHARES', (stage) =>
    stage.update({ trainerBps: 30_000, poolBps: 30_000, treasuryBps: 15_536 }),
  ),
  one('an admin of zeros', 'ZERO_KEY', (stage) => stage.update({ admin: PublicKey.default })),
  one('a treasury below the rent', 'UNFUNDED_FEE_ACCOUNT', (stage) =>
    stage.update({ treasury: unfunded(stage, 'poor') }),
  ),
  one('a pool below the rent', 'UNFUNDED_FEE_ACCOUNT', (stage) => stage.update({ pool: unfunded(stage, 'poor') })),
  one('a treasury that is a sysvar', 'NOT_WRITABLE', (stage) =>
    stage.update({ treasury: new PublicKey('SysvarC1ock11111111111111111111111111111111') }),
  ),
  one('the treasury as the pool', 'ok', (stage) => stage.update({ pool: stage.key('treasury') })),
  one('a config by somebody else', 'NOT_ADMIN', (stage) => stage.update({}, 'mallory')),
]

const EXACT: readonly Case[] = [
  one('a loader account that ends with its authority', 'ok', (stage) => {
    programData(stage, (data) => data.slice(0, 45))
    return stage.init()
  }),
  one('a treasury with exactly its rent', 'ok', (stage) =>
    stage.update({ treasury: stage.world.fund('lean', 890_880n) }),
  ),
  one('sixteen accounts', 'ED25519_COUNT', (stage) => {
    stage.must(stage.open())
    const [signed, settle] = stage.settle()
    return [signed, Array.from({ length: 9 }, () => stage.channel()).reduce(withExtra, settle)]
  }),
  one('a sum that is the largest there is', 'ok', (stage) => {
    stage.must(stage.open())
    earned(stage, MAX - 500n)
    return stage.settle()
  }),
  one('a channel that holds exactly what it pays', 'ok', (stage) => {
    stage.must(stage.open())
    holding(stage, 500n)
    return stage.settle()
  }),
  one('a settlement without its channels', 'BAD_ACCOUNT_COUNT', (stage) => {
    const [signed, settle] = stage.settle()
    return [signed, withKeys(settle, settle.keys.slice(0, 6))]
  }),
  one('a settlement with a channel that is not writable', 'NOT_WRITABLE', (stage) => {
    stage.must(stage.open())
    const [signed, settle] = stage.settle()
    return [signed, withMeta(settle, 6, { isWritable: false })]
  }),
  one('a refund without the payer', 'BAD_ACCOUNT_COUNT', (stage) => {
    stage.must(stage.openOrder())
    stage.world.wait(101n)
    const it = stage.refund('mallory')
    return withKeys(it, it.keys.slice(0, 2))
  }),
]

function holding(stage: Stage, amount: bigint): void {
  const stored = stage.world.account(stage.channel())
  if (stored) stage.world.put(stage.channel(), { ...stored, lamports: amount })
}

function earned(stage: Stage, settled: bigint): void {
  const stored = stage.world.account(stage.provider())
  const provider = stage.world.read(PROVIDER, stage.provider())
  const data = PROVIDER.encode({ ...provider, settled: lamports(settled) })
  if (stored) stage.world.put(stage.provider(), { ...stored, data })
}

const PROVIDERS: readonly Case[] = [
  one('a box key of zeros', 'ZERO_KEY', (stage) =>
    providers.updateProvider(stage.program, { ...stage.identity('pat'), box: ZERO }),
  ),
  one('a payout of zeros', 'ZERO_KEY', (stage) =>
    providers.updateProvider(stage.program, { ...stage.identity('pat'), payout: PublicKey.default }),
  ),
  one("another provider's account", 'NOT_AUTHORITY', (stage) =>
    withMeta(providers.updateProvider(stage.program, stage.identity('pat')), 0, { pubkey: stage.key('quinn') }),
  ),
  ...(
    [
      ['an open channel', (stage) => [stage.open()]],
      ['a locked order', (stage) => [stage.openOrder(), stage.lock()]],
      ['an offer', (stage) => [stage.setOffer()]],
    ] satisfies [string, (stage: Stage) => TransactionInstruction[]][]
  ).map(([what, prepare]) =>
    one(`a provider with ${what} closes`, 'PROVIDER_IN_USE', (stage) => {
      stage.must(...prepare(stage))
      return providers.closeProvider(stage.program, { authority: stage.key('pat') })
    }),
  ),
  one('a checkpoint without a log', 'ZERO_KEY', (stage) => stage.checkpoint(1n, 0)),
  one('a log that became shorter', 'CHECKPOINT_BEHIND', (stage) => [stage.checkpoint(5n), stage.checkpoint(4n)]),
  one('another tree at the same length', 'CHECKPOINT_FORKED', (stage) => [
    stage.checkpoint(5n),
    stage.checkpoint(5n, 1, 2),
  ]),
  one('the same checkpoint again', 'ok', (stage) => [stage.checkpoint(5n), stage.checkpoint(5n)]),
  one(
    'another log, shorter and with the same tree',
    'ok',
    (stage) => [stage.checkpoint(5n), stage.checkpoint(9n, 1, 2), stage.checkpoint(4n, 2)],
    (stage) => {
      const { logChanges, logLength } = stage.world.read(PROVIDER, stage.provider())
      assert.deepEqual({ logChanges, logLength }, { logChanges: 1n, logLength: 4n })
    },
  ),
  one('an offer for a model of zeros', 'ZERO_KEY', (stage) => stage.setOffer('pat', { model: ZERO })),
  one("another provider's offer is replaced", 'WRONG_PROVIDER', (stage) => [
    stage.setOffer('quinn'),
    withMeta(stage.setOffer(), 2, { pubkey: stage.offer('quinn') }),
  ]),
  one('the offer for another model is replaced', 'WRONG_ADDRESS', (stage) => [
    stage.setOffer(),
    withMeta(stage.setOffer('pat', { model: new Uint8Array(32).fill(1) }), 2, { pubkey: stage.offer() }),
  ]),
  one("another provider's offer is closed", 'WRONG_PROVIDER', (stage) => [
    stage.setOffer(),
    stage.setOffer('quinn'),
    withMeta(stage.closeOffer(), 2, { pubkey: stage.offer('quinn') }),
  ]),
]

const open = (change: Partial<channels.ChannelOpenArgs>) => (stage: Stage) => stage.open('alice', 'pat', change)

const OPENING: readonly Case[] = [
  one('a deposit of nothing', 'ZERO_AMOUNT', open({ deposit: lamports(0n) })),
  one('a deposit that nobody has', 'runtime', open({ deposit: lamports(200n * SOL) })),
  one('a deposit that makes the sum overflow', 'OVERFLOW', open({ deposit: lamports(MAX) })),
  one('a signer of zeros', 'ZERO_KEY', open({ signer: ZERO })),
  one('a grace below a minute', 'BAD_GRACE', open({ grace: 59n })),
  one('a grace above 30 days', 'BAD_GRACE', open({ grace: 30n * DAY + 1n })),
  one('a grace of 30 days', 'ok', open({ grace: 30n * DAY })),
  one('a slot to come', 'SLOT_IN_FUTURE', open({ openSlot: 10_001n })),
  one('a slot so far ahead that sums overflow', 'SLOT_IN_FUTURE', open({ openSlot: MAX })),
  one('a slot 150 ago', 'ok', open({ openSlot: 9_850n })),
  one('a slot 151 ago', 'SLOT_NOT_RECENT', open({ openSlot: 9_849n })),
  one('a top-up by somebody else', 'NOT_PAYER', (stage) => [stage.open(), stage.topUp(1n, 'bob')]),
  one('a top-up of nothing', 'ZERO_AMOUNT', (stage) => [stage.open(), stage.topUp(0n)]),
  one('a top-up that overflows', 'OVERFLOW', (stage) => [stage.open(), stage.topUp(MAX)]),
  one('a top-up of a closing channel', 'CHANNEL_CLOSING', (stage) => [
    stage.open(),
    stage.requestClose(),
    stage.topUp(1n),
  ]),
  one('a top-up of an ended channel', 'CHANNEL_ENDED', (stage) => [stage.open(), stage.finish(), stage.topUp(1n)]),
]

/** The Ed25519 instruction of one voucher, edited: it must still verify. */
function signatures(stage: Stage, edit: (data: Buffer) => Buffer): TransactionInstruction {
  const it = voucherSignatures([stage.voucher({})])
  return withData(it, edit(Buffer.from(it.data)))
}

/** Any message, signed by the channel's signer, where a voucher is expected. */
function signedMessage(stage: Stage, message: Uint8Array): TransactionInstruction {
  const { secretKey } = stage.world.pair('aliceVoucher')
  return Ed25519Program.createInstructionWithPrivateKey({ privateKey: secretKey, message })
}

function voucherMessage(stage: Stage, edit: (message: Buffer) => Buffer): TransactionInstruction {
  const it = voucherSignatures([stage.voucher({})])
  return signedMessage(stage, edit(Buffer.from(it.data.subarray(16 + 96))))
}

const settlement = (stage: Stage): TransactionInstruction => stage.settle()[1]
const word = (at: number, value: number) => (data: Buffer) => {
  data.writeUInt16LE(value, at)
  return data
}

const SETTLING: readonly Case[] = [
  one(
    'a voucher pays provider, pool and treasury, and nobody else',
    'ok',
    (stage) => [stage.open(), ...stage.settle([{ cumulative: 515n }])],
    (stage) => {
      // The fee of 515 is 51; a fifth of that is the pool's.
      holds(stage, 'patPayout', 464n)
      holds(stage, 'pool', 10n)
      holds(stage, 'treasury', 41n)
      holds(stage, 'alice', -DEPOSIT - stage.world.rent(CHANNEL.size))
      const { settled, fees, settlements } = stage.world.read(PROVIDER, stage.provider())
      assert.deepEqual({ settled, fees, settlements }, { settled: 515n, fees: 51n, settlements: 1n })
    },
  ),
  one(
    'two settlements pay what one would',
    'ok',
    (stage) => [stage.open(), ...stage.settle([{ cumulative: 19n }]), ...stage.settle([{ cumulative: 515n }])],
    (stage) => {
      holds(stage, 'patPayout', 464n)
      holds(stage, 'pool', 10n)
      holds(stage, 'treasury', 41n)
    },
  ),
  one('the whole deposit', 'ok', (stage) => [stage.open(), ...stage.settle([{ cumulative: DEPOSIT }])]),
  one('more than the deposit', 'VOUCHER_OVER_DEPOSIT', (stage) => [
    stage.open(),
    ...stage.settle([{ cumulative: DEPOSIT + 1n }]),
  ]),
  one('the same voucher twice', 'VOUCHER_NOT_HIGHER', (stage) => [stage.open(), ...stage.settle(), ...stage.settle()]),
  one('a voucher for nothing', 'VOUCHER_NOT_HIGHER', (stage) => [stage.open(), ...stage.settle([{ cumulative: 0n }])]),
  one('a voucher that ends now', 'VOUCHER_EXPIRED', (stage) => [
    stage.open(),
    ...stage.settle([{ expiresAt: stage.world.now }]),
  ]),
  one('a voucher that ends in a second', 'ok', (stage) => [
    stage.open(),
    ...stage.settle([{ expiresAt: stage.world.now + 1n }]),
  ]),
  one('a voucher that ended before time began', 'VOUCHER_EXPIRED', (stage) => [
    stage.open(),
    voucherMessage(stage, (message) => Buffer.concat([message.subarray(0, 42), Buffer.alloc(8, 0xff)])),
    settlement(stage),
  ]),
  one('a voucher of somebody else', 'VOUCHER_OTHER_SIGNER', (stage) => [
    stage.open(),
    ...stage.settle([{ by: 'mallory' }]),
  ]),
  one('a voucher for another channel', 'VOUCHER_OTHER_CHANNEL', (stage) => [
    stage.open(),
    ...stage.settle([{ names: stage.channel('alice', 'quinn') }]),
  ]),
  one('two vouchers in the other order', 'VOUCHER_OTHER_CHANNEL', (stage) => {
    stage.must(stage.open(), stage.open('alice', 'pat', { salt: 8n }))
    const [signed] = stage.settle([{}, { salt: 8n }])
    const [, swapped] = stage.settle([{ salt: 8n }, {}])
    return [signed, swapped]
  }),
  one('a channel named twice', 'DUPLICATE_ACCOUNT', (stage) => [
    stage.open(),
    ...stage.settle([{ cumulative: 500n }, { cumulative: 600n }]),
  ]),
  one("another provider's channel", 'WRONG_PROVIDER', (stage) => [
    stage.open('alice', 'quinn'),
    ...stage.settle([{ provider: 'quinn' }], 'pat'),
  ]),
  one('an ended channel', 'CHANNEL_ENDED', (stage) => [stage.open(), stage.finish(), ...stage.settle()]),
  one('a closing channel after its grace', 'ok', (stage) => {
    stage.must(stage.open(), stage.requestClose())
    stage.world.wait(1000n)
    return stage.settle()
  }),
  ...(['payout', 'treasury', 'pool'] as const).map((name, index) =>
    one(`another ${name}`, (['WRONG_PAYOUT', 'WRONG_TREASURY', 'WRONG_POOL'] as const)[index] ?? 'ok', (stage) => {
      stage.must(stage.open())
      const [signed, settle] = stage.settle()
      return [signed, withMeta(settle, 3 + index, { pubkey: stage.key('mallory') })]
    }),
  ),
  one('a settlement that comes first', 'ED25519_MISSING', (stage) => {
    stage.must(stage.open())
    return settlement(stage)
  }),
  one('another instruction in between', 'ED25519_MISSING', (stage) => {
    stage.must(stage.open())
    return [stage.settle()[0], stage.topUp(1n), settlement(stage)]
  }),
  one('a sysvar of ones own', 'WRONG_PROGRAM', (stage) => {
    stage.must(stage.open())
    const [signed, settle] = stage.settle()
    return [signed, withMeta(settle, 0, { pubkey: stage.key('mallory') })]
  }),
  one('two signatures for one channel', 'ED25519_COUNT', (stage) => {
    stage.must(stage.open(), stage.open('alice', 'pat', { salt: 8n }))
    return [stage.settle([{}, { salt: 8n }])[0], settlement(stage)]
  }),
  one('no signature at all', 'ED25519_BOUNDS', (stage) => {
    stage.must(stage.open())
    return [signatures(stage, () => Buffer.of(0, 0)), settlement(stage)]
  }),
  one('a padding that is not zero', 'ED25519_PADDING', (stage) => {
    stage.must(stage.open())
    return [
      signatures(stage, (data) => Buffer.concat([data.subarray(0, 1), Buffer.of(1), data.subarray(2)])),
      settlement(stage),
    ]
  }),
  ...[4, 8, 14].map((at) =>
    one(`bytes of another instruction, by the index at ${at}`, 'ED25519_INDEX', (stage) => {
      stage.must(stage.open())
      return [signatures(stage, word(at, 0)), settlement(stage)]
    }),
  ),
  one('a message of 51 bytes', 'VOUCHER_LENGTH', (stage) => {
    stage.must(stage.open())
    return [voucherMessage(stage, (message) => Buffer.concat([message, Buffer.of(0)])), settlement(stage)]
  }),
  ...[0, 1].map((at) =>
    one(`another magic at ${at}`, 'VOUCHER_MAGIC', (stage) => {
      stage.must(stage.open())
      return [voucherMessage(stage, (message) => Buffer.from(message.with(at, 2))), settlement(stage)]
    }),
  ),
  one('a signature that does not fit', 'runtime', (stage) => {
    stage.must(stage.open())
    return [signatures(stage, (data) => Buffer.from(data.with(20, (data[20] ?? 0) ^ 1))), settlement(stage)]
  }),
  one('a channel that holds less than it should', 'NOT_COVERED', (stage) => {
    stage.must(stage.open())
    holding(stage, 449n)
    return stage.settle()
  }),
  one('a provider that has earned everything there is', 'OVERFLOW', (stage) => {
    stage.must(stage.open())
    earned(stage, MAX - 499n)
    return stage.settle()
  }),
]

const CLOSING: readonly Case[] = [
  one('somebody else asks to close', 'NOT_PAYER', (stage) => [stage.open(), stage.requestClose('bob')]),
  one('the provider asks to close', 'NOT_PAYER', (stage) => [stage.open(), stage.requestClose('pat')]),
  one('asked twice', 'CHANNEL_CLOSING', (stage) => [stage.open(), stage.requestClose(), stage.requestClose()]),
  one('an ended channel is asked to close', 'CHANNEL_ENDED', (stage) => [
    stage.open(),
    stage.finish(),
    stage.requestClose(),
  ]),
  one('the payer finishes without asking', 'CHANNEL_NOT_CLOSING', (stage) => [stage.open(), stage.finish('alice')]),
  one('a second too early', 'GRACE_RUNNING', (stage) => {
    stage.must(stage.open(), stage.requestClose())
    stage.world.wait(59n)
    return stage.finish('alice')
  }),
  one(
    'anyone after the grace: the rest goes to the payer',
    'ok',
    (stage) => {
      stage.must(stage.open(), stage.requestClose())
      stage.world.wait(60n)
      return stage.finish('mallory')
    },
    (stage) => {
      holds(stage, 'alice', -stage.world.rent(CHANNEL.size))
      holds(stage, 'mallory', 0n)
      assert.equal(stage.world.read(PROVIDER, stage.provider()).openChannels, 0n)
      assert.equal(stage.world.read(PROVIDER, stage.provider()).channelsClosed, 1n)
    },
  ),
  one(
    'the provider at once, after settling',
    'ok',
    (stage) => [stage.open(), ...stage.settle(), stage.finish()],
    (stage) => holds(stage, 'alice', -500n - stage.world.rent(CHANNEL.size)),
  ),
  one('another provider finishes', 'WRONG_PROVIDER', (stage) => [
    stage.open(),
    stage.finish('quinn', { provider: stage.provider('quinn') }),
  ]),
  one('the rest to somebody else', 'NOT_PAYER', (stage) => [
    stage.open(),
    stage.finish('pat', { payer: stage.key('mallory') }),
  ]),
  one('the rent while the slot is recent', 'CHANNEL_TOO_YOUNG', (stage) => {
    stage.must(stage.open(), stage.finish())
    stage.world.wait(0n, 150n)
    return stage.finish('mallory')
  }),
  one(
    'the rent when the slot is old, also without the provider',
    'ok',
    (stage) => {
      stage.must(stage.open(), stage.finish())
      stage.must(providers.closeProvider(stage.program, { authority: stage.key('pat') }))
      stage.world.wait(0n, 151n)
      return stage.finish('mallory')
    },
    (stage) => {
      holds(stage, 'alice', 0n)
      assert.equal(stage.world.account(stage.channel()), null)
    },
  ),
  one(
    'an old channel at once, with what strangers sent to it',
    'ok',
    (stage) => {
      const gift = { fromPubkey: stage.key('bob'), toPubkey: stage.channel(), lamports: 5 }
      stage.must(stage.open(), SystemProgram.transfer(gift))
      stage.world.wait(0n, 151n)
      return [...stage.settle(), stage.finish()]
    },
    (stage) => {
      holds(stage, 'alice', -500n + 5n)
      assert.equal(stage.world.account(stage.channel()), null)
    },
  ),
  one('the address of an ended channel', 'ALREADY_EXISTS', (stage) => [stage.open(), stage.finish(), stage.open()]),
  one('the address of a closed channel', 'SLOT_NOT_RECENT', (stage) => {
    stage.must(stage.open())
    stage.world.wait(0n, 151n)
    return [stage.finish(), stage.open()]
  }),
]

const ORDERS: readonly Case[] = [
  one('an order for nothing', 'ZERO_AMOUNT', (stage) => stage.openOrder('alice', { maxCost: lamports(0n) })),
  one('nine providers', 'TOO_MANY_PROVIDERS', (stage) => {
    const it = stage.openOrder()
    it.data.writeUInt32LE(9, 1 + ORDER_OPEN.args.offsetOf('allowedCount'))
    return it
  }),
  one('a deadline that is now', 'BAD_DEADLINE', (stage) => stage.openOrder('alice', { deadline: stage.world.now })),
  one('a deadline in a second', 'ok', (stage) => stage.openOrder('alice', { deadline: stage.world.now + 1n })),
  one('a deadline in 30 days', 'ok', (stage) => stage.openOrder('alice', { deadline: stage.world.now + 30n * DAY })),
  one('a deadline beyond 30 days', 'BAD_DEADLINE', (stage) =>
    stage.openOrder('alice', { deadline: stage.world.now + 30n * DAY + 1n }),
  ),
  one('an order that is locked already', 'ORDER_NOT_OPEN', (stage) => [
    stage.openOrder(),
    stage.lock(),
    stage.lock('quinn'),
  ]),
  one('another request than expected', 'ORDER_CHANGED', (stage) => [
    stage.openOrder(),
    stage.lock('pat', { requestHash: MODEL }),
  ]),
  one('another maximum than expected', 'ORDER_CHANGED', (stage) => [
    stage.openOrder(),
    stage.lock('pat', { maxCost: lamports(1004n) }),
  ]),
  one('a provider that is not named', 'PROVIDER_NOT_ALLOWED', (stage) => [
    stage.openOrder('alice', { allowed: [stage.provider('quinn')] }),
    stage.lock(),
  ]),
  one('the last of eight', 'ok', (stage) => {
    const others = Array.from({ length: 7 }, () => stage.provider('quinn'))
    return [stage.openOrder('alice', { allowed: [...others, stage.provider()] }), stage.lock()]
  }),
  one('a provider behind the last that counts', 'PROVIDER_NOT_ALLOWED', (stage) => {
    const it = stage.openOrder('alice', { allowed: [stage.provider('quinn'), stage.provider()] })
    it.data.writeUInt32LE(1, 1 + ORDER_OPEN.args.offsetOf('allowedCount'))
    return [it, stage.lock()]
  }),
  one('too little reputation', 'REPUTATION_TOO_LOW', (stage) => {
    stage.must(stage.open(), ...stage.settle())
    return [stage.openOrder('alice', { minReputation: lamports(501n) }), stage.lock()]
  }),
  one('just enough reputation', 'ok', (stage) => {
    stage.must(stage.open(), ...stage.settle())
    return [stage.openOrder('alice', { minReputation: lamports(500n) }), stage.lock()]
  }),
  ...([0n, 1n] as const).flatMap((late) => {
    const expected = late === 0n ? 'ok' : 'DEADLINE_PASSED'
    return [
      one(`a lock ${late} seconds after the deadline`, expected, (stage) => {
        stage.must(stage.openOrder())
        stage.world.wait(100n + late)
        return stage.lock()
      }),
      one(`a claim ${late} seconds after the deadline`, expected, (stage) => {
        stage.must(stage.openOrder(), stage.lock())
        stage.world.wait(100n + late)
        return stage.claim()
      }),
    ]
  }),
  one('a claim without a lock', 'ORDER_NOT_LOCKED', (stage) => [stage.openOrder(), stage.claim()]),
  one('a second claim', 'ORDER_NOT_LOCKED', (stage) => [stage.openOrder(), stage.lock(), stage.claim(), stage.claim()]),
  one('a claim by another provider', 'WRONG_PROVIDER', (stage) => [
    stage.openOrder(),
    stage.lock(),
    stage.claim('quinn'),
  ]),
  one('a claim to another payout', 'WRONG_PAYOUT', (stage) => [
    stage.openOrder(),
    stage.lock(),
    stage.claim('pat', 1n, { payout: stage.key('mallory') }),
  ]),
  one('a claim above the maximum', 'COST_TOO_HIGH', (stage) => [
    stage.openOrder(),
    stage.lock(),
    stage.claim('pat', 1004n),
  ]),
  one(
    'a claim pays, and the payer gets the rest at once',
    'ok',
    (stage) => [stage.openOrder(), stage.lock(), stage.claim('pat', 515n), stage.refund()],
    (stage) => {
      holds(stage, 'patPayout', 464n)
      holds(stage, 'pool', 10n)
      holds(stage, 'treasury', 41n)
      holds(stage, 'alice', -515n)
      const { settled, fees, ordersClaimed, openOrders } = stage.world.read(PROVIDER, stage.provider())
      assert.deepEqual([settled, fees, ordersClaimed, openOrders], [515n, 51n, 1n, 0n])
    },
  ),
  one(
    'a claim of the maximum stays to be read',
    'ok',
    (stage) => [stage.openOrder(), stage.lock(), stage.claim('pat', 1003n)],
    (stage) => {
      const { phase, cost, responseHash } = stage.world.read(ORDER, stage.order())
      assert.deepEqual([phase, cost, responseHash[0]], [ORDER_PHASE.claimed, 1003n, 0x33])
    },
  ),
  one('the payer changes its mind', 'DEADLINE_RUNNING', (stage) => [stage.openOrder(), stage.refund()]),
  one('a refund at the deadline', 'DEADLINE_RUNNING', (stage) => {
    stage.must(stage.openOrder())
    stage.world.wait(100n)
    return stage.refund('mallory')
  }),
  one(
    'a refund after the deadline, by anyone',
    'ok',
    (stage) => {
      stage.must(stage.openOrder())
      stage.world.wait(101n)
      return stage.refund('mallory')
    },
    (stage) => holds(stage, 'alice', 0n),
  ),
  one('a claimed order is closed by somebody else', 'DEADLINE_RUNNING', (stage) => [
    stage.openOrder(),
    stage.lock(),
    stage.claim(),
    stage.refund('mallory'),
  ]),
  one('a refund to somebody else', 'NOT_PAYER', (stage) => {
    stage.must(stage.openOrder())
    stage.world.wait(101n)
    return stage.refund('mallory', null, { payer: stage.key('mallory') })
  }),
  one('a refund of a locked order without its provider', 'BAD_ACCOUNT_COUNT', (stage) => {
    stage.must(stage.openOrder(), stage.lock())
    stage.world.wait(101n)
    return stage.refund('mallory')
  }),
  one('a refund of an open order with a provider', 'BAD_ACCOUNT_COUNT', (stage) => {
    stage.must(stage.openOrder())
    stage.world.wait(101n)
    return stage.refund('mallory', 'pat')
  }),
  one('a refund that counts against another provider', 'WRONG_PROVIDER', (stage) => {
    stage.must(stage.openOrder(), stage.lock())
    stage.world.wait(101n)
    return stage.refund('mallory', 'quinn')
  }),
  ...(['WRONG_OWNER', 'NOT_WRITABLE'] as const).map((expected) =>
    one(`a refund whose provider is ${expected}`, expected, (stage) => {
      stage.must(stage.openOrder(), stage.lock())
      stage.world.wait(101n)
      const pubkey = expected === 'WRONG_OWNER' ? stage.key('mallory') : stage.provider()
      return withMeta(stage.refund('mallory', 'pat'), 3, { pubkey, isWritable: false })
    }),
  ),
]

const STAKES: readonly Case[] = [
  one("a stake for somebody else's provider", 'NOT_AUTHORITY', (stage) =>
    withMeta(stage.depositStake(), 0, { pubkey: stage.key('mallory') }),
  ),
  one('a stake of nothing', 'ZERO_AMOUNT', (stage) => stage.depositStake(0n)),
  one("another provider's stake", 'WRONG_PROVIDER', (stage) => [
    stage.depositStake(1n, 'quinn'),
    withMeta(stage.depositStake(), 2, { pubkey: stage.stake('quinn') }),
  ]),
  one('a stake that overflows', 'OVERFLOW', (stage) => [stage.depositStake(), stage.depositStake(MAX)]),
  one('somebody else unbonds', 'NOT_OWNER', (stage) => [stage.depositStake(), stage.unbond(1n, 'mallory')]),
  one('nothing is unbonded', 'ZERO_AMOUNT', (stage) => [stage.depositStake(), stage.unbond(0n)]),
  one('all is unbonded', 'ok', (stage) => [stage.depositStake(), stage.unbond(1000n)]),
  one('more than all is unbonded', 'STAKE_TOO_SMALL', (stage) => [stage.depositStake(), stage.unbond(1001n)]),
  one('a withdrawal without unbonding', 'STILL_BONDED', (stage) => [stage.depositStake(), stage.withdraw()]),
  one('a withdrawal a second too early', 'UNBONDING_RUNNING', (stage) => {
    stage.must(stage.depositStake(), stage.unbond(400n))
    stage.world.wait(7n * DAY - 1n)
    return stage.withdraw()
  }),
  one('unbonding more starts the delay again', 'UNBONDING_RUNNING', (stage) => {
    stage.must(stage.depositStake(), stage.unbond(400n))
    stage.world.wait(7n * DAY)
    return [stage.unbond(1n), stage.withdraw()]
  }),
  one(
    'a part is withdrawn',
    'ok',
    (stage) => {
      stage.must(stage.depositStake(), stage.unbond(400n))
      stage.world.wait(7n * DAY)
      return stage.withdraw()
    },
    (stage) => {
      holds(stage, 'pat', -600n - stage.world.rent(STAKE.size) - stage.world.rent(PROVIDER.size))
      assert.equal(stage.world.read(STAKE, stage.stake()).unbonding, 0n)
    },
  ),
  one(
    'all is withdrawn, with the rent',
    'ok',
    (stage) => {
      stage.must(stage.depositStake(), stage.unbond(1000n))
      stage.world.wait(7n * DAY)
      return stage.withdraw()
    },
    (stage) => {
      holds(stage, 'pat', -stage.world.rent(PROVIDER.size))
      assert.equal(stage.world.account(stage.stake()), null)
    },
  ),
  one('somebody else slashes', 'NOT_SLASHER', (stage) => [stage.depositStake(), stage.slash(1n, 1, 'mallory')]),
  one('the admin slashes', 'NOT_SLASHER', (stage) => [stage.depositStake(), stage.slash(1n, 1, 'admin')]),
  one('a slash to somebody else', 'WRONG_TREASURY', (stage) => [
    stage.depositStake(),
    stage.slash(1n, 1, 'slasher', { treasury: stage.key('mallory') }),
  ]),
  one('a slash of nothing', 'ZERO_AMOUNT', (stage) => [stage.depositStake(), stage.slash(0n)]),
  one('a slash without a verdict', 'ZERO_KEY', (stage) => [stage.depositStake(), stage.slash(1n, 0)]),
  one('the same verdict twice', 'VERDICT_REPEATED', (stage) => [
    stage.depositStake(),
    stage.slash(1n),
    stage.slash(1n),
  ]),
  one('a slash of more than there is', 'STAKE_TOO_SMALL', (stage) => [
    stage.depositStake(),
    stage.unbond(400n),
    stage.slash(1001n),
  ]),
  one(
    'a slash takes what is active first, then what is unbonding',
    'ok',
    (stage) => [stage.depositStake(), stage.unbond(400n), stage.slash(700n), stage.slash(50n, 2)],
    (stage) => {
      const { active, unbonding, slashed } = stage.world.read(STAKE, stage.stake())
      assert.deepEqual({ active, unbonding, slashed }, { active: 0n, unbonding: 250n, slashed: 750n })
      holds(stage, 'treasury', 750n)
    },
  ),
]

export function attacks(): readonly Case[] {
  return [GENERAL, EXACT, CONFIGS, PROVIDERS, OPENING, SETTLING, CLOSING, ORDERS, STAKES].flat()
}
