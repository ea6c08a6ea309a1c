/** Message 3: whether the provider takes the request. A refusal is an answer: its code says what to do. */
import { code } from './code.js'
import { message, record, union } from './codec.js'
import { fixed, optional, string, uint } from './fields.js'
import { REQUEST_ID_BYTES } from './ask.js'

export const MAX_DETAIL_BYTES = 1024
export const MAX_RETRY_AFTER_MS = 86_400_000
export const MAX_QUEUE = 1_000_000

export type Answer =
  | { readonly kind: 'accepted'; readonly id: Uint8Array; readonly queuePosition: number }
  | {
      readonly kind: 'refused'
      readonly id: Uint8Array
      readonly code: string
      readonly retryAfterMs: number | null
      readonly detail: string
    }

const id = fixed(REQUEST_ID_BYTES)

export const answerMessage = message<Answer>(
  'answer',
  1,
  2048,
  union<Answer>('an answer', {
    accepted: record({ id, queuePosition: uint(MAX_QUEUE) }),
    refused: record({
      id,
      code,
      retryAfterMs: optional(uint(MAX_RETRY_AFTER_MS)),
      detail: string(MAX_DETAIL_BYTES),
    }),
  }),
)

/** Cut to what a detail may carry; three bytes per UTF-16 unit at most. */
export function shortDetail(detail: string): string {
  const most = Math.floor(MAX_DETAIL_BYTES / 3)
  return detail.length <= most ? detail : `${detail.slice(0, most - 1)}…`
}
