/** Message 0, once from each side, before anything else. */
import { message, record } from './codec.js'
import { fixed, list, setOf, string, uint } from './fields.js'

export const MAX_VERSIONS = 16
export const MAX_SOFTWARE_BYTES = 64
export const ROLES = ['consumer', 'provider'] as const
export type Role = (typeof ROLES)[number]

export interface Hello {
  /** Protocol versions spoken, ascending. The session speaks the highest that both list. */
  readonly versions: readonly number[]
  /** Name and version, for people; decides nothing. */
  readonly software: string
  /** Genesis hash of the chain, or the hash of a private network's name. */
  readonly network: Uint8Array
  readonly roles: readonly Role[]
  /** Unix milliseconds at the sender, to warn of a clock that is off. */
  readonly clock: number
}

export const helloMessage = message<Hello>(
  'hello',
  1,
  256,
  record<Hello>({
    versions: list(uint(255), MAX_VERSIONS),
    software: string(MAX_SOFTWARE_BYTES),
    network: fixed(32),
    roles: setOf('roles', ROLES),
    clock: uint(Number.MAX_SAFE_INTEGER),
  }),
)
