/** The Python openai package and langchain-openai against running daemons. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { finish, pythonSdk } from '../helpers/python-sdk.js'
import type { PythonSdk } from '../helpers/python-sdk.js'
import { CAPITAL, sdkTarget } from '../helpers/sdk-target.js'

interface Usage {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly total_tokens: number
}

const target = sdkTarget()
const sdk = pythonSdk()

function check(title: string, body: (run: (name: string) => Promise<unknown>, sdk: PythonSdk) => Promise<void>): void {
  test(title, { skip: typeof sdk === 'string' ? sdk : false }, async () => {
    assert.ok(typeof sdk !== 'string')
    await body((name) => sdk.run(command(name)), sdk)
  })
}

function command(name: string): object {
  const { baseURL, toy, slow } = target()
  return { name, base_url: baseURL, toy, slow, ask: CAPITAL.ask }
}

check('python openai: a whole answer with its usage', async (run) => {
  const { usage, ...rest } = (await run('openai_whole')) as { text: string; finish: string; usage: Usage }
  assert.deepEqual(rest, { text: CAPITAL.answer, finish: 'stop' })
  assert.ok(usage.prompt_tokens > 0 && usage.completion_tokens > 0)
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
})

check('python openai: a streamed answer is the same, with its usage', async (run) => {
  const { text, pieces, usage } = (await run('openai_stream')) as { text: string; pieces: number; usage: Usage }
  assert.equal(text, CAPITAL.answer)
  assert.ok(pieces > 3 && usage.completion_tokens > 0)
  assert.deepEqual(await run('openai_async_stream'), { text: CAPITAL.answer })
})

check('python openai: a stream that is closed midway ends on the provider too', async (_run, { start }) => {
  const child = start(command('openai_abort'))
  await once(child.stderr, 'data')
  await target().computes(true)
  child.stdin.write('close it\n')
  await target().computes(false)
  assert.deepEqual(await finish(child), { pieces: 3 })
})

check('python openai: a wrong model is a NotFoundError, streamed or not', async (run) => {
  const told = (await run('openai_wrong_model')) as { message: string }[]
  assert.equal(told.length, 2)
  for (const { message, ...rest } of told) {
    assert.deepEqual(rest, { status: 404, code: 'model_not_found', param: 'model' })
    assert.match(message, /no-such-model/)
  }
})

check('python openai: embeddings as numbers are those of its default, base64', async (run) => {
  const { decoded, floats, tokens } = (await run('openai_embeddings')) as {
    decoded: number[][]
    floats: number[][]
    tokens: number
  }
  assert.ok(tokens > 0)
  assert.equal(decoded.length, 2)
  for (const [index, vector] of decoded.entries()) {
    assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-3)
    assert.ok(vector.every((value, at) => Math.abs(value - (floats[index]?.[at] ?? Number.NaN)) < 1e-6))
  }
})

check('python openai: logprobs cover the answer byte for byte', async (run) => {
  const { text, alternatives, highest } = (await run('openai_logprobs')) as {
    text: string
    alternatives: number[]
    highest: number
  }
  assert.deepEqual([text, alternatives], [CAPITAL.answer, [2]])
  assert.ok(highest <= 0)
})

check('python langchain: a whole and a streamed answer with usage', async (run) => {
  const whole = (await run('langchain_whole')) as { text: string; usage: { output_tokens: number } }
  assert.equal(whole.text, CAPITAL.answer)
  assert.ok(whole.usage.output_tokens > 0)
  const streamed = (await run('langchain_stream')) as { text: string; pieces: number; output: number }
  assert.equal(streamed.text, CAPITAL.answer)
  assert.ok(streamed.pieces > 3)
  assert.equal(streamed.output, whole.usage.output_tokens)
})

check('python langchain: a wrong model, logprobs and embeddings', async (run) => {
  assert.deepEqual(await run('langchain_wrong_model'), { status: 404, code: 'model_not_found' })
  assert.deepEqual(await run('langchain_logprobs'), { text: CAPITAL.answer })
  const { vectors } = (await run('langchain_embeddings')) as { vectors: number[][] }
  assert.equal(vectors.length, 2)
  for (const vector of vectors) assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-3)
})
