/**
 * Failures of the swarm. Callers match `code`; a code is never reused or re-meant, messages may change.
 *
 * A provider's refusal keeps the provider's own code (`RefusalCode` in port.ts), its detail as the message, and its
 * retry-after.
 */
import type { RefusalCode } from './port.js'

export type SwarmErrorCode =
  // What a peer sent
  | 'BAD_MESSAGE' // cut short, trailing bytes, out of bounds, not canonical
  | 'UNKNOWN_VERSION'
  | 'UNKNOWN_TAG'
  | 'MESSAGE_TOO_LARGE'
  | 'BAD_PROTOCOL' // well-formed, but not now: out of order, over credit, twice
  | 'BAD_SEAL' // did not open under the key it should have been sealed with
  | 'NETWORK_MISMATCH'
  | 'VERSION_MISMATCH'
  | 'HELLO_TIMEOUT'
  | 'IDLE' // no offence: the session is not needed now
  | 'FLOODED' // over a rate limit for so long that it is no accident
  | 'REFUSED' // a refusal whose code this version does not know
  // What became of an ask
  | 'PEER_UNREACHABLE'
  | 'PEER_LOST'
  | 'CANCELLED'
  | 'CONSUMER_STALLED'
  | 'SWARM_CLOSED'
  // What the caller passed
  | 'OUT_OF_BOUNDS'
  | 'CANNOT_SERVE'
  | 'CANNOT_BIND'
  | RefusalCode

export class SwarmError extends Error {
  readonly code: SwarmErrorCode
  /** Milliseconds after which another try may help; null = unknown. */
  readonly retryAfterMs: number | null

  private constructor(code: SwarmErrorCode, message: string, retryAfterMs: number | null = null) {
    super(message)
    this.name = 'SwarmError'
    this.code = code
    this.retryAfterMs = retryAfterMs
  }

  static BAD_MESSAGE(message: string): SwarmError {
    return new SwarmError('BAD_MESSAGE', message)
  }

  static UNKNOWN_VERSION(what: string, version: number): SwarmError {
    return new SwarmError('UNKNOWN_VERSION', `${what} has version ${version}, which this node does not speak`)
  }

  static UNKNOWN_TAG(what: string, tag: number): SwarmError {
    return new SwarmError('UNKNOWN_TAG', `${what} has tag ${tag}, which this node does not know`)
  }

  static MESSAGE_TOO_LARGE(what: string, bytes: number, limit: number): SwarmError {
    return new SwarmError('MESSAGE_TOO_LARGE', `${what} has ${bytes} bytes, at most ${limit} are allowed`)
  }

  static BAD_PROTOCOL(message: string): SwarmError {
    return new SwarmError('BAD_PROTOCOL', message)
  }

  static BAD_SEAL(what: string): SwarmError {
    return new SwarmError('BAD_SEAL', `${what} does not open under its key`)
  }

  static NETWORK_MISMATCH(): SwarmError {
    return new SwarmError('NETWORK_MISMATCH', 'the peer is on another network')
  }

  static VERSION_MISMATCH(): SwarmError {
    return new SwarmError('VERSION_MISMATCH', 'the peer speaks no protocol version that this node speaks')
  }

  static HELLO_TIMEOUT(): SwarmError {
    return new SwarmError('HELLO_TIMEOUT', 'the peer connected and never said hello')
  }

  static IDLE(): SwarmError {
    return new SwarmError('IDLE', 'the session has not been used for a while')
  }

  static FLOODED(what: string): SwarmError {
    return new SwarmError('FLOODED', `too many ${what} from this peer`)
  }

  static PEER_UNREACHABLE(message: string): SwarmError {
    return new SwarmError('PEER_UNREACHABLE', message)
  }

  static PEER_LOST(message: string): SwarmError {
    return new SwarmError('PEER_LOST', message)
  }

  static CANCELLED(message = 'the request was cancelled'): SwarmError {
    return new SwarmError('CANCELLED', message)
  }

  static CONSUMER_STALLED(seconds: number): SwarmError {
    return new SwarmError('CONSUMER_STALLED', `the asking peer took nothing for ${seconds} s`)
  }

  static DEADLINE_EXCEEDED(ms: number): SwarmError {
    return new SwarmError('DEADLINE_EXCEEDED', `the request's deadline of ${ms} ms passed`)
  }

  static SWARM_CLOSED(): SwarmError {
    return new SwarmError('SWARM_CLOSED', 'the swarm is closed')
  }

  static OUT_OF_BOUNDS(message: string): SwarmError {
    return new SwarmError('OUT_OF_BOUNDS', message)
  }

  static CANNOT_SERVE(message: string): SwarmError {
    return new SwarmError('CANNOT_SERVE', message)
  }

  static CANNOT_BIND(message: string): SwarmError {
    return new SwarmError('CANNOT_BIND', message)
  }

  /** A peer's refusal or failure of an ask. An unknown code becomes `REFUSED`, with the code in the message. */
  static refused(code: string, detail: string, retryAfterMs: number | null = null): SwarmError {
    const known = asRefusalCode(code)
    if (known === null) return new SwarmError('REFUSED', `${code}: ${detail}`, retryAfterMs)
    return new SwarmError(known, detail === '' ? known : detail, retryAfterMs)
  }
}

const REFUSALS: Readonly<Record<RefusalCode, true>> = {
  BUSY: true,
  RATE_LIMITED: true,
  OFFER_UNKNOWN: true,
  MODEL_UNLOADING: true,
  PAYMENT_REQUIRED: true,
  COST_LIMIT: true,
  BANNED: true,
  CONTEXT_LENGTH_EXCEEDED: true,
  BAD_REQUEST: true,
  UNSUPPORTED: true,
  DEADLINE_EXCEEDED: true,
  ENGINE_FAILED: true,
}

function asRefusalCode(code: string): RefusalCode | null {
  return Object.hasOwn(REFUSALS, code) ? (code as RefusalCode) : null
}
