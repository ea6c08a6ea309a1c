/** Body of POST /v1/chat/completions, as far as it is honoured; what is refused by name is in `dialect/refusals.ts`. */
import { CHOICES, MAX_TOKENS, MODEL, PROVIDER, SAMPLING_FIELDS, STOP, STREAM, STREAM_OPTIONS } from './fields.js'
import type { Static } from './static.js'

const MESSAGE = {
  type: 'object',
  required: ['role'],
  properties: {
    role: { type: 'string', enum: ['system', 'developer', 'user', 'assistant', 'tool', 'function'] },
    content: {
      type: ['string', 'array', 'null'],
      items: {
        type: 'object',
        required: ['type'],
        properties: { type: { type: 'string' }, text: { type: 'string' }, refusal: { type: 'string' } },
      },
    },
    name: { type: ['string', 'null'], maxLength: 256 },
    tool_calls: { type: ['array', 'null'] },
    function_call: { type: ['object', 'null'] },
    audio: { type: ['object', 'null'] },
  },
} as const

export const CHAT_BODY = {
  type: 'object',
  required: ['model', 'messages'],
  properties: {
    model: MODEL,
    messages: { type: 'array', minItems: 1, maxItems: 65_536, items: MESSAGE },
    ...SAMPLING_FIELDS,
    stop: STOP,
    n: CHOICES,
    max_tokens: MAX_TOKENS,
    max_completion_tokens: MAX_TOKENS,
    stream: STREAM,
    stream_options: STREAM_OPTIONS,
    logprobs: { type: ['boolean', 'null'] },
    top_logprobs: { type: ['integer', 'null'], minimum: 0, maximum: 20 },
    provider: PROVIDER,
  },
} as const

export type ChatBody = Static<typeof CHAT_BODY>
export type ChatMessage = Static<typeof MESSAGE>
