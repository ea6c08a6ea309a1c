/**
 * What an owner does with a seed: write it down as 24 words, bring it back from them, put it under a passphrase and take it
 * out again. The caller holds the data folder's lock.
 */
import { seedToWords, wordsToSeed } from '../ledger/words.js'
export { unknownWord } from '../ledger/words.js'
import { openSeed, sealSeed } from './crypto.js'
import type { SealCost } from './crypto.js'
import { DaemonError } from './errors.js'
import { Identity } from './identity.js'
import { createSeed, readSeed, replaceByOpen, replaceBySealed, seedState } from './seed-file.js'

/** Everything that a node has and owes can be had with these words. */
export function wordsOf(identity: Identity): string {
  return identity.withSeed(seedToWords)
}

/** Throws `BAD_WORDS` (which never repeats a word) or `IDENTITY_EXISTS`. */
export function restoreIdentity(dataDir: string, words: string): Identity {
  // What lies there is looked at first: nobody should type 24 words for nothing.
  if (seedState(dataDir) !== 'none') throw DaemonError.IDENTITY_EXISTS(dataDir)
  return new Identity(createSeed(dataDir, wordsToSeed(words)))
}

/**
 * Puts the seed under a passphrase, and takes the open one away once the sealed one is on the disk and opens. Throws
 * `IDENTITY_SEALED` when it is sealed already, `IDENTITY_MISSING` when there is none.
 */
export function sealIdentity(dataDir: string, passphrase: Uint8Array, cost?: SealCost): void {
  const seed = readSeed(dataDir)
  if (seed === null) throw DaemonError.IDENTITY_MISSING(dataDir)
  if (!(seed instanceof Uint8Array)) throw DaemonError.IDENTITY_SEALED(dataDir)
  const sealed = sealSeed(seed, passphrase, cost)
  const again = openSeed(sealed, passphrase)
  if (again === null || !Buffer.from(again).equals(seed)) throw DaemonError.PASSPHRASE_WRONG()
  replaceBySealed(dataDir, sealed)
}

/** The opposite. Throws `IDENTITY_OPEN`, `IDENTITY_MISSING` or `PASSPHRASE_WRONG`. */
export function unsealIdentity(dataDir: string, passphrase: Uint8Array): void {
  const sealed = readSeed(dataDir)
  if (sealed === null) throw DaemonError.IDENTITY_MISSING(dataDir)
  if (sealed instanceof Uint8Array) throw DaemonError.IDENTITY_OPEN(dataDir)
  const seed = openSeed(sealed, passphrase)
  if (seed === null) throw DaemonError.PASSPHRASE_WRONG()
  replaceByOpen(dataDir, seed)
}
