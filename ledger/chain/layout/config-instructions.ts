import { SystemProgram } from '@solana/web3.js'
import type { PublicKey, TransactionInstruction } from '@solana/web3.js'
import type { Fees } from './accounts.js'
import { configAddress, programDataAddress } from './addresses.js'
import { address, struct, u16 } from './fields.js'
import { build, spec } from './instruction.js'

export interface ConfigArgs extends Fees {
  readonly admin: PublicKey
  readonly slasher: PublicKey
}

const ARGS = struct<ConfigArgs>({
  admin: address,
  slasher: address,
  feeBps: u16,
  trainerBps: u16,
  poolBps: u16,
  treasuryBps: u16,
})

export const CONFIG_INIT = spec({
  name: 'config_init',
  number: 0x00,
  about: 'Creates the config, once; only the upgrade authority of the program can.',
  args: ARGS,
  accounts: {
    authority: 'signer writable',
    config: 'writable',
    programData: 'readonly',
    treasury: 'writable',
    pool: 'writable',
    systemProgram: 'readonly',
  },
})

export const CONFIG_UPDATE = spec({
  name: 'config_update',
  number: 0x01,
  about: 'Replaces everything in the config. Open channels and orders keep the fees they were opened with.',
  args: ARGS,
  accounts: { admin: 'signer', config: 'writable', treasury: 'writable', pool: 'writable' },
})

export interface ConfigChange extends ConfigArgs {
  readonly treasury: PublicKey
  /** The treasury itself while there is no pool. */
  readonly pool: PublicKey
}

export function initConfig(
  program: PublicKey,
  { authority, treasury, pool, ...args }: ConfigChange & { readonly authority: PublicKey },
): TransactionInstruction {
  const config = configAddress(program)
  const programData = programDataAddress(program)
  const systemProgram = SystemProgram.programId
  return build(CONFIG_INIT, program, { authority, config, programData, treasury, pool, systemProgram }, args)
}

/** `by` is the admin until now, `admin` the one from now on. */
export function updateConfig(
  program: PublicKey,
  { by, treasury, pool, ...args }: ConfigChange & { readonly by: PublicKey },
): TransactionInstruction {
  return build(CONFIG_UPDATE, program, { admin: by, config: configAddress(program), treasury, pool }, args)
}
