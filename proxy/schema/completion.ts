/** Body of POST /v1/completions. */
import { CHOICES, MODEL, PROVIDER, SAMPLING_FIELDS, STOP, STREAM, STREAM_OPTIONS, TOKEN_ID } from './fields.js'
import type { Static } from './static.js'

export const COMPLETION_BODY = {
  type: 'object',
  required: ['model', 'prompt'],
  properties: {
    model: MODEL,
    // Text, texts, token ids, or lists of token ids; a list does not mix them (`dialect/prompts.ts`).
    prompt: {
      type: ['string', 'array'],
      minItems: 1,
      maxItems: 1_048_576,
      items: {
        type: ['string', 'integer', 'array'],
        minimum: TOKEN_ID.minimum,
        maximum: TOKEN_ID.maximum,
        minItems: 1,
        items: TOKEN_ID,
      },
    },
    ...SAMPLING_FIELDS,
    stop: STOP,
    n: CHOICES,
    best_of: CHOICES,
    max_tokens: { type: ['integer', 'null'], minimum: 1, maximum: 2 ** 31 - 1 },
    stream: STREAM,
    stream_options: STREAM_OPTIONS,
    echo: { type: ['boolean', 'null'] },
    // OpenAI allows 5; the sampler gives as many as 20.
    logprobs: { type: ['integer', 'null'], minimum: 0, maximum: 20 },
    suffix: { type: ['string', 'null'] },
    provider: PROVIDER,
  },
} as const

export type CompletionBody = Static<typeof COMPLETION_BODY>
