/** Message 8: the end of an answer. The stop string is the asker's own text and therefore sealed. */
import { TAG_BYTES } from '../crypto.js'
import type { AskUsage } from '../port.js'
import { MAX_STOP_BYTES } from './body.js'
import { message, record } from './codec.js'
import { bytes, fixed, oneOf, optional, string, uint } from './fields.js'
import { MAX_TOKENS, REQUEST_ID_BYTES } from './ask.js'
import { MAX_RECEIPT_BYTES } from './receipt.js'
import { MAX_SEQUENCE } from './tokens.js'

const MAX_ENDING_BYTES = MAX_STOP_BYTES + 16

export interface Done {
  readonly id: Uint8Array
  /** Counts on from the last frame: nothing can be cut off before the end unseen. */
  readonly sequence: number
  readonly finish: 'stop' | 'length'
  readonly usage: AskUsage
  /** From the ask's arrival to this message, as the provider's clock saw it. */
  readonly providerMs: number
  /** A transaction with the provider's signature; null = the provider keeps no ledger. */
  readonly receipt: Uint8Array | null
  readonly sealed: Uint8Array
}

const count = uint(MAX_TOKENS)

export const doneMessage = message<Done>(
  'done',
  1,
  MAX_RECEIPT_BYTES + MAX_ENDING_BYTES + 256,
  record<Done>({
    id: fixed(REQUEST_ID_BYTES),
    sequence: uint(MAX_SEQUENCE),
    finish: oneOf('a finish reason', ['stop', 'length'] as const),
    usage: record<AskUsage>({ prompt: count, cached: count, output: count, thought: count }),
    providerMs: uint(Number.MAX_SAFE_INTEGER),
    receipt: optional(bytes(MAX_RECEIPT_BYTES)),
    sealed: bytes(MAX_ENDING_BYTES + TAG_BYTES),
  }),
)

export interface Ending {
  readonly stopText: string | null
}

/** What is sealed inside `done`. */
export const endingMessage = message<Ending>(
  'ending',
  1,
  MAX_ENDING_BYTES,
  record<Ending>({ stopText: optional(string(MAX_STOP_BYTES)) }),
)
