/**
 * The 32-byte seed as 24 words (BIP-39, English): what a person writes down. The words encode the seed's bytes
 * themselves (entropy), no passphrase and no stretching, so both directions are exact.
 */
import { entropyToMnemonic, mnemonicToEntropy } from '@scure/bip39'
import { wordlist } from '@scure/bip39/wordlists/english.js'
import { LedgerError } from './errors.js'

const WORDS = 24
const KNOWN = new Set(wordlist)

/** Throws `BAD_WORDS` unless the seed has 32 bytes. */
export function seedToWords(seed: Uint8Array): string {
  if (seed.byteLength !== 32) throw LedgerError.BAD_WORDS(`a seed has 32 bytes, not ${seed.byteLength}`)
  return entropyToMnemonic(seed, wordlist)
}

/** The first place (from 0) whose word is in no list; null = all are. */
export function unknownWord(words: readonly string[]): number | null {
  const place = words.findIndex((word) => !KNOWN.has(word))
  return place < 0 ? null : place
}

/**
 * Case, spaces and line breaks do not matter. Throws `BAD_WORDS`, which says how many words there are, which place holds
 * a word that is not in the list, or that the checksum is wrong; the message never repeats a word.
 */
export function wordsToSeed(text: string): Uint8Array {
  const words = text.slice(0, 1000).toLowerCase().normalize('NFKD').trim().split(/\s+/)
  if (words.length !== WORDS) throw LedgerError.BAD_WORDS(`${words.length} words instead of ${WORDS}`)
  const unknown = unknownWord(words)
  if (unknown !== null) throw LedgerError.BAD_WORDS(`word ${unknown + 1} is not in the list of words`)
  try {
    return mnemonicToEntropy(words.join(' '), wordlist)
  } catch {
    throw LedgerError.BAD_WORDS('the words do not belong together: one is wrong, or two have changed places')
  }
}
