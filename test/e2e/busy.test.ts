/** A provider with one slot and one place to wait in: what everybody else is told, through real processes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import OpenAI from 'openai'
import { smallNet } from '../helpers/small-net.js'

const MODEL = 'mock-words:f32'

const ENDLESS = { model: MODEL, messages: [{ role: 'user' as const, content: 'hello' }], max_tokens: 10_000 }

function ask(base: string, body: object, signal: AbortSignal | null = null): Promise<Response> {
  return fetch(`${base}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal,
  })
}

test('one computes, one waits, the next is told 429 and when to come back; an SDK that does so is answered', async (t) => {
  const { base } = await smallNet(t, [['--tokens-per-second', '20', '--slots', '1', '--queue', '1']])
  const leaving = new AbortController()
  t.after(() => leaving.abort())
  const computing = await ask(base, { ...ENDLESS, stream: true }, leaving.signal)
  const waiting = await ask(base, { ...ENDLESS, stream: true }, leaving.signal)
  assert.deepEqual([computing.status, waiting.status], [200, 200])

  const told = async (): Promise<number> => {
    const response = await ask(base, ENDLESS)
    const body = (await response.json()) as { error: { type: string; code: string } }
    assert.equal(response.status, 429)
    assert.deepEqual([body.error.type, body.error.code], ['rate_limit_error', 'busy'])
    assert.ok(Number(response.headers.get('retry-after')) >= 1)
    return Number(response.headers.get('retry-after-ms'))
  }
  const wait = await told()
  assert.ok(wait > 0)
  const again = await told()
  assert.ok(again <= wait, 'what the provider said is remembered, not asked again')

  leaving.abort()
  const client = new OpenAI({ baseURL: base, apiKey: 'any', maxRetries: 5 })
  const answer = await client.chat.completions.create({ ...ENDLESS, max_tokens: 4 })
  assert.equal(answer.usage?.completion_tokens, 4)
})
