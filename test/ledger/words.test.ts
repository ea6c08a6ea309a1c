import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { seedToWords, wordsToSeed } from '../../ledger/words.js'
import { filled } from './sample.js'

const bad = { code: 'BAD_WORDS' }

test('24 words are the seed, as BIP-39 says', () => {
  assert.equal(seedToWords(filled(32, 0)), `${'abandon '.repeat(23)}art`)
  assert.deepEqual(wordsToSeed(` ${'ABANDON\n '.repeat(23)} art\n`), filled(32, 0))
  assert.equal(
    seedToWords(filled(32, 0x7f)),
    `${'legal winner thank year wave sausage worth useful '.repeat(2)}legal winner thank year wave sausage worth title`,
  )
})

test('every seed comes back from its words', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (seed) => {
      assert.deepEqual(Uint8Array.from(wordsToSeed(seedToWords(seed))), seed)
    }),
    { numRuns: 20 },
  )
})

test('wrong words are refused, saying what is wrong and never which word', () => {
  const words = seedToWords(filled(32, 1)).split(' ')
  const unknown = words.with(4, 'swarmd').join(' ')
  assert.throws(() => wordsToSeed(words.slice(1).join(' ')), { ...bad, message: '23 words instead of 24' })
  assert.throws(() => wordsToSeed(unknown), { ...bad, message: 'word 5 is not in the list of words' })
  assert.throws(() => wordsToSeed(`${'abandon '.repeat(23)}zoo`), bad)
  assert.throws(() => wordsToSeed('x'.repeat(1e6)), bad)
  assert.throws(() => seedToWords(filled(16, 1)), bad)
})
