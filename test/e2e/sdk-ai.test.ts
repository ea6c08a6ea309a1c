/** The ai package with @ai-sdk/openai-compatible against running daemons. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { APICallError, embedMany, generateText, streamText } from 'ai'
import type { EmbeddingModel, LanguageModel } from 'ai'
import { CAPITAL, SUM, sdkTarget } from '../helpers/sdk-target.js'

const target = sdkTarget()

function provider(): { chat(id: string): LanguageModel; embedding(id: string): EmbeddingModel } {
  const made = createOpenAICompatible({ name: 'swarmd', baseURL: target().baseURL, includeUsage: true })
  return { chat: (id) => made.chatModel(id), embedding: (id) => made.embeddingModel(id) }
}

test('ai: a whole answer with its usage', async () => {
  const result = await generateText({ model: provider().chat(target().toy), prompt: CAPITAL.ask, temperature: 0 })
  assert.equal(result.text, CAPITAL.answer)
  assert.equal(result.finishReason, 'stop')
  const { inputTokens = 0, outputTokens = 0, totalTokens } = result.usage
  assert.ok(inputTokens > 0 && outputTokens > 0)
  assert.equal(totalTokens, inputTokens + outputTokens)
})

test('ai: a streamed answer is the same, with its usage', async () => {
  const result = streamText({ model: provider().chat(target().toy), prompt: CAPITAL.ask, temperature: 0 })
  const pieces: string[] = []
  for await (const piece of result.textStream) pieces.push(piece)
  assert.equal(pieces.join(''), CAPITAL.answer)
  assert.ok(pieces.length > 3, 'more than one piece')
  assert.equal(await result.finishReason, 'stop')
  assert.ok(((await result.usage).outputTokens ?? 0) > 0)
})

test('ai: thoughts are the reasoning, streamed or not', async () => {
  const ask = { model: provider().chat(target().toy), prompt: SUM.ask, temperature: 0 }
  const whole = await generateText(ask)
  assert.match(whole.text, SUM.answer)
  assert.ok(whole.reasoningText)
  assert.ok((whole.usage.outputTokenDetails.reasoningTokens ?? 0) > 0)
  const streamed = streamText(ask)
  await streamed.consumeStream()
  assert.equal(await streamed.text, whole.text)
  assert.equal(await streamed.reasoningText, whole.reasoningText)
})

test('ai: a stream that is aborted midway ends on the provider too', async () => {
  const abort = new AbortController()
  const result = streamText({
    model: provider().chat(target().slow),
    prompt: 'hello',
    maxOutputTokens: 10_000,
    abortSignal: abort.signal,
    onError: () => undefined,
  })
  let pieces = 0
  let aborted = false
  for await (const part of result.stream) {
    if (part.type === 'abort') aborted = true
    if (part.type !== 'text-delta' || ++pieces !== 3) continue
    await target().computes(true)
    abort.abort()
  }
  assert.ok(aborted && pieces >= 3 && pieces < 1000)
  await target().computes(false)
})

test('ai: a wrong model is an APICallError with its status, and is not retried', async () => {
  let asked = 0
  const counted: typeof fetch = (input, init) => {
    asked += 1
    return fetch(input, init)
  }
  const made = createOpenAICompatible({ name: 'swarmd', baseURL: target().baseURL, fetch: counted })
  await assert.rejects(generateText({ model: made.chatModel('no-such-model'), prompt: 'x' }), (error: unknown) => {
    assert.ok(APICallError.isInstance(error))
    assert.equal(error.statusCode, 404)
    assert.match(error.message, /no-such-model/)
    return true
  })
  assert.equal(asked, 1)
  const streamed = streamText({ model: made.chatModel('no-such-model'), prompt: 'x', onError: () => undefined })
  const errors: unknown[] = []
  for await (const part of streamed.stream) if (part.type === 'error') errors.push(part.error)
  const [error] = errors
  assert.ok(APICallError.isInstance(error))
  assert.equal(error.statusCode, 404)
})

test('ai: embeddings of several texts, unit length, in order', async () => {
  const values = ['a swarm of bees', 'capital of Japan']
  const { embeddings, usage } = await embedMany({ model: provider().embedding(target().toy), values })
  assert.equal(embeddings.length, 2)
  for (const embedding of embeddings) assert.ok(Math.abs(Math.hypot(...embedding) - 1) < 1e-3)
  assert.notDeepEqual(embeddings[0], embeddings[1])
  assert.ok(usage.tokens > 0)
})
