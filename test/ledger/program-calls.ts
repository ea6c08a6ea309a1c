/**
 * One valid call of every instruction, and the changes that every instruction must refuse alike: a missing signature, an
 * account that is not writable, one too few or too many, arguments of another length, and accounts of this program that
 * are somebody else's, another kind, another version or another length.
 */
import { PublicKey, SystemProgram, TransactionInstruction } from '@solana/web3.js'
import { ACCOUNT_VERSION } from '../../ledger/chain/layout/accounts.js'
import type { ProgramErrorName } from '../../ledger/chain/layout/errors.js'
import * as providers from '../../ledger/chain/layout/provider-instructions.js'
import { INSTRUCTIONS } from '../../ledger/chain/layout/program.js'
import { DAY } from './program-stage.js'
import type { Stage } from './program-stage.js'

/** What a case expects: an error of ours, any failure of the runtime, or success. */
export type Expected = ProgramErrorName | 'runtime' | 'ok'

export interface Case {
  readonly title: string
  readonly expected: Expected
  /** Returns the transaction; what it does to the stage before is undone afterwards. */
  readonly act: (stage: Stage) => readonly TransactionInstruction[]
  /** Throws when a successful transaction left something wrong behind. */
  readonly after?: (stage: Stage) => void
}

/** Prepares the stage and returns a transaction whose last instruction is the one meant. */
export const CALLS: Readonly<Record<string, (stage: Stage) => readonly TransactionInstruction[]>> = {
  config_init(stage) {
    stage.world.put(stage.config, null)
    return [stage.init()]
  },
  config_update: (stage) => [stage.update({ feeBps: 900 })],
  provider_register(stage) {
    stage.world.put(stage.provider(), null)
    return [stage.register()]
  },
  provider_update: (stage) => [providers.updateProvider(stage.program, stage.identity('pat'))],
  provider_close: (stage) => [providers.closeProvider(stage.program, { authority: stage.key('pat') })],
  provider_checkpoint: (stage) => [stage.checkpoint(5n)],
  offer_set(stage) {
    stage.must(stage.setOffer())
    return [stage.setOffer()]
  },
  offer_close(stage) {
    stage.must(stage.setOffer())
    return [stage.closeOffer()]
  },
  channel_open: (stage) => [stage.open()],
  channel_top_up(stage) {
    stage.must(stage.open())
    return [stage.topUp(5n)]
  },
  channel_settle(stage) {
    stage.must(stage.open())
    return stage.settle()
  },
  channel_request_close(stage) {
    stage.must(stage.open())
    return [stage.requestClose()]
  },
  channel_finish_close(stage) {
    stage.must(stage.open())
    return [stage.finish()]
  },
  order_open: (stage) => [stage.openOrder()],
  order_lock(stage) {
    stage.must(stage.openOrder())
    return [stage.lock()]
  },
  order_claim(stage) {
    stage.must(stage.openOrder(), stage.lock())
    return [stage.claim()]
  },
  order_refund(stage) {
    stage.must(stage.openOrder(), stage.lock())
    stage.world.wait(101n)
    return [stage.refund('mallory', 'pat')]
  },
  stake_deposit(stage) {
    stage.must(stage.depositStake())
    return [stage.depositStake()]
  },
  stake_unbond(stage) {
    stage.must(stage.depositStake())
    return [stage.unbond(400n)]
  },
  stake_withdraw(stage) {
    stage.must(stage.depositStake(), stage.unbond(400n))
    stage.world.wait(7n * DAY)
    return [stage.withdraw()]
  },
  stake_slash(stage) {
    stage.must(stage.depositStake())
    return [stage.slash(400n)]
  },
}

/** Calls that create their account: there is a version for an account that exists and one for a new one. */
const CREATES: Readonly<Record<string, readonly [string, (stage: Stage) => readonly TransactionInstruction[]]>> = {
  config_init: ['config', CALLS['config_init'] ?? (() => [])],
  provider_register: ['provider', CALLS['provider_register'] ?? (() => [])],
  offer_set: ['offer', (stage) => [stage.setOffer()]],
  channel_open: ['channel', CALLS['channel_open'] ?? (() => [])],
  order_open: ['order', CALLS['order_open'] ?? (() => [])],
  stake_deposit: ['stake', (stage) => [stage.depositStake()]],
}

const OURS = ['config', 'provider', 'offer', 'channel', 'order', 'stake']

type Change = (instruction: TransactionInstruction, stage: Stage) => TransactionInstruction

export function generalCases(): Case[] {
  return INSTRUCTIONS.flatMap(({ name, accounts }) => {
    const call = CALLS[name]
    if (!call) throw new Error(`no call of ${name}`)
    const changed = (title: string, expected: Expected, change: Change): Case => ({
      title: `${name}: ${title}`,
      expected,
      act(stage) {
        const all = [...call(stage)]
        const last = all.pop()
        return last ? [...all, change(last, stage)] : []
      },
    })
    const entries = Object.entries(accounts)
    const cases = [
      changed('as it should be', 'ok', (same) => same),
      changed('one byte too many', 'BAD_DATA_LENGTH', (it) => withData(it, Buffer.concat([it.data, Buffer.of(0)]))),
      changed('one byte too few', shorter(name), (it) => withData(it, it.data.subarray(0, -1))),
      changed('an account too few', 'BAD_ACCOUNT_COUNT', (it) => withKeys(it, it.keys.slice(0, -1))),
    ]
    if (name !== 'channel_settle') {
      cases.push(
        changed('an account too many', 'BAD_ACCOUNT_COUNT', (it, stage) => withExtra(it, stage.key('mallory'))),
      )
    }
    entries.forEach(([account, access], index) => {
      if (access.startsWith('signer')) {
        const unsigned: Change = (it) => withMeta(it, index, { isSigner: false })
        cases.push(changed(`${account} does not sign`, 'MISSING_SIGNATURE', unsigned))
      }
      if (access.endsWith('writable')) {
        const readonly: Change = (it) => withMeta(it, index, { isWritable: false })
        // To replace an offer costs its owner nothing.
        const expected = name === 'offer_set' && account === 'authority' ? 'ok' : 'NOT_WRITABLE'
        cases.push(changed(`${account} is not writable`, expected, readonly))
      }
      if (account === 'systemProgram') {
        const other: Change = (it, stage) => withMeta(it, index, { pubkey: stage.key('mallory') })
        cases.push(changed('another system program', 'WRONG_PROGRAM', other))
      }
      const isNew = CREATES[name]?.[0] === account && name !== 'stake_deposit' && name !== 'offer_set'
      if (OURS.includes(account) && !isNew) cases.push(...foreign(account, index, changed))
    })
    const creates = CREATES[name]
    return creates
      ? [
          ...cases,
          ...creation(
            name,
            ...creates,
            entries.map(([account]) => account),
          ),
        ]
      : cases
  })
}

