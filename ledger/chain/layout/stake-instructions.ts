import { SystemProgram } from '@solana/web3.js'
import type { PublicKey, TransactionInstruction } from '@solana/web3.js'
import type { Lamports } from '../../amount.js'
import { configAddress, providerAddress, stakeAddress } from './addresses.js'
import { amount, bytes32, struct } from './fields.js'
import { build, spec } from './instruction.js'

/** Seconds between unbonding and the withdrawal: longer than the window in which a receipt can be audited. */
export const UNBOND_SECONDS = 7n * 86_400n

interface Amount {
  readonly amount: Lamports
}

const AMOUNT = struct<Amount>({ amount })

export const STAKE_DEPOSIT = spec({
  name: 'stake_deposit',
  number: 0x50,
  about: "Adds to a provider's stake.",
  args: AMOUNT,
  accounts: { authority: 'signer writable', provider: 'readonly', stake: 'writable', systemProgram: 'readonly' },
})

export const STAKE_UNBOND = spec({
  name: 'stake_unbond',
  number: 0x51,
  about: 'Starts to take an amount out. The delay begins again for everything that is unbonding.',
  args: AMOUNT,
  accounts: { owner: 'signer', stake: 'writable' },
})

export const STAKE_WITHDRAW = spec({
  name: 'stake_withdraw',
  number: 0x52,
  about: 'Returns what was unbonded, after the delay; closes the account when nothing is left.',
  args: struct<object>({}),
  accounts: { owner: 'signer writable', stake: 'writable' },
})

export interface SlashArgs extends Amount {
  /** Hash of the verdict: what a third party needs to find and check it. */
  readonly verdict: Uint8Array
}

export const STAKE_SLASH = spec({
  name: 'stake_slash',
  number: 0x53,
  about: 'Takes from a stake, first what is active, then what is unbonding; the treasury gets it.',
  args: struct<SlashArgs>({ amount, verdict: bytes32 }),
  accounts: { slasher: 'signer', config: 'readonly', stake: 'writable', treasury: 'writable' },
})

export function depositStake(
  program: PublicKey,
  { authority, ...args }: Amount & { readonly authority: PublicKey },
): TransactionInstruction {
  const provider = providerAddress(program, authority)
  const keys = { authority, provider, stake: stakeAddress(program, provider), systemProgram: SystemProgram.programId }
  return build(STAKE_DEPOSIT, program, keys, args)
}

interface ByOwner {
  readonly owner: PublicKey
  readonly stake: PublicKey
}

export function unbondStake(program: PublicKey, { owner, stake, ...args }: ByOwner & Amount): TransactionInstruction {
  return build(STAKE_UNBOND, program, { owner, stake }, args)
}

export function withdrawStake(program: PublicKey, keys: ByOwner): TransactionInstruction {
  return build(STAKE_WITHDRAW, program, keys, {})
}

export interface SlashKeys {
  readonly slasher: PublicKey
  readonly stake: PublicKey
  readonly treasury: PublicKey
}

export function slashStake(program: PublicKey, given: SlashKeys & SlashArgs): TransactionInstruction {
  const { slasher, stake, treasury, ...args } = given
  return build(STAKE_SLASH, program, { slasher, config: configAddress(program), stake, treasury }, args)
}
