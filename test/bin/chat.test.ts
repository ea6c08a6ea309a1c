import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { askChat } from '../../bin/chat-client.js'
import type { ChatEvent } from '../../bin/chat-client.js'
import { AnswerPrinter } from '../../bin/chat-printer.js'
import { converse } from '../../bin/chat-session.js'
import { CliHome } from '../helpers/cli.js'
import { fakeIo } from '../helpers/fake-io.js'
import { chunk, LAST, scriptedApi } from '../helpers/scripted-api.js'

const NEVER = new AbortController().signal
const QUESTION = { model: 'm', messages: [{ role: 'user' as const, content: 'hi' }], maxTokens: null }
const SESSION = { model: 'm:q8', system: null, maxTokens: null, thoughts: true }

test('an answer is put together from its chunks, however they are cut', async (t) => {
  const stream = `: queued, position 1\n\n${chunk({ role: 'assistant', content: '' })}${chunk({ reasoning_content: 'hm ä' })}${chunk({ content: 'he' })}${chunk({ content: 'llo ✓' })}${chunk({}, 'stop')}${LAST}`
  const bytes = Buffer.from(stream)
  let cuts: readonly number[] = []
  const { baseUrl, requests } = await scriptedApi(t, (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    let at = 0
    for (const cut of [...cuts, bytes.length]) {
      response.write(bytes.subarray(at, at + cut))
      at += cut
    }
    response.end()
  })
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 8 }), async (drawn) => {
      cuts = drawn
      const events: ChatEvent[] = []
      const answer = await askChat({ baseUrl, key: 'k' }, { ...QUESTION, maxTokens: 5 }, NEVER, (event) =>
        events.push(event),
      )
      assert.deepEqual([answer.text, answer.thoughts, answer.finish, answer.model], ['hello ✓', 'hm ä', 'stop', 'm:q8'])
      assert.equal(answer.usage?.completion_tokens, 2)
      assert.deepEqual(events[0], { type: 'waiting', what: 'queued, position 1' })
    }),
    { numRuns: 10 },
  )
  assert.equal(requests[0]?.authorization, 'Bearer k')
  assert.equal(requests[0]?.body['max_completion_tokens'], 5)
})

test('a refusal is told in the words of the API, before the stream and within it', async (t) => {
  let status = 404
  const { baseUrl } = await scriptedApi(t, (response) => {
    if (status === 200)
      return void response.end(`${chunk({ content: 'he' })}data: {"error":{"message":"The provider is gone."}}\n\n`)
    response.writeHead(status, { 'content-type': 'application/json' })
    return void response.end(status === 404 ? '{"error":{"message":"No model m; near: n"}}' : '<html>')
  })
  const ask = (): Promise<unknown> => askChat({ baseUrl, key: null }, QUESTION, NEVER, () => undefined)
  await assert.rejects(ask(), { code: 'CHAT_FAILED', message: 'No model m; near: n' })
  status = 502
  await assert.rejects(ask(), { code: 'CHAT_FAILED', message: 'The API answered with status 502.' })
  status = 200
  await assert.rejects(ask(), { code: 'CHAT_FAILED', message: 'The provider is gone.' })
  await assert.rejects(
    askChat({ baseUrl: 'http://127.0.0.1:1/v1', key: null }, QUESTION, NEVER, () => undefined),
    { code: 'NOT_RUNNING' },
  )
})

test('thoughts are dimmed and set apart; waiting disappears', () => {
  const io = fakeIo({ tty: true })
  const printer = new AnswerPrinter(io, { thoughts: true, silent: false })
  printer.show({ type: 'waiting', what: 'prefill 5/10' })
  for (const text of ['\n', 'think', 'ing\n']) printer.show({ type: 'thought', text })
  for (const text of ['\n\n', 'the ', 'answer']) printer.show({ type: 'text', text })
  printer.end(null)
  assert.equal(io.written(), '<… prefill 5/10>\r\u001b[K<think><ing\n>\nthe answer\n')
})

test('thoughts can be left out, and nothing at all is written under --json', () => {
  const io = fakeIo()
  const printer = new AnswerPrinter(io, { thoughts: false, silent: false })
  printer.show({ type: 'thought', text: 'secret' })
  printer.show({ type: 'text', text: 'said' })
  const silent = new AnswerPrinter(io, { thoughts: true, silent: true })
  silent.show({ type: 'text', text: 'nothing' })
  printer.end(null)
  assert.equal(io.written(), 'said\n')
})

