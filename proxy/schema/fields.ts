/**
 * Fields that several OpenAI routes share. Every optional field takes `null` for "not given", as the SDKs send it.
 * Ranges are OpenAI's where OpenAI has the field. Unknown fields are ignored, so no schema closes its properties.
 */
export const MODEL = { type: 'string', minLength: 1, maxLength: 512 } as const

export const SAMPLING_FIELDS = {
  temperature: { type: ['number', 'null'], minimum: 0, maximum: 2 },
  top_p: { type: ['number', 'null'], minimum: 0, maximum: 1 },
  presence_penalty: { type: ['number', 'null'], minimum: -2, maximum: 2 },
  frequency_penalty: { type: ['number', 'null'], minimum: -2, maximum: 2 },
  seed: { type: ['integer', 'null'], minimum: -(2 ** 63), maximum: 2 ** 64 - 2048 },
  logit_bias: { type: ['object', 'null'], maxProperties: 1024, additionalProperties: { type: 'number' } },
  // Not OpenAI's, under the names of vLLM and llama.cpp.
  top_k: { type: ['integer', 'null'], minimum: -1 },
  min_p: { type: ['number', 'null'], minimum: 0, maximum: 1 },
  repetition_penalty: { type: ['number', 'null'], minimum: 0.001, maximum: 10 },
  repeat_penalty: { type: ['number', 'null'], minimum: 0.001, maximum: 10 },
} as const

export const STOP = {
  type: ['string', 'array', 'null'],
  minLength: 1,
  maxLength: 1024,
  maxItems: 16,
  items: { type: 'string', minLength: 1, maxLength: 1024 },
} as const

export const CHOICES = { type: ['integer', 'null'], minimum: 1, maximum: 16 } as const
export const MAX_TOKENS = { type: ['integer', 'null'], minimum: 1, maximum: 2 ** 31 - 1 } as const
export const STREAM = { type: ['boolean', 'null'] } as const
export const STREAM_OPTIONS = {
  type: ['object', 'null'],
  properties: { include_usage: { type: ['boolean', 'null'] } },
} as const
export const TOKEN_ID = { type: 'integer', minimum: 0, maximum: 2 ** 32 - 1 } as const

const NODE_KEYS = {
  type: ['array', 'null'],
  maxItems: 64,
  items: { type: 'string', minLength: 1, maxLength: 64 },
} as const
// Lamports per million tokens; OpenRouter's clients send either form.
const PRICE = { type: ['number', 'string', 'null'], minimum: 0, maxLength: 24 } as const

// A string where a number would not be exact.
const WHOLE = { type: ['integer', 'string', 'null'], minimum: 0, maxLength: 20 } as const

/** Routing wishes under OpenRouter's names. */
export const PROVIDER = {
  type: ['object', 'null'],
  properties: {
    order: NODE_KEYS,
    only: NODE_KEYS,
    ignore: NODE_KEYS,
    sort: { type: ['string', 'null'], enum: ['price', 'latency', 'throughput', null] },
    max_price: { type: ['object', 'null'], properties: { prompt: PRICE, completion: PRICE } },
    allow_fallbacks: { type: ['boolean', 'null'] },
    pay: { type: ['string', 'null'], enum: ['auto', 'channel', 'order', null] },
    max_cost: WHOLE,
    order_deadline: WHOLE,
    min_reputation: WHOLE,
  },
} as const
