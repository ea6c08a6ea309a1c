/** Base58 as the chain's tools write keys, signatures and hashes. */
import bs58 from 'bs58'

/** Longer texts are refused unread: the work grows with the square of the length. */
const MAX_CHARACTERS = 2048

export function toBase58(bytes: Uint8Array): string {
  return bs58.encode(bytes)
}

/** The bytes, or null: a wrong character, too long a text, or not `length` bytes. */
export function fromBase58(text: string, length?: number): Uint8Array | null {
  if (text.length > MAX_CHARACTERS) return null
  const bytes = bs58.decodeUnsafe(text)
  if (!bytes || (length !== undefined && bytes.byteLength !== length)) return null
  return bytes
}
