/** Body of POST /v1/embeddings. */
import { MODEL, PROVIDER, TOKEN_ID } from './fields.js'
import type { Static } from './static.js'

export const EMBEDDING_BODY = {
  type: 'object',
  required: ['model', 'input'],
  properties: {
    model: MODEL,
    input: {
      type: ['string', 'array'],
      minLength: 1,
      minItems: 1,
      maxItems: 1_048_576,
      items: {
        type: ['string', 'integer', 'array'],
        minLength: 1,
        minimum: TOKEN_ID.minimum,
        maximum: TOKEN_ID.maximum,
        minItems: 1,
        items: TOKEN_ID,
      },
    },
    encoding_format: { type: ['string', 'null'], enum: ['float', 'base64', null] },
    dimensions: { type: ['integer', 'null'], minimum: 1, maximum: 65_536 },
    provider: PROVIDER,
  },
} as const

export type EmbeddingBody = Static<typeof EMBEDDING_BODY>
