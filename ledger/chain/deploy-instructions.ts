/**
 * The upgradeable loader's own instructions (loader-v3-interface `instruction.rs`): a u32 LE number, then its arguments.
 *
 *   0 initialize buffer | 1 write: offset u32, length u64, bytes | 2 deploy: maximum length u64 | 3 upgrade
 *   5 close | 6 extend: additional bytes u32
 */
import {
  PublicKey,
  SystemProgram,
  SYSVAR_CLOCK_PUBKEY,
  SYSVAR_RENT_PUBKEY,
  TransactionInstruction,
} from '@solana/web3.js'
import type { AccountMeta } from '@solana/web3.js'
import { programDataAddress, UPGRADEABLE_LOADER } from './layout/addresses.js'

/** tag u32 = 1, option u8, authority 32, then the code. */
export const BUFFER_HEADER = 37
/** tag u32 = 3, slot u64, option u8, authority 32, then the code. */
export const PROGRAM_DATA_HEADER = 45
export const PROGRAM_BYTES = 36
/** What fits beside one signature and three keys. */
export const CHUNK_BYTES = 1_000

export interface Piece {
  readonly offset: number
  readonly bytes: Uint8Array
}

/** The code in pieces of one write each. */
export function pieces(elf: Uint8Array): Piece[] {
  return Array.from({ length: Math.ceil(elf.byteLength / CHUNK_BYTES) }, (_, index) => {
    const offset = index * CHUNK_BYTES
    return { offset, bytes: elf.subarray(offset, offset + CHUNK_BYTES) }
  })
}

export function initializeBuffer(buffer: PublicKey, authority: PublicKey): TransactionInstruction {
  return loader(u32(0), [writable(buffer), readonly(authority)])
}

export function writeBuffer(
  buffer: PublicKey,
  authority: PublicKey,
  offset: number,
  bytes: Uint8Array,
): TransactionInstruction {
  const data = Buffer.concat([u32(1), u32(offset), u64(bytes.byteLength), bytes])
  return loader(data, [writable(buffer), signer(authority)])
}

export function deploy(
  payer: PublicKey,
  program: PublicKey,
  buffer: PublicKey,
  authority: PublicKey,
  maxBytes: number,
): TransactionInstruction {
  return loader(Buffer.concat([u32(2), u64(maxBytes)]), [
    { pubkey: payer, isSigner: true, isWritable: true },
    writable(programDataAddress(program)),
    writable(program),
    writable(buffer),
    readonly(SYSVAR_RENT_PUBKEY),
    readonly(SYSVAR_CLOCK_PUBKEY),
    readonly(SystemProgram.programId),
    signer(authority),
  ])
}

/** The buffer's lamports go to `spill`. */
export function upgrade(
  program: PublicKey,
  buffer: PublicKey,
  authority: PublicKey,
  spill: PublicKey,
): TransactionInstruction {
  return loader(u32(3), [
    writable(programDataAddress(program)),
    writable(program),
    writable(buffer),
    writable(spill),
    readonly(SYSVAR_RENT_PUBKEY),
    readonly(SYSVAR_CLOCK_PUBKEY),
    signer(authority),
  ])
}

export function extend(payer: PublicKey, program: PublicKey, additional: number): TransactionInstruction {
  return loader(Buffer.concat([u32(6), u32(additional)]), [
    writable(programDataAddress(program)),
    writable(program),
    readonly(SystemProgram.programId),
    { pubkey: payer, isSigner: true, isWritable: true },
  ])
}

/** Whose account it is, by the bytes of a buffer or of program data; null = nobody's (final), or something else. */
export function authorityIn(data: Uint8Array, header: number): PublicKey | null {
  return data.byteLength >= header && data[header - 33] === 1 ? new PublicKey(data.subarray(header - 32, header)) : null
}

function loader(data: Buffer, keys: AccountMeta[]): TransactionInstruction {
  return new TransactionInstruction({ programId: UPGRADEABLE_LOADER, keys, data })
}

function writable(pubkey: PublicKey): AccountMeta {
  return { pubkey, isSigner: false, isWritable: true }
}

function readonly(pubkey: PublicKey): AccountMeta {
  return { pubkey, isSigner: false, isWritable: false }
}

function signer(pubkey: PublicKey): AccountMeta {
  return { pubkey, isSigner: true, isWritable: false }
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}
