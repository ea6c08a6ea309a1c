/**
 * Where the program's accounts lie: addresses derived from seeds, with the bump that `findProgramAddress` finds first. The
 * program finds the same one when it creates the account, so nobody can place a second account under the same seeds.
 */
import { PublicKey } from '@solana/web3.js'

export const UPGRADEABLE_LOADER = new PublicKey('BPFLoaderUpgradeab1e11111111111111111111111')

/** Can a key sign for this address (base58)? Those of programs' accounts are no points of the curve. */
export function isKey(address: string): boolean {
  return PublicKey.isOnCurve(address)
}

export interface ChannelSeeds {
  readonly payer: PublicKey
  /** The provider's account. */
  readonly provider: PublicKey
  /** ed25519 key that signs vouchers. */
  readonly signer: Uint8Array
  readonly salt: bigint
  /** A slot of the last 150 when the channel is opened. */
  readonly openSlot: bigint
}

export function configAddress(program: PublicKey): PublicKey {
  return derive(program, 'config')
}

export function providerAddress(program: PublicKey, authority: PublicKey): PublicKey {
  return derive(program, 'provider', authority.toBytes())
}

export function offerAddress(program: PublicKey, provider: PublicKey, model: Uint8Array): PublicKey {
  return derive(program, 'offer', provider.toBytes(), model)
}

export function channelAddress(program: PublicKey, seeds: ChannelSeeds): PublicKey {
  const { payer, provider, signer, salt, openSlot } = seeds
  return derive(program, 'channel', payer.toBytes(), provider.toBytes(), signer, le64(salt), le64(openSlot))
}

export function orderAddress(program: PublicKey, payer: PublicKey, salt: bigint): PublicKey {
  return derive(program, 'order', payer.toBytes(), le64(salt))
}

export function stakeAddress(program: PublicKey, provider: PublicKey): PublicKey {
  return derive(program, 'stake', provider.toBytes())
}

/** Where the upgradeable loader keeps the code and the upgrade authority. */
export function programDataAddress(program: PublicKey): PublicKey {
  return derive(UPGRADEABLE_LOADER, program.toBytes())
}

function derive(program: PublicKey, ...seeds: readonly (string | Uint8Array)[]): PublicKey {
  const bytes = seeds.map((seed) => (typeof seed === 'string' ? Buffer.from(seed) : seed))
  return PublicKey.findProgramAddressSync(bytes, program)[0]
}

function le64(value: bigint): Uint8Array {
  const out = new Uint8Array(8)
  new DataView(out.buffer).setBigUint64(0, value, true)
  return out
}