function shorter(name: string): Expected {
  const size = INSTRUCTIONS.find((one) => one.name === name)?.args.size ?? 0
  return size === 0 ? 'BAD_INSTRUCTION' : 'BAD_DATA_LENGTH'
}

/** The account itself is changed where it lies, so every relation to the others still holds. */
function foreign(
  account: string,
  index: number,
  changed: (title: string, expected: Expected, change: Change) => Case,
): Case[] {
  const rewrite =
    (edit: (data: Uint8Array) => Uint8Array, owner?: PublicKey): Change =>
    (it, { world }) => {
      const key = it.keys[index]?.pubkey ?? PublicKey.default
      const stored = world.account(key)
      if (!stored) throw new Error(`${account} does not exist`)
      world.put(key, { ...stored, data: edit(stored.data), owner: owner ?? stored.owner })
      return it
    }
  const setByte =
    (at: number, value: number) =>
    (data: Uint8Array): Uint8Array =>
      data.with(at, value)
  return [
    changed(
      `${account} of another program`,
      'WRONG_OWNER',
      rewrite((data) => data, SystemProgram.programId),
    ),
    changed(`${account} of another kind`, 'WRONG_KIND', rewrite(setByte(0, 99))),
    changed(`${account} of another version`, 'WRONG_VERSION', rewrite(setByte(1, ACCOUNT_VERSION + 1))),
    changed(
      `${account} longer than it should be`,
      'WRONG_LENGTH',
      rewrite((data) => Uint8Array.of(...data, 0)),
    ),
    changed(
      `${account} with nothing but a header`,
      'WRONG_LENGTH',
      rewrite((data) => data.slice(0, 8)),
    ),
    changed(
      `${account} with less than a header`,
      'WRONG_KIND',
      rewrite((data) => data.slice(0, 7)),
    ),
  ]
}

function creation(
  name: string,
  account: string,
  call: (stage: Stage) => readonly TransactionInstruction[],
  accounts: readonly string[],
): Case[] {
  const index = accounts.indexOf(account)
  const target = (it: TransactionInstruction): PublicKey => it.keys[index]?.pubkey ?? PublicKey.default
  const lastOf = (all: readonly TransactionInstruction[]): TransactionInstruction => {
    const last = all.at(-1)
    if (!last) throw new Error('no instruction')
    return last
  }
  const rewritable = name === 'offer_set' || name === 'stake_deposit'
  return [
    {
      title: `${name}: an address that does not follow from the seeds`,
      expected: 'WRONG_ADDRESS',
      act: (stage) => [withMeta(lastOf(call(stage)), index, { pubkey: stage.key('nobody') })],
    },
    {
      title: `${name}: a new account is not writable`,
      expected: 'NOT_WRITABLE',
      act: (stage) => [withMeta(lastOf(call(stage)), index, { isWritable: false })],
    },
    {
      title: `${name}: ${rewritable ? 'an address of another program' : 'what exists already'}`,
      expected: 'ALREADY_EXISTS',
      act(stage) {
        const it = lastOf(call(stage))
        if (!rewritable) stage.must(it)
        else stage.world.put(target(it), { lamports: 10n ** 9n, data: new Uint8Array(), owner: stage.key('nobody') })
        return [it]
      },
    },
    ...[1n, 890_880n, 10n ** 10n].map((amount): Case => ({
      title: `${name}: an address that holds ${amount} lamports already`,
      expected: 'ok',
      act(stage) {
        const it = lastOf(call(stage))
        stage.world.put(target(it), { lamports: amount, data: new Uint8Array(), owner: SystemProgram.programId })
        return [it]
      },
    })),
  ]
}

export function withData(it: TransactionInstruction, data: Buffer): TransactionInstruction {
  return new TransactionInstruction({ programId: it.programId, keys: it.keys, data })
}

export function withKeys(it: TransactionInstruction, keys: TransactionInstruction['keys']): TransactionInstruction {
  return new TransactionInstruction({ programId: it.programId, keys, data: it.data })
}

export function withExtra(it: TransactionInstruction, pubkey: PublicKey): TransactionInstruction {
  return withKeys(it, [...it.keys, { pubkey, isSigner: false, isWritable: false }])
}

export function withMeta(
  it: TransactionInstruction,
  index: number,
  change: Partial<TransactionInstruction['keys'][number]>,
): TransactionInstruction {
  return withKeys(
    it,
    it.keys.map((meta, place) => (place === index ? { ...meta, ...change } : meta)),
  )
}
