import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CHAT_BODY } from '../../proxy/schema/chat.js'
import { COMPLETION_BODY } from '../../proxy/schema/completion.js'
import { EMBEDDING_BODY } from '../../proxy/schema/embedding.js'
import { events, openProxy, post } from '../helpers/http.js'

const ROUTES = [
  ['/chat/completions', CHAT_BODY, { model: 'm', messages: [{ role: 'user', content: 'x' }] }],
  ['/completions', COMPLETION_BODY, { model: 'm', prompt: 'x' }],
  ['/embeddings', EMBEDDING_BODY, { model: 'm', input: 'x' }],
] as const

/** Values that are near to right more often than chance: small numbers, right-looking objects, the edges. */
const value = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    1,
    -1,
    2,
    0.5,
    2 ** 53,
    1e308,
    '',
    'text',
    [],
    {},
    [[]],
    [1, 2],
    ['a'],
  ),
  fc.constantFrom<unknown>(
    { include_usage: true },
    [{ type: 'text', text: 'x' }],
    { '1': 5 },
    [{ role: 'user' }],
    'base64',
  ),
  fc.jsonValue({ maxDepth: 3 }),
)

for (const [path, schema, valid] of ROUTES) {
  test(`any JSON sent to ${path} is an answer or a 4xx that says why`, async (t) => {
    const { base } = await openProxy(t)
    const field = fc.constantFrom(...Object.keys(schema.properties), 'tools', 'response_format', '__proto__')
    const mutated = fc
      .array(fc.tuple(field, value), { maxLength: 4 })
      .map((fields) => ({ ...valid, ...Object.fromEntries(fields) }))
    await fc.assert(
      fc.asyncProperty(fc.oneof(mutated, mutated, fc.jsonValue()), async (body) => {
        const answer = await post(`${base}${path}`, JSON.stringify(body))
        assert.match(answer.headers.get('x-request-id') ?? '', /^req_/)
        if (answer.status === 200) {
          if (answer.text.startsWith(':')) assert.ok(events(answer.text).done)
          else assert.equal(answer.json['model'], (body as { model: string }).model)
          return
        }
        assert.equal(answer.status, 400, answer.text)
        const error = answer.json['error']
        assert.equal(error?.['type'], 'invalid_request_error')
        assert.equal(typeof error?.['message'], 'string')
        assert.equal(answer.headers.get('x-should-retry'), 'false')
      }),
      { numRuns: 400 },
    )
  })
}

test('any bytes as a body are an answer or a 400', async (t) => {
  const { base } = await openProxy(t)
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (bytes) => {
      const response = await fetch(`${base}/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: Buffer.from(bytes),
      })
      await response.arrayBuffer()
      assert.equal(response.status, 400)
    }),
    { numRuns: 200 },
  )
})
