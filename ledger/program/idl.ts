/**
 * The interface in the JSON that Solana's explorers and clients read (Anchor's IDL, specification 0.1.0). A discriminator
 * here is the one byte of an instruction, or kind and version of an account.
 */
import { ACCOUNT_VERSION } from '../chain/layout/accounts.js'
import { PROGRAM_ERROR_TEXTS, PROGRAM_ERRORS } from '../chain/layout/errors.js'
import type { ProgramErrorName } from '../chain/layout/errors.js'
import type { IdlType } from '../chain/layout/fields.js'
import { ACCOUNTS, INSTRUCTIONS } from '../chain/layout/program.js'

const SYSTEM_PROGRAM = '11111111111111111111111111111111'
const INSTRUCTIONS_SYSVAR = 'Sysvar1nstructions1111111111111111111111111'
const FIXED: Readonly<Record<string, string>> = {
  systemProgram: SYSTEM_PROGRAM,
  instructions: INSTRUCTIONS_SYSVAR,
}

const HEADER: readonly { readonly name: string; readonly type: IdlType }[] = [
  { name: 'bump', type: 'u8' },
  { name: 'phase', type: 'u8' },
  { name: 'reserved', type: { array: ['u8', 4] } },
]

/** `program`: the address it is deployed at. */
export function idl(program: string): string {
  const instructions = INSTRUCTIONS.map(({ name, number, about, args, accounts }) => ({
    name,
    docs: [about],
    discriminator: [number],
    accounts: Object.entries(accounts).map(([account, access]) => ({
      name: snake(account),
      ...(access.endsWith('writable') ? { writable: true } : {}),
      ...(access.startsWith('signer') ? { signer: true } : {}),
      ...(FIXED[account] === undefined ? {} : { address: FIXED[account] }),
    })),
    args: args.fields.map(typed),
  }))
  const accounts = ACCOUNTS.map(({ name, kind }) => ({ name, discriminator: [kind, ACCOUNT_VERSION] }))
  const types = ACCOUNTS.map(({ name, body }) => ({
    name,
    type: { kind: 'struct', fields: [...HEADER, ...body.fields.map(typed)] },
  }))
  const errors = Object.entries(PROGRAM_ERRORS).map(([name, code]) => ({
    code,
    name,
    msg: PROGRAM_ERROR_TEXTS[name as ProgramErrorName],
  }))
  const metadata = { name: 'swarmd', version: '0.1.0', spec: '0.1.0' }
  return `${JSON.stringify({ address: program, metadata, instructions, accounts, types, errors }, null, 2)}\n`
}

function typed({ name, idl: type }: { readonly name: string; readonly idl: IdlType }): { name: string; type: IdlType } {
  return { name: snake(name), type }
}

function snake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
