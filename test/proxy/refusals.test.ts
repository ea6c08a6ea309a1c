import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertError, openProxy, post } from '../helpers/http.js'

const HELLO = { model: 'toy', messages: [{ role: 'user', content: 'hi' }] }

test('the fields that cannot be honoured are refused by name', async (t) => {
  const { base, backend } = await openProxy(t)
  const tool = { type: 'function', function: { name: 'f' } }
  const user = (content: unknown): object => ({ messages: [{ role: 'user', content }] })
  const refused: readonly (readonly [string, object])[] = [
    ['tools', { tools: [tool] }],
    ['tool_choice', { tool_choice: 'auto' }],
    ['tool_choice', { tool_choice: { type: 'function', function: { name: 'f' } } }],
    ['functions', { functions: [{ name: 'f' }] }],
    ['function_call', { function_call: 'auto' }],
    ['response_format', { response_format: { type: 'json_object' } }],
    ['response_format', { response_format: { type: 'json_schema', json_schema: {} } }],
    ['response_format', { response_format: 'json' }],
    ['audio', { audio: { voice: 'alloy', format: 'wav' } }],
    ['modalities', { modalities: ['text', 'audio'] }],
    ['web_search_options', { web_search_options: {} }],
    ['reasoning_effort', { reasoning_effort: 'high' }],
    ['verbosity', { verbosity: 'low' }],
    ['messages[0].content[0]', user([{ type: 'image_url', image_url: { url: 'data:' } }])],
    ['messages[0].content[1]', user([{ type: 'text', text: 'a' }, { type: 'input_audio' }])],
    ['messages[0].content[0]', user([{ type: 'file' }])],
    ['messages[0].role', { messages: [{ role: 'tool', content: 'x', tool_call_id: '1' }] }],
    ['messages[0].tool_calls', { messages: [{ role: 'assistant', content: null, tool_calls: [tool] }] }],
    ['provider.quantizations', { provider: { quantizations: ['fp8'] } }],
    ['provider.zdr', { provider: { zdr: true } }],
  ]
  for (const [param, more] of refused) {
    const answer = await post(`${base}/chat/completions`, { ...HELLO, ...more })
    assertError(answer, 400, 'invalid_request_error', 'unsupported_parameter', param)
    assert.match(answer.text, new RegExp(param.replaceAll(/[[\].]/g, '\\$&')))
    assert.equal(answer.headers.get('x-should-retry'), 'false')
  }
  assert.equal(backend.asked.length, 0)
})

test('the same fields pass when they ask for nothing', async (t) => {
  const { base } = await openProxy(t)
  const body = {
    ...HELLO,
    tools: [],
    tool_choice: 'none',
    functions: [],
    function_call: 'none',
    response_format: { type: 'text' },
    modalities: ['text'],
    audio: null,
    reasoning_effort: 'medium',
    service_tier: 'flex',
    store: true,
    metadata: { a: 'b' },
    parallel_tool_calls: true,
  }
  assert.equal((await post(`${base}/chat/completions`, body)).status, 200)
})

test('a value out of range, of the wrong type or missing is refused by its name', async (t) => {
  const { base, backend } = await openProxy(t)
  const refused: readonly (readonly [string, string, object])[] = [
    ['invalid_value', 'temperature', { temperature: 2.001 }],
    ['invalid_value', 'temperature', { temperature: -0.1 }],
    ['invalid_type', 'temperature', { temperature: '0.5' }],
    ['invalid_value', 'top_p', { top_p: 1.1 }],
    ['invalid_value', 'min_p', { min_p: -1 }],
    ['invalid_value', 'presence_penalty', { presence_penalty: 2.5 }],
    ['invalid_value', 'frequency_penalty', { frequency_penalty: -2.5 }],
    ['invalid_value', 'repetition_penalty', { repetition_penalty: 0 }],
    ['invalid_type', 'seed', { seed: 1.5 }],
    ['invalid_value', 'seed', { seed: 1e30 }],
    ['invalid_value', 'n', { n: 0 }],
    ['invalid_value', 'n', { n: 17 }],
    ['invalid_value', 'max_tokens', { max_tokens: 0 }],
    ['invalid_type', 'max_completion_tokens', { max_completion_tokens: 'many' }],
    ['invalid_value', 'stop', { stop: '' }],
    ['invalid_value', 'stop', { stop: Array.from({ length: 17 }, (_, index) => `${index}`) }],
    ['invalid_type', 'stop[0]', { stop: [1] }],
    ['invalid_type', 'logprobs', { logprobs: 3 }],
    ['invalid_value', 'top_logprobs', { top_logprobs: 3 }],
    ['invalid_value', 'top_logprobs', { logprobs: true, top_logprobs: 21 }],
    ['invalid_value', 'logit_bias[5]', { logit_bias: { '5': 101 } }],
    ['invalid_type', 'logit_bias[5]', { logit_bias: { '5': 'x' } }],
    ['invalid_value', 'logit_bias', { logit_bias: { hello: 1 } }],
    ['invalid_type', 'stream', { stream: 'yes' }],
    ['missing_required_parameter', 'model', { model: undefined }],
    ['invalid_value', 'model', { model: '' }],
    ['missing_required_parameter', 'messages', { messages: undefined }],
    ['invalid_value', 'messages', { messages: [] }],
    ['invalid_type', 'messages', { messages: 'hi' }],
    ['invalid_type', 'messages[0]', { messages: ['hi'] }],
    ['missing_required_parameter', 'messages[0].role', { messages: [{ content: 'x' }] }],
    ['invalid_value', 'messages[0].role', { messages: [{ role: 'king', content: 'x' }] }],
    ['missing_required_parameter', 'messages[1].content', { messages: [...HELLO.messages, { role: 'user' }] }],
    [
      'missing_required_parameter',
      'messages[0].content[0].text',
      { messages: [{ role: 'user', content: [{ type: 'text' }] }] },
    ],
    ['invalid_value', 'provider.only', { provider: { only: ['nobody'] } }],
    ['invalid_value', 'provider.sort', { provider: { sort: 'beauty' } }],
    ['invalid_value', 'provider.max_price.prompt', { provider: { max_price: { prompt: 'cheap' } } }],
  ]
  for (const [code, param, more] of refused) {
    const answer = await post(`${base}/chat/completions`, { ...HELLO, ...more })
    assertError(answer, 400, 'invalid_request_error', code, param)
  }
  assert.equal(backend.asked.length, 0)
})

