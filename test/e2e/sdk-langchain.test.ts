/** LangChain for Node against running daemons. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HumanMessage, SystemMessage } from '@langchain/core/messages'
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai'
import type { ChatOpenAIFields } from '@langchain/openai'
import { CAPITAL, SUM, sdkTarget } from '../helpers/sdk-target.js'

const target = sdkTarget()

function chat(more: ChatOpenAIFields = {}): ChatOpenAI {
  const configuration = { baseURL: target().baseURL }
  return new ChatOpenAI({ model: target().toy, apiKey: 'any', temperature: 0, configuration, ...more })
}

/** Its declared type is lost between LangChain's packages. */
function usageOf(message: object): { input_tokens: number; output_tokens: number; total_tokens: number } {
  const { usage_metadata: usage } = message as { usage_metadata?: ReturnType<typeof usageOf> }
  return usage ?? { input_tokens: 0, output_tokens: 0, total_tokens: 0 }
}

test('langchain: a whole answer with its usage', async () => {
  const message = await chat().invoke([new HumanMessage(CAPITAL.ask)])
  assert.equal(message.text, CAPITAL.answer)
  assert.equal(message.response_metadata['finish_reason'], 'stop')
  const usage = usageOf(message)
  assert.ok(usage.input_tokens > 0 && usage.output_tokens > 0)
  assert.equal(usage.total_tokens, usage.input_tokens + usage.output_tokens)
})

test('langchain: a streamed answer is the same, with its usage', async () => {
  const pieces: string[] = []
  let output = 0
  for await (const chunk of await chat().stream([new HumanMessage(CAPITAL.ask)])) {
    if (chunk.text !== '') pieces.push(chunk.text)
    output += usageOf(chunk).output_tokens
  }
  assert.equal(pieces.join(''), CAPITAL.answer)
  assert.ok(pieces.length > 3, 'more than one piece')
  assert.ok(output > 0)
})

test('langchain: a system message and a sum, whose thoughts stay out of the answer', async () => {
  const message = await chat().invoke([new SystemMessage('You are a helpful assistant.'), new HumanMessage(SUM.ask)])
  assert.match(message.text, SUM.answer)
  assert.doesNotMatch(message.text, /carry|<think>/)
})

test('langchain: a stream that is aborted midway ends on the provider too', async () => {
  const abort = new AbortController()
  const slow = chat({ model: target().slow, maxTokens: 10_000 })
  let chunks = 0
  await assert.rejects(async () => {
    for await (const chunk of await slow.stream([new HumanMessage('hello')], { signal: abort.signal })) {
      if (chunk.text === '' || ++chunks !== 3) continue
      await target().computes(true)
      abort.abort()
    }
  }, /abort/i)
  assert.ok(chunks >= 3 && chunks < 1000)
  await target().computes(false)
})

test('langchain: a wrong model is an error with its status and code', async () => {
  for (const streaming of [false, true]) {
    const wrong = chat({ model: 'no-such-model', streaming })
    await assert.rejects(wrong.invoke([new HumanMessage('x')]), (error: unknown) => {
      const { status, message } = error as { status?: number; message: string }
      assert.equal(status, 404)
      assert.match(message, /no-such-model/)
      return true
    })
  }
})

test('langchain: logprobs are in the metadata', async () => {
  const message = await chat({ logprobs: true, topLogprobs: 2 }).invoke([new HumanMessage(CAPITAL.ask)])
  const { content } = message.response_metadata['logprobs'] as {
    content: { token: string; logprob: number; top_logprobs: unknown[] }[]
  }
  assert.equal(content.map(({ token }) => token).join(''), CAPITAL.answer)
  assert.ok(content.every(({ logprob, top_logprobs }) => logprob <= 0 && top_logprobs.length === 2))
})

test('langchain: embeddings as numbers are those of its default, base64', async () => {
  const fields = { model: target().toy, apiKey: 'any', configuration: { baseURL: target().baseURL } }
  const texts = ['a swarm of bees', 'capital of Japan']
  const floats = await new OpenAIEmbeddings({ ...fields, encodingFormat: 'float' }).embedDocuments(texts)
  const decoded = await new OpenAIEmbeddings(fields).embedDocuments(texts)
  assert.equal(floats.length, 2)
  for (const [index, vector] of floats.entries()) {
    assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-3)
    assert.ok(vector.every((value, at) => Math.abs(value - (decoded[index]?.[at] ?? Number.NaN)) < 1e-6))
  }
})
