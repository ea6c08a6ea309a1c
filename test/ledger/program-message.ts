/**
 * A legacy transaction message, written without web3.js: the property test sends tens of thousands.
 *
 *   signers u8 | readonly signers u8 | readonly others u8 | keys | blockhash 32 | instructions; lengths are compact u16
 */
import type { PublicKey, TransactionInstruction } from '@solana/web3.js'

interface Entry {
  readonly bytes: Uint8Array
  isSigner: boolean
  isWritable: boolean
}

export interface UnsignedTransaction {
  readonly messageBytes: Uint8Array
  /** Null for everyone: nobody signs here. */
  readonly signatures: Readonly<Record<string, null>>
}

export function messageBytes(payer: PublicKey, instructions: readonly TransactionInstruction[]): UnsignedTransaction {
  const entries = new Map<string, Entry>()
  const note = (key: PublicKey, isSigner: boolean, isWritable: boolean): void => {
    const bytes = key.toBytes()
    const id = Buffer.from(bytes).toString('latin1')
    const known = entries.get(id)
    if (!known) entries.set(id, { bytes, isSigner, isWritable })
    else {
      known.isSigner ||= isSigner
      known.isWritable ||= isWritable
    }
  }
  note(payer, true, true)
  for (const { keys, programId } of instructions) {
    for (const { pubkey, isSigner, isWritable } of keys) note(pubkey, isSigner, isWritable)
    note(programId, false, false)
  }
  const rank = ({ isSigner, isWritable }: Entry): number => (isSigner ? 0 : 2) + (isWritable ? 0 : 1)
  const all = [...entries].toSorted(([, a], [, b]) => rank(a) - rank(b))
  const place = new Map(all.map(([id], index) => [id, index]))
  const indexOf = (key: PublicKey): number => place.get(Buffer.from(key.toBytes()).toString('latin1')) ?? 0
  const count = (wanted: number): number => all.filter(([, entry]) => rank(entry) === wanted).length
  const signers = count(0) + count(1)
  const parts: Uint8Array[] = [Uint8Array.of(signers, count(1), count(3)), length(all.length)]
  for (const [, { bytes }] of all) parts.push(bytes)
  parts.push(new Uint8Array(32), length(instructions.length))
  for (const { programId, keys, data } of instructions) {
    const accounts = Uint8Array.from(keys, ({ pubkey }) => indexOf(pubkey))
    parts.push(Uint8Array.of(indexOf(programId)), length(accounts.length), accounts, length(data.length), data)
  }
  const signatures = Object.fromEntries(Array.from({ length: signers }, (_, index) => [`signer ${index}`, null]))
  return { messageBytes: Buffer.concat(parts), signatures }
}

function length(value: number): Uint8Array {
  return value < 0x80 ? Uint8Array.of(value) : Uint8Array.of((value & 0x7f) | 0x80, value >> 7)
}
