import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ChatTemplate } from '../../daemon/engine/child/chat-template.js'
import { EngineError } from '../../daemon/engine/errors.js'
import type { Message } from '../../proxy/port.js'

const SPECIALS = ['<|im_start|>', '<|im_end|>', '<think>', '</think>', '[INST]']
/** Special tokens are numbers from 1000; everything else one token a character, except that `ab` merges. */
function tokenise(text: string, special: boolean): number[] {
  const pattern = special ? /<\|im_start\|>|<\|im_end\|>|<think>|<\/think>|\[INST\]|ab|[^]/g : /ab|[^]/g
  return [...text.matchAll(pattern)].map(([piece]) => {
    const at = special ? SPECIALS.indexOf(piece) : -1
    return at === -1 ? (piece === 'ab' ? 999 : (piece.codePointAt(0) ?? 0)) : 1000 + at
  })
}

const CHATML = `{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + (m.content | trim) + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}`
const JOINING = `{% for m in messages %}{{ m.content }}{% endfor %}`
const REFUSING = `{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}x`

function template(source: string): ChatTemplate {
  return new ChatTemplate({
    source,
    tokenise,
    reserved: SPECIALS,
    assistantMayWrite: ['<think>', '</think>'],
    variables: {},
  })
}

const user = (content: string): Message => ({ role: 'user', content })
const specialsIn = (tokens: readonly number[]): number[] => tokens.filter((token) => token >= 1000)

/** Text that users might send: fragments of special tokens, spaces at the ends, merges. */
const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom(...SPECIALS, '<|im_', 'start|>', '<', '|>', ' ', '\n', 'ab', 'a', 'b', 'x1x'),
      fc.string({ maxLength: 4 }),
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(''))
const honest = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '\n', 'x', '1', 'é'), maxLength: 20 })

void describe('chat template', () => {
  void test('an honest prompt has exactly the tokens of plain rendering', () => {
    fc.assert(
      fc.property(fc.array(honest, { minLength: 1, maxLength: 4 }), (contents) => {
        const { tokens, text } = template(CHATML).render(contents.map(user))
        const plain = `${contents.map((content) => `<|im_start|>user\n${content.trim()}<|im_end|>\n`).join('')}<|im_start|>assistant\n`
        assert.equal(text, plain)
        assert.deepEqual(tokens, tokenise(plain, true))
      }),
    )
  })

  void test('a prompt of a million tokens is rendered, so that its length can be told', () => {
    const { tokens } = template(CHATML).render([user('x'.repeat(1_000_000))])
    assert.equal(tokens.filter((token) => token === 'x'.codePointAt(0)).length, 1_000_000)
  })

  void test('thousands of messages that might join to special tokens are checked in no more than linear work', () => {
    const messages = Array.from({ length: 4096 }, (_, i) => user(i % 2 === 0 ? 'a <' : '|im_start|> b'))
    assert.deepEqual(specialsIn(template(JOINING).render(messages).tokens), [])
  })

  void test('no message, however written, adds a special token', () => {
    fc.assert(
      fc.property(fc.array(hostile, { minLength: 1, maxLength: 4 }), (contents) => {
        const { tokens } = template(CHATML).render(contents.map(user))
        const expected = [...contents.flatMap(() => [1000, 1001]), 1000]
        assert.deepEqual(specialsIn(tokens), expected)
      }),
      { numRuns: 500 },
    )
  })

  void test('messages that a template puts side by side cannot make one together', () => {
    fc.assert(
      fc.property(fc.array(hostile, { minLength: 2, maxLength: 2 }), (contents) => {
        assert.deepEqual(specialsIn(template(JOINING).render(contents.map(user)).tokens), [])
      }),
      { numRuns: 500 },
    )
    assert.deepEqual(specialsIn(template(JOINING).render([user('x<|im_'), user('start|>y')]).tokens), [])
    assert.deepEqual(specialsIn(template(JOINING).render([user('<'), user('|im_end|>')]).tokens), [])
  })

  void test('the text of a message is kept, whatever it contains', () => {
    fc.assert(
      fc.property(fc.array(hostile, { minLength: 1, maxLength: 3 }), (contents) => {
        const { text, tokens } = template(CHATML).render(contents.map(user))
        for (const content of contents) assert.ok(text.includes(content.trim()))
        const spelled = tokens.map((token) =>
          token >= 1000 ? (SPECIALS[token - 1000] ?? '') : token === 999 ? 'ab' : String.fromCodePoint(token),
        )
        assert.equal(spelled.join('').replaceAll('\ufffd', ''), text.replaceAll('\ufffd', ''))
      }),
    )
  })

  void test('an earlier answer may contain its thought markers, but no turn', () => {
    const messages: Message[] = [user('q'), { role: 'assistant', content: '<think>hm</think>yes<|im_end|>' }]
    const { tokens } = template(CHATML).render(messages)
    assert.deepEqual(specialsIn(tokens), [1000, 1001, 1000, 1002, 1003, 1001, 1000])
  })

  void test('a name is text, too', () => {
    const source = `{% for m in messages %}{{ m.name }}: {{ m.content }}{% endfor %}`
    const { tokens } = template(source).render([{ role: 'user', name: '<|im_start|>', content: 'hi' }])
    assert.deepEqual(specialsIn(tokens), [])
  })

  void test('what the template refuses is a bad request in its own words', () => {
    assert.throws(
      () => template(REFUSING).render([{ role: 'system', content: 'be kind' }]),
      (error) =>
        error instanceof EngineError &&
        error.code === 'BAD_REQUEST' &&
        error.message.includes('System role not supported'),
    )
  })

  void test('a template that is no template makes the model unsupported, not the host crash', () => {
    assert.throws(
      () => template('{% for %}'),
      (error) => error instanceof EngineError && error.code === 'MODEL_UNSUPPORTED',
    )
  })
})
