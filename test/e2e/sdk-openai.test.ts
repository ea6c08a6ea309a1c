/** The openai package, versions 7 and 6, against running daemons. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import OpenAI7 from 'openai'
import OpenAI6 from 'openai6'
import { CAPITAL, SUM, sdkTarget } from '../helpers/sdk-target.js'

const target = sdkTarget()

/** Version 6 is used through the types of version 7: what is used here is the same in both. */
const VERSIONS = [
  ['openai 7', OpenAI7],
  ['openai 6', OpenAI6 as unknown as typeof OpenAI7],
] as const

for (const [name, OpenAI] of VERSIONS) {
  const open = (): OpenAI7 => new OpenAI({ baseURL: target().baseURL, apiKey: 'any' })
  const capital = (): { model: string; messages: { role: 'user'; content: string }[]; temperature: number } => ({
    model: target().toy,
    messages: [{ role: 'user', content: CAPITAL.ask }],
    temperature: 0,
  })

  test(`${name}: a whole answer, its usage and its receipt`, async () => {
    const { data, response, request_id } = await open().chat.completions.create(capital()).withResponse()
    assert.equal(data.choices[0]?.message.content, CAPITAL.answer)
    assert.equal(data.choices[0]?.finish_reason, 'stop')
    assert.equal(data.model, target().toy)
    const { prompt_tokens = 0, completion_tokens = 0, total_tokens } = data.usage ?? {}
    assert.ok(prompt_tokens > 0 && completion_tokens > 0)
    assert.equal(total_tokens, prompt_tokens + completion_tokens)
    assert.match(response.headers.get('x-swarmd-provider') ?? '', /^[0-9a-f]{64}$/)
    assert.match(response.headers.get('x-swarmd-cost-lamports') ?? '', /^\d+(\.\d+)?$/)
    assert.match(request_id ?? '', /^req_/)
  })

  test(`${name}: a streamed answer is the same, piece by piece, with usage when asked`, async () => {
    const stream = await open().chat.completions.create({
      ...capital(),
      stream: true,
      stream_options: { include_usage: true },
    })
    const pieces: string[] = []
    let usage = 0
    let finish: string | null = null
    for await (const chunk of stream) {
      const [choice] = chunk.choices
      if (choice?.delta.content) pieces.push(choice.delta.content)
      finish = choice?.finish_reason ?? finish
      usage = chunk.usage?.completion_tokens ?? usage
    }
    assert.equal(pieces.join(''), CAPITAL.answer)
    assert.ok(pieces.length > 3, 'more than one piece')
    assert.equal(finish, 'stop')
    assert.ok(usage > 0)
  })

  test(`${name}: the stream helper puts the same message together`, async () => {
    const runner = open().chat.completions.stream(capital())
    assert.equal(await runner.finalContent(), CAPITAL.answer)
    const final = await runner.finalChatCompletion()
    assert.equal(final.choices[0]?.message.role, 'assistant')
    assert.equal(final.choices[0]?.finish_reason, 'stop')
  })

  test(`${name}: thoughts come beside the answer`, async () => {
    const ask = { ...capital(), messages: [{ role: 'user' as const, content: SUM.ask }] }
    const whole = await open().chat.completions.create(ask)
    const message = whole.choices[0]?.message as { content: string; reasoning_content?: string } | undefined
    assert.match(message?.content ?? '', SUM.answer)
    assert.ok(message?.reasoning_content)
    assert.ok((whole.usage?.completion_tokens_details?.reasoning_tokens ?? 0) > 0)
    let thoughts = ''
    let content = ''
    for await (const chunk of await open().chat.completions.create({ ...ask, stream: true })) {
      const delta = chunk.choices[0]?.delta as { content?: string; reasoning_content?: string } | undefined
      thoughts += delta?.reasoning_content ?? ''
      content += delta?.content ?? ''
    }
    assert.deepEqual([content, thoughts], [message?.content, message?.reasoning_content])
  })

  test(`${name}: a stream that is aborted midway ends on the provider too`, async () => {
    const ask = { ...capital(), model: target().slow, max_tokens: 10_000 }
    const stream = await open().chat.completions.create({ ...ask, stream: true })
    let chunks = 0
    for await (const chunk of stream) {
      assert.ok(chunk.id)
      if (++chunks === 3) {
        await target().computes(true)
        stream.controller.abort()
      }
    }
    assert.ok(chunks >= 3 && chunks < 1000)
    await target().computes(false)
  })

  test(`${name}: an answer that is aborted before it is there ends on the provider too`, async () => {
    const abort = new AbortController()
    const ask = { ...capital(), model: target().slow, max_tokens: 10_000 }
    const answer = open().chat.completions.create(ask, { signal: abort.signal })
    const rejected = assert.rejects(answer, OpenAI.APIUserAbortError)
    await target().computes(true)
    abort.abort()
    await rejected
    await target().computes(false)
  })

  test(`${name}: a wrong model is a NotFoundError, streamed or not, and is asked for once`, async () => {
    for (const stream of [false, true]) {
      let asked = 0
      const counted: typeof fetch = (input, init) => {
        asked += 1
        return fetch(input, init)
      }
      const client = new OpenAI({ baseURL: target().baseURL, apiKey: 'any', fetch: counted, maxRetries: 2 })
      const answer = client.chat.completions.create({ ...capital(), model: 'no-such-model', stream })
      await assert.rejects(answer, (error: unknown) => {
        assert.ok(error instanceof OpenAI.NotFoundError)
        assert.deepEqual([error.status, error.code, error.param], [404, 'model_not_found', 'model'])
        assert.match(error.message, /no-such-model/)
        return true
      })
      assert.equal(asked, 1)
    }
  })

  test(`${name}: what cannot be honoured is a BadRequestError that names it`, async () => {
    const tools = [{ type: 'function' as const, function: { name: 'f', parameters: {} } }]
    await assert.rejects(open().chat.completions.create({ ...capital(), tools }), (error: unknown) => {
      assert.ok(error instanceof OpenAI.BadRequestError)
      assert.deepEqual([error.param, error.code], ['tools', 'unsupported_parameter'])
      return true
    })
  })

  test(`${name}: embeddings are the same as numbers and as base64, which is the default`, async () => {
    const input = ['a swarm of bees', 'capital of Japan']
    const decoded = await open().embeddings.create({ model: target().toy, input })
    const floats = await open().embeddings.create({ model: target().toy, input, encoding_format: 'float' })
    assert.deepEqual(
      decoded.data.map(({ index }) => index),
      [0, 1],
    )
    for (const [index, { embedding }] of decoded.data.entries()) {
      assert.ok(embedding.length >= 64)
      assert.ok(Math.abs(Math.hypot(...embedding) - 1) < 1e-3, 'unit length')
      const other = floats.data[index]?.embedding ?? []
      assert.ok(embedding.every((value, at) => Math.abs(value - (other[at] ?? Number.NaN)) < 1e-6))
    }
    assert.notDeepEqual(decoded.data[0]?.embedding, decoded.data[1]?.embedding)
    assert.ok(decoded.usage.prompt_tokens > 0)
  })

  test(`${name}: logprobs cover the answer byte for byte, with as many alternatives as asked`, async () => {
    const ask = { ...capital(), logprobs: true, top_logprobs: 2 }
    const { choices } = await open().chat.completions.create(ask)
    const positions = choices[0]?.logprobs?.content ?? []
    assert.equal(Buffer.from(positions.flatMap(({ bytes }) => bytes ?? [])).toString(), CAPITAL.answer)
    for (const { logprob, top_logprobs } of positions) {
      assert.ok(logprob <= 0)
      assert.equal(top_logprobs.length, 2)
      assert.ok((top_logprobs[0]?.logprob ?? 0) >= (top_logprobs[1]?.logprob ?? 0))
    }
    const streamed: number[] = []
    for await (const chunk of await open().chat.completions.create({ ...ask, stream: true })) {
      streamed.push(...(chunk.choices[0]?.logprobs?.content ?? []).flatMap(({ bytes }) => bytes ?? []))
    }
    assert.equal(Buffer.from(streamed).toString(), CAPITAL.answer)
  })

  test(`${name}: the same seed gives the same answer, and n choices differ in seed`, async () => {
    const ask = { ...capital(), temperature: 2, seed: 7, max_tokens: 12 }
    const answer = async (n: number): Promise<{ texts: unknown[]; seeds: unknown }> => {
      const completion = await open().chat.completions.create({ ...ask, n })
      const { swarmd } = completion as unknown as { swarmd: { seeds: unknown } }
      return { texts: completion.choices.map(({ message }) => message.content), seeds: swarmd.seeds }
    }
    // One after the other: beside other streams the seedling's F16 kernels now and then part ways (docs/sampling.md).
    assert.deepEqual(await answer(1), await answer(1))
    const choices = await answer(2)
    assert.equal(choices.texts.length, 2)
    assert.deepEqual(choices.seeds, ['7', '8'])
  })

  test(`${name}: completions echo, stop and count`, async () => {
    const { choices, usage } = await open().completions.create({
      model: target().toy,
      prompt: ['The capital', 'swarmd is'],
      echo: true,
      max_tokens: 4,
      temperature: 0,
    })
    assert.deepEqual(
      choices.map(({ index }) => index),
      [0, 1],
    )
    assert.ok(choices[0]?.text.startsWith('The capital') && choices[1]?.text.startsWith('swarmd is'))
    assert.ok((usage?.completion_tokens ?? 99) <= 8)
    const stopped = await open().chat.completions.create({ ...capital(), stop: ' is' })
    assert.equal(stopped.choices[0]?.message.content, 'The capital of Japan')
    const short = await open().chat.completions.create({ ...capital(), max_completion_tokens: 2 })
    assert.deepEqual([short.choices[0]?.finish_reason, short.usage?.completion_tokens], ['length', 2])
  })

  test(`${name}: models are listed and retrieved`, async () => {
    const ids: string[] = []
    for await (const model of open().models.list()) ids.push(model.id)
    assert.deepEqual(ids.toSorted(), [target().toy, target().slow].toSorted())
    const model = await open().models.retrieve(target().toy)
    assert.equal(model.id, target().toy)
    assert.match(JSON.stringify(model), /toy/)
  })
}
