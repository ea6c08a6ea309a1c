/** Message 11: proof that a provider has the model file it offers. Until audits exist, challenges get `UNSUPPORTED`. */
import { message, record, union } from './codec.js'
import { bytes, fixed, uint } from './fields.js'

export const MAX_BLOCKS = 1024
export const MAX_PROOF_BYTES = 2 ** 20 - 1024

export type Challenge =
  | {
      readonly kind: 'challenge'
      readonly id: Uint8Array
      readonly modelRoot: Uint8Array
      /** Decides which blocks are asked for; from a public beacon. */
      readonly beacon: Uint8Array
      readonly blocks: number
    }
  | { readonly kind: 'proof'; readonly id: Uint8Array; readonly proof: Uint8Array }

const id = fixed(16)

export const challengeMessage = message<Challenge>(
  'challenge',
  1,
  MAX_PROOF_BYTES + 64,
  union<Challenge>('a challenge', {
    challenge: record({ id, modelRoot: fixed(32), beacon: fixed(32), blocks: uint(MAX_BLOCKS) }),
    proof: record({ id, proof: bytes(MAX_PROOF_BYTES) }),
  }),
)
