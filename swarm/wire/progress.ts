/** Message 4: the lease. Sent at least every second while nothing else is; a peer silent for five is gone. */
import { message, record, union } from './codec.js'
import { fixed, uint } from './fields.js'
import { MAX_TOKENS, REQUEST_ID_BYTES } from './ask.js'
import { MAX_QUEUE } from './answer.js'

export type Progress =
  | { readonly kind: 'queued'; readonly id: Uint8Array; readonly position: number }
  | {
      readonly kind: 'prefill'
      readonly id: Uint8Array
      readonly done: number
      readonly total: number
      /** Prompt tokens reused from the provider's cache. */
      readonly cached: number
    }
  | { readonly kind: 'decoding'; readonly id: Uint8Array }

const id = fixed(REQUEST_ID_BYTES)

export const progressMessage = message<Progress>(
  'progress',
  1,
  64,
  union<Progress>('progress', {
    queued: record({ id, position: uint(MAX_QUEUE) }),
    prefill: record({ id, done: uint(MAX_TOKENS), total: uint(MAX_TOKENS), cached: uint(MAX_TOKENS) }),
    decoding: record({ id }),
  }),
)