test('routing wishes come from the body, from headers, and the body goes first', async (t) => {
  const { base, backend } = await openProxy(t)
  const [a, b] = ['aa'.repeat(32), 'bb'.repeat(32)]
  const provider = {
    order: [a.toUpperCase()],
    only: [a, 'local'],
    ignore: [b],
    sort: 'price',
    max_price: { prompt: 20_000, completion: '60000.9' },
    allow_fallbacks: false,
  }
  const headers = { 'x-swarmd-order': `${b}, ${a}`, 'x-swarmd-sort': 'latency', 'x-swarmd-deadline-ms': '5000' }
  await post(`${base}/chat/completions`, { ...HELLO, provider }, headers)
  await post(`${base}/chat/completions`, HELLO, {
    ...headers,
    'x-swarmd-max-price-completion': '7',
    'x-swarmd-allow-fallbacks': 'false',
  })
  assert.deepEqual(backend.asked[0]?.routing, {
    order: [a],
    only: [a, 'local'],
    ignore: [b],
    sort: 'price',
    maxPrice: { input: 20_000n, output: 60_000n },
    allowFallbacks: false,
    deadlineMs: 5000,
  })
  assert.deepEqual(backend.asked[1]?.routing, {
    order: [b, a],
    only: null,
    ignore: [],
    sort: 'latency',
    maxPrice: { input: null, output: 7n },
    allowFallbacks: false,
    deadlineMs: 5000,
  })
  const bad = {
    'x-swarmd-sort': 'x',
    'x-swarmd-only': 'me',
    'x-swarmd-deadline-ms': '0',
    'x-swarmd-allow-fallbacks': '1',
  }
  for (const [name, value] of Object.entries(bad)) {
    const answer = await post(`${base}/chat/completions`, HELLO, { [name]: value })
    assertError(answer, 400, 'invalid_request_error', 'invalid_value', name)
  }
})

test('wishes about money come from the body or from headers, and are checked', async (t) => {
  const { base, backend } = await openProxy(t)
  const provider = { pay: 'order', max_cost: '18446744073709551615', order_deadline: 600, min_reputation: 7 }
  const headers = { 'x-swarmd-pay': 'channel', 'x-swarmd-max-cost': '5', 'x-swarmd-order-deadline': '61' }
  await post(`${base}/chat/completions`, { ...HELLO, provider }, headers)
  await post(`${base}/chat/completions`, HELLO, headers)
  await post(`${base}/chat/completions`, HELLO, { 'x-swarmd-sort': 'price' })
  assert.deepEqual(
    backend.asked.map(({ routing }) => routing.pay),
    [
      { by: 'order', maxCost: 2n ** 64n - 1n, deadlineSeconds: 600, minReputation: 7n },
      { by: 'channel', maxCost: 5n, deadlineSeconds: 61, minReputation: null },
      undefined,
    ],
  )
  const bad = { pay: 'cash', 'max-cost': '-1', 'order-deadline': '59', 'min-reputation': '1.5' }
  for (const [name, value] of Object.entries(bad)) {
    const answer = await post(`${base}/chat/completions`, HELLO, { [`x-swarmd-${name}`]: value })
    assertError(answer, 400, 'invalid_request_error', 'invalid_value', `x-swarmd-${name}`)
  }
  for (const wrong of [{ pay: 'cash' }, { max_cost: 2 ** 70 }, { order_deadline: 5 }, { min_reputation: 'much' }]) {
    const answer = await post(`${base}/chat/completions`, { ...HELLO, provider: wrong })
    assertError(answer, 400, 'invalid_request_error', 'invalid_value', `provider.${Object.keys(wrong)[0] ?? ''}`)
  }
})
