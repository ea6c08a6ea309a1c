/** Makes the config of a freshly deployed program, once; only its upgrade authority can. */
import { PublicKey } from '@solana/web3.js'
import type { KeyPair } from '../crypto.js'
import { fromBase58 } from './base58.js'
import { accountOf } from './calls.js'
import { confirmed } from './confirm.js'
import { ChainError } from './errors.js'
import { configAddress } from './layout/addresses.js'
import { initConfig } from './layout/config-instructions.js'
import type { Rpc } from './rpc.js'

/** A tenth of what is paid; half of it to the last trainer of a model, the rest to auditors and treasury. */
export const STANDARD_FEES = { feeBps: 1_000, trainerBps: 5_000, poolBps: 2_500, treasuryBps: 2_500 }

/** The authority becomes the admin; the treasury is the auditors' pool while there is none. Throws `TX_REJECTED`, `BAD_ADDRESS`. */
export async function configureProgram(
  rpc: Rpc,
  authority: KeyPair,
  program: string,
  treasury: string,
): Promise<'configured' | 'unchanged'> {
  const [id, to] = [keyOf(program), keyOf(treasury)]
  if (await accountOf(rpc, configAddress(id).toBase58())) return 'unchanged'
  const admin = new PublicKey(authority.publicKey)
  const change = { authority: admin, admin, slasher: admin, treasury: to, pool: to, ...STANDARD_FEES }
  await confirmed(rpc, [authority], [initConfig(id, change)])
  return 'configured'
}

function keyOf(text: string): PublicKey {
  const bytes = fromBase58(text, 32)
  if (!bytes) throw ChainError.BAD_ADDRESS(text)
  return new PublicKey(bytes)
}
