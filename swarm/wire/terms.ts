/**
 * Message 13: what an admitted ask may cost, and how it is to be paid. Only for asks with a payment, once, before
 * anything is computed; the asker cancels when it does not agree.
 */
import type { AskTerms } from '../port.js'
import { MAX_TOKENS, REQUEST_ID_BYTES } from './ask.js'
import { message, record } from './codec.js'
import { fixed, u64, uint } from './fields.js'

export interface Terms extends AskTerms {
  readonly id: Uint8Array
}

export const termsMessage = message<Terms>(
  'terms',
  1,
  64,
  record<Terms>({
    id: fixed(REQUEST_ID_BYTES),
    promptTokens: uint(MAX_TOKENS),
    cachedTokens: uint(MAX_TOKENS),
    limit: u64,
    window: u64,
    ahead: u64,
  }),
)
