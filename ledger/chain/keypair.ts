/** Key files as Solana's tools write them: a JSON list of 64 numbers, the seed and the public key. */
import { readFile } from 'node:fs/promises'
import { signingKeyPair } from '../crypto.js'
import type { KeyPair } from '../crypto.js'
import { ChainError } from './errors.js'

/** Throws `BAD_KEYPAIR`, which says nothing of what the file holds. */
export async function readKeypair(path: string): Promise<KeyPair> {
  let numbers: unknown
  try {
    numbers = JSON.parse(await readFile(path, 'utf8'))
  } catch {
    throw ChainError.BAD_KEYPAIR(`${path} cannot be read as a key file: it should be a JSON list of 64 numbers.`)
  }
  const isByte = (value: unknown): value is number =>
    Number.isInteger(value) && Number(value) >= 0 && Number(value) < 256
  if (!Array.isArray(numbers) || numbers.length !== 64 || !numbers.every(isByte))
    throw ChainError.BAD_KEYPAIR(`${path} is no key file: it should be a JSON list of 64 numbers.`)
  const bytes = Uint8Array.from(numbers)
  const pair = signingKeyPair(bytes.subarray(0, 32))
  if (Buffer.compare(pair.publicKey, bytes.subarray(32)) !== 0)
    throw ChainError.BAD_KEYPAIR(`${path} holds a public key that does not belong to its secret key.`)
  return pair
}
