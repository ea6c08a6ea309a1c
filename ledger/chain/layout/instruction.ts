/**
 * What an instruction is: a number, arguments, accounts in order. The specs are data: the builders below use them, and so
 * does the IDL.
 *
 *   instruction data = number u8 | arguments, without anything behind them
 */
import { TransactionInstruction } from '@solana/web3.js'
import type { AccountMeta, PublicKey } from '@solana/web3.js'
import type { Struct } from './fields.js'

export type Access = 'readonly' | 'writable' | 'signer' | 'signer writable'

export interface InstructionSpec<Args, Name extends string> {
  readonly name: string
  /** First byte of the data; never given another meaning. */
  readonly number: number
  readonly about: string
  readonly args: Struct<Args>
  readonly accounts: Readonly<Record<Name, Access>>
}

/** The parts of a spec that a list of all of them needs. */
export type AnyInstructionSpec = Pick<InstructionSpec<never, string>, 'name' | 'number' | 'about' | 'accounts'> & {
  readonly args: Pick<Struct<never>, 'size' | 'fields'>
}

export function spec<Args, Name extends string>(given: InstructionSpec<Args, Name>): InstructionSpec<Args, Name> {
  return given
}

/** `more`: accounts behind the named ones, of which some instructions take any number. */
export function build<Args, Name extends string>(
  { number, args, accounts }: InstructionSpec<Args, Name>,
  program: PublicKey,
  keys: Readonly<Record<Name, PublicKey>>,
  values: Args,
  more: readonly AccountMeta[] = [],
): TransactionInstruction {
  const names = Object.keys(accounts) as Name[]
  return new TransactionInstruction({
    programId: program,
    keys: [...names.map((name) => meta(keys[name], accounts[name])), ...more],
    data: Buffer.concat([Buffer.of(number), args.encode(values)]),
  })
}

export function meta(pubkey: PublicKey, access: Access): AccountMeta {
  return { pubkey, isSigner: access.startsWith('signer'), isWritable: access.endsWith('writable') }
}
