import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { AnswerText } from '../../daemon/engine/text/answer.js'
import { StopMatcher } from '../../daemon/engine/text/stop.js'
import type { Segment, ThoughtMarkers } from '../../daemon/engine/text/thoughts.js'
import { detectMarkers, ThoughtSplitter } from '../../daemon/engine/text/thoughts.js'
import { Vocabulary } from '../../daemon/engine/text/vocabulary.js'

const THINK: ThoughtMarkers = { open: '<think>', close: '</think>' }

/** One token per byte, and a few that steer. */
const BYTES = new Vocabulary({
  model: 'llama',
  tokens: [
    ...Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).padStart(2, '0')}>`),
    '<think>',
    '</think>',
    '<end>',
    '<lit>',
  ],
  types: [...Array.from({ length: 256 }, () => 6), 3, 3, 3, 4],
})

/** Cuts a text at the given places. */
function pieces(text: string, cuts: readonly number[]): string[] {
  const places = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].toSorted((a, b) => a - b)
  return [...places, text.length].map((end, i) => text.slice(places[i - 1] ?? 0, end))
}

const joined = (segments: readonly Segment[], channel: Segment['channel']): string =>
  segments
    .filter((segment) => segment.channel === channel)
    .map(({ text }) => text)
    .join('')

const cuts = fc.array(fc.nat(200), { maxLength: 30 })

describe('vocabulary', () => {
  void test('byte-level tokens give their bytes, also when a character is cut in two', () => {
    const vocabulary = new Vocabulary({
      model: 'gpt2',
      tokens: ['Ġhello', 'Ã', '¶', 'Ċ', '<|im_end|>', ' x'],
      types: [1, 1, 1, 1, 3, 4],
    })
    const text = (token: number): string => Buffer.from(vocabulary.bytes(token)).toString('latin1')
    assert.deepEqual([0, 1, 2, 3, 4, 5].map(text), [' hello', '\xc3', '\xb6', '\n', '', ' x'])
  })

  void test('SentencePiece tokens turn their mark into a space and byte tokens into bytes', () => {
    const vocabulary = new Vocabulary({ model: 'llama', tokens: ['▁the', '<0xE2>', '<s>'], types: [1, 6, 3] })
    assert.deepEqual(
      [0, 1, 2].map((token) => [...vocabulary.bytes(token)]),
      [[32, 116, 104, 101], [0xe2], []],
    )
  })
})

describe('stop strings', () => {
  void test('end the text at the earliest match, however the text is cut', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 30 })
    const stops = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 }), {
      minLength: 1,
      maxLength: 4,
    })
    fc.assert(
      fc.property(word, stops, cuts, (text, list, places) => {
        const matcher = new StopMatcher(list)
        let out = ''
        let stop: string | null = null
        for (const piece of pieces(text, places)) {
          const step = matcher.push(piece)
          out += step.text
          stop = step.stop
          if (stop !== null) break
        }
        if (stop === null) out += matcher.end()
        const first = Math.min(...list.map((candidate) => text.indexOf(candidate)).filter((at) => at >= 0))
        assert.equal(out, Number.isFinite(first) ? text.slice(0, firstSeen(text, list, places)) : text)
        assert.equal(stop !== null, Number.isFinite(first))
      }),
    )
  })

  void test('hold back only what may still become a stop string', () => {
    const matcher = new StopMatcher(['\n\nHuman:'])
    assert.deepEqual(matcher.push('Hello\n'), { text: 'Hello', stop: null })
    assert.deepEqual(matcher.push('\nHu'), { text: '', stop: null })
    assert.deepEqual(matcher.push('ge'), { text: '\n\nHuge', stop: null })
  })
})

/** A longer stop string may complete before an earlier, still open one: the text ends at the first that is complete. */
function firstSeen(text: string, stops: readonly string[], places: readonly number[]): number {
  let seen = 0
  for (const piece of pieces(text, places)) {
    seen += piece.length
    const found = stops.map((stop) => text.slice(0, seen).indexOf(stop)).filter((at) => at >= 0)
    if (found.length > 0) return Math.min(...found)
  }
  return text.length
}

describe('thoughts', () => {
  void test('are split from the answer, however the text is cut', () => {
    const part = fc.string({ unit: fc.constantFrom('a', '<', '/', 't', '>', ' '), maxLength: 10 })
    fc.assert(
      fc.property(part, part, part, cuts, (before, thought, after, places) => {
        const splitter = new ThoughtSplitter(THINK, false)
        const text = `${before}<think>${thought}</think>${after}`
        const segments = [...pieces(text, places).flatMap((piece) => splitter.push(piece)), ...splitter.end()]
        assert.equal(joined(segments, 'text'), before + after)
        assert.equal(joined(segments, 'thought'), thought)
      }),
    )
  })

  void test('that the template has opened need no opening marker', () => {
    const splitter = new ThoughtSplitter(THINK, true)
    const segments = [...splitter.push('2+2\n'), ...splitter.push('=4</thi'), ...splitter.push('nk>\n\nFour')]
    assert.deepEqual(joined(segments, 'thought'), '2+2\n=4')
    assert.deepEqual(joined(segments, 'text'), 'Four')
  })

  void test('markers are found in the template first, then in the vocabulary', () => {
    assert.equal(detectMarkers("{{ '<reasoning>' }}", () => false)?.open, '<reasoning>')
    assert.equal(detectMarkers('', (name) => name.includes('think>'))?.open, '<think>')
    assert.equal(
      detectMarkers('', () => false),
      null,
    )
  })
})

describe('answer text', () => {
  const options = { vocabulary: BYTES, markers: THINK, insideThought: false, stop: [] as string[] }
  const run = (answer: AnswerText, tokens: Iterable<number>): Segment[] => [
    ...[...tokens].flatMap((token) => answer.push(token)),
    ...answer.end(),
  ]

  void test('is the same text that the tokens spell, whole characters only', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (text) => {
        const answer = new AnswerText({ ...options, markers: null })
        const segments: Segment[] = []
        for (const byte of Buffer.from(text)) {
          for (const segment of answer.push(byte)) {
            assert.ok(!segment.text.includes('\ufffd') || text.includes('\ufffd'))
            segments.push(segment)
          }
        }
        assert.equal(joined([...segments, ...answer.end()], 'text'), text)
      }),
    )
  })

  void test('half a character at the end becomes U+FFFD, and nothing is lost before it', () => {
    assert.equal(joined(run(new AnswerText(options), [...Buffer.from('aé').subarray(0, 2)]), 'text'), 'a\ufffd')
  })

  void test('control tokens are silent, literal ones are not, markers switch even as control tokens', () => {
    const answer = new AnswerText(options)
    const tokens = [256, ...Buffer.from('hm'), 257, ...Buffer.from('yes'), 259, 258]
    const segments = run(answer, tokens)
    assert.equal(joined(segments, 'thought'), 'hm')
    assert.equal(joined(segments, 'text'), 'yes<lit>')
    assert.equal(answer.thoughtTokens, 4)
  })

  void test('a stop string in a thought does not stop', () => {
    const answer = new AnswerText({ ...options, stop: ['STOP'] })
    const segments = run(answer, [256, ...Buffer.from('STOP'), 257, ...Buffer.from('go STOP on')])
    assert.equal(joined(segments, 'thought'), 'STOP')
    assert.equal(joined(segments, 'text'), 'go ')
    assert.equal(answer.stopText, 'STOP')
  })

  void test('what was held back for a stop string comes out before a thought begins', () => {
    const answer = new AnswerText({ ...options, stop: ['abc'] })
    const segments = run(answer, [...Buffer.from('xab'), 256, ...Buffer.from('t'), 257, ...Buffer.from('c')])
    assert.deepEqual(segments, [
      { channel: 'text', text: 'x' },
      { channel: 'text', text: 'ab' },
      { channel: 'thought', text: 't' },
      { channel: 'text', text: 'c' },
    ])
  })

  void test('replayed tokens leave the same state behind: the rest is the same text', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'é', '<think>', '</think>', 'stop', '\n'), maxLength: 40 })
    fc.assert(
      fc.property(text, fc.nat(200), (value, cut) => {
        const tokens = [...Buffer.from(value)]
        const whole = new AnswerText({ ...options, stop: ['stop'] })
        const steps = tokens.map((token) => whole.push(token))
        const resumed = new AnswerText({ ...options, stop: ['stop'] })
        const at = cut % (tokens.length + 1)
        for (const token of tokens.slice(0, at)) resumed.push(token)
        const rest = tokens.slice(at).map((token) => resumed.push(token))
        assert.deepEqual(rest, steps.slice(at))
        assert.deepEqual(resumed.end(), whole.end())
      }),
    )
  })
})
