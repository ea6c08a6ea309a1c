/**
 * The first state of an embedded chain: a faucet, and programs as the upgradeable loader would have left them.
 *
 *   program account = 02 00 00 00 | program data address 32
 *   program data    = 03 00 00 00 | slot u64 LE | 01 | upgrade authority 32 | ELF      (loader-v3 `state.rs`)
 */
import { randomBytes, signingKeyPair } from '../../crypto.js'
import type { KeyPair } from '../../crypto.js'
import { LedgerError } from '../../errors.js'
import { fromBase58 } from '../base58.js'
import type { ChainDisk } from './disk.js'
import type { VmAccount } from './vm.js'

/** 5,000,000 coins. All lamports of this chain together stay below 2^53, so every JSON client reads them exactly. */
export const FAUCET_LAMPORTS = 5_000_000n * 1_000_000_000n
const SYSTEM_PROGRAM = new Uint8Array(32)
const LOADER = bytesOf('BPFLoaderUpgradeab1e11111111111111111111111')

export interface GenesisProgram {
  /** 32 bytes. */
  readonly id: Uint8Array
  readonly elf: Uint8Array
}

export interface ChainIdentity {
  readonly genesisHash: Uint8Array
  /** Unix milliseconds. */
  readonly genesisMs: number
  readonly faucet: KeyPair
}

/** Reads or, on a new disk, makes the chain's identity. Throws `STORE_CORRUPT`. */
export async function openIdentity(disk: ChainDisk, now: () => number): Promise<ChainIdentity & { fresh: boolean }> {
  const kept = disk.get('chain')
  const seed = kept ? null : randomBytes(32)
  const bytes =
    kept ??
    Buffer.from(
      JSON.stringify({
        format: 1,
        genesisHash: Buffer.from(randomBytes(32)).toString('hex'),
        genesisMs: now(),
        faucet: Buffer.from(seed ?? randomBytes(32)).toString('hex'),
      }),
    )
  if (!kept) await disk.write([['chain', bytes]])
  const value = JSON.parse(Buffer.from(bytes).toString('utf8')) as Readonly<Record<string, unknown>>
  const { format, genesisHash, genesisMs, faucet } = value
  if (format !== 1 || typeof genesisHash !== 'string' || typeof genesisMs !== 'number' || typeof faucet !== 'string')
    throw LedgerError.STORE_CORRUPT('the chain was written by a version that this one does not know')
  return {
    genesisHash: Buffer.from(genesisHash, 'hex'),
    genesisMs,
    faucet: signingKeyPair(Buffer.from(faucet, 'hex')),
    fresh: !disk.get('clock'),
  }
}

export interface FirstAccount {
  readonly key: Uint8Array
  readonly account: VmAccount
}

/** Program data before programs: LiteSVM reads the one when it is given the other. */
export async function firstAccounts(
  faucet: Uint8Array,
  programs: readonly GenesisProgram[],
  rent: (bytes: number) => bigint,
): Promise<FirstAccount[]> {
  const owned = { owner: SYSTEM_PROGRAM, executable: false }
  const accounts: FirstAccount[] = [
    { key: faucet, account: { ...owned, lamports: FAUCET_LAMPORTS, data: new Uint8Array(0) } },
  ]
  for (const { id, elf } of programs) {
    const address = await programDataAddress(id)
    const data = Buffer.concat([Buffer.from([3, 0, 0, 0]), Buffer.alloc(8), Buffer.from([1]), faucet, elf])
    const program = Buffer.concat([Buffer.from([2, 0, 0, 0]), address])
    accounts.push(
      { key: address, account: { owner: LOADER, executable: false, lamports: rent(data.byteLength), data } },
      { key: id, account: { owner: LOADER, executable: true, lamports: rent(program.byteLength), data: program } },
    )
  }
  return accounts
}

/** web3.js is loaded for this alone, once in a chain's life. */
async function programDataAddress(id: Uint8Array): Promise<Uint8Array> {
  const { PublicKey } = await import('@solana/web3.js')
  return PublicKey.findProgramAddressSync([id], new PublicKey(LOADER))[0].toBytes()
}

function bytesOf(address: string): Uint8Array {
  const bytes = fromBase58(address, 32)
  if (!bytes) throw LedgerError.BAD_ENCODING(`${address} is no address`)
  return bytes
}
