/** The 24 words from a person's hands: typed, pasted over several lines, or as the numbered table that `keys show` prints. */
import { DaemonError } from '../daemon/errors.js'
import { unknownWord } from '../daemon/seed-keeping.js'
import type { Io } from './io.js'
import { askLine, askLines } from './prompt.js'

const WORDS = 24

/** Words in their order, each by its number where all have one. */
export function wordsIn(text: string): string[] {
  const plain = text.trim().toLowerCase().split(/\s+/).filter(Boolean)
  const numbered = [...text.toLowerCase().matchAll(/(\d{1,2})[.):]?\s+([a-z]+)/g)]
  if (numbered.length === 0 || numbered.length * 2 !== plain.length) return plain
  return numbered.toSorted(([, a], [, b]) => Number(a) - Number(b)).map(([, , word]) => word ?? '')
}

/**
 * Asks line by line until all are there, and then once more for each that is in no list of words. Throws `CANCELLED`, and
 * `CONFIG_INVALID` for more than 24.
 */
export async function askWords(io: Io): Promise<string> {
  const lines = await askLines(io, (given) => {
    const there = wordsIn(given.join('\n')).length
    if (there >= WORDS) return null
    return there === 0 ? 'The 24 words, in order: ' : `${there} of ${WORDS}, go on: `
  })
  const words = wordsIn(lines.join('\n'))
  if (words.length > WORDS) throw DaemonError.CONFIG_INVALID(`These were ${words.length} words instead of ${WORDS}.`)
  for (let wrong = unknownWord(words); wrong !== null; wrong = unknownWord(words)) {
    words[wrong] = (await askLine(io, `Word ${wrong + 1} is not in the list of words. Word ${wrong + 1} again: `))
      .trim()
      .toLowerCase()
  }
  return words.join(' ')
}