test('a conversation remembers what was said, /new forgets it, /exit leaves', async (t) => {
  const api = await scriptedApi(
    t,
    (response) => void response.end(`${chunk({ content: `answer ${api.requests.length}` })}${LAST}`),
  )
  const io = fakeIo({ tty: true })
  const over = converse(io, { ...SESSION, endpoint: { baseUrl: api.baseUrl, key: null }, system: 'be brief' })
  io.typed.write('one\n')
  let at = await io.saw('2 tokens · first after 12 ms · by abababab… · 0.5 lamports')
  io.typed.write('two\n')
  at = await io.saw('2 tokens', at)
  io.typed.write('/new\nthree\n')
  at = await io.saw('2 tokens', at)
  io.typed.write('/exit\n')
  assert.equal(await over, 0)
  const said = api.requests.map(({ body }) =>
    (body['messages'] as readonly { readonly content: string }[]).map(({ content }) => content),
  )
  assert.deepEqual(said, [
    ['be brief', 'one'],
    ['be brief', 'one', 'answer 1', 'two'],
    ['be brief', 'three'],
  ])
})

test('Ctrl-C cancels the answer that streams, and the conversation goes on without it', async (t) => {
  const api = await scriptedApi(t, (response) => {
    if (api.requests.length > 1) return void response.end(`${chunk({ content: 'done' })}${LAST}`)
    return void response.write(chunk({ content: 'a long ' }))
  })
  const io = fakeIo({ tty: true })
  const over = converse(io, { ...SESSION, endpoint: { baseUrl: api.baseUrl, key: null } })
  io.typed.write('one\n')
  await io.saw('a long ')
  io.typed.write('\u0003')
  const at = await io.saw('(cancelled)')
  await api.requests[0]?.gone
  io.typed.write('two\n')
  await io.saw('2 tokens', at)
  io.typed.end('/exit\n')
  assert.equal(await over, 0)
  assert.deepEqual(api.requests[1]?.body['messages'], [{ role: 'user', content: 'two' }])
})

test('at the prompt Ctrl-C twice leaves, and so does the end of the input', async () => {
  const endpoint = { baseUrl: 'http://127.0.0.1:1/v1', key: null }
  const twice = fakeIo({ tty: true })
  const left = converse(twice, { ...SESSION, endpoint })
  await twice.saw('›')
  twice.typed.write('\u0003')
  const at = await twice.saw('once more leaves')
  await twice.saw('›', at)
  twice.typed.write('\u0003')
  assert.equal(await left, 0)
  const ended = fakeIo({ tty: true })
  const over = converse(ended, { ...SESSION, endpoint })
  ended.typed.end()
  assert.equal(await over, 0)
})

test('one question, as an argument or piped in, is answered by the running daemon', async (t) => {
  const home = new CliHome(t)
  const node = home.start(['serve', 'mock', '--network', 'test', '--offline', '--port', '0'], {
    SWARMD_API_KEY: 'a-secret-key',
  })
  await node.event('ready')
  const env = { SWARMD_API_KEY: 'a-secret-key' }
  const asked = await home.run(['chat', 'Why is the sky blue?', '--max-tokens', '4'], { env })
  assert.equal(asked.code, 0, asked.stderr)
  assert.ok(asked.stdout.trim().length > 0)
  const piped = await home.run(['chat', '--json'], { env, input: 'Why?\n' })
  const answer = JSON.parse(piped.stdout) as Record<string, unknown>
  assert.deepEqual(Object.keys(answer), ['model', 'answer', 'thoughts', 'finish', 'usage', 'swarmd'])
  assert.match(String(answer['model']), /mock/)

  const { baseUrl } = { baseUrl: String((await node.event('listening'))['apiUrl']) }
  const byPort = await home.run(
    ['chat', '-m', String(answer['model']), 'Why?', '--port', new URL(baseUrl).port, '--data', 'elsewhere'],
    { env },
  )
  assert.equal(byPort.code, 0, byPort.stderr)

  const wrongKey = await home.run(['chat', 'Why is it so?'], { env: { SWARMD_API_KEY: 'another-key' } })
  assert.equal(wrongKey.code, 1)
  const wrongModel = await home.run(['chat', '-m', 'no-such-model', 'Why?'], { env })
  assert.equal(wrongModel.code, 1)
  assert.match(wrongModel.stderr, /no-such-model/)
  const nothing = await home.run(['chat'], { env, input: '' })
  assert.equal(nothing.code, 2)
  assert.match(nothing.stderr, /What is the question\?/)
})
