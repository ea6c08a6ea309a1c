/** A session with one peer, by its key: the one there is, or a new one. One attempt at a time, shared by all who wait. */
import b4a from 'b4a'
import type Hyperswarm from 'hyperswarm'
import type { Admission } from './admission.js'
import { SwarmError } from './errors.js'
import type { Session } from './session/session.js'
import type { Sessions } from './sessions.js'
import { unlessAborted, within } from './waiting.js'

/** Long enough for a hole to be punched, short enough to try somebody else while a person waits. */
const DIAL_MS = 6000
/** Two nodes that dial each other at once keep one connection: ours may have failed because theirs is about to be up. */
const CROSSING_MS = 500

interface Dial {
  readonly session: Promise<Session>
  /** Our attempt came to nothing. */
  readonly failSoon: () => void
  readonly finish: (outcome: Session | SwarmError) => void
}

export class Dialer {
  #swarm: Hyperswarm
  #sessions: Sessions
  #admission: Admission
  #onFailure: (key: Uint8Array) => void
  #dials = new Map<string, Dial>()
  #closed = false
  #onUpdate = (): void => this.#lookForFailures()

  /** `onFailure`: a peer that was dialled did not answer. */
  constructor(swarm: Hyperswarm, sessions: Sessions, admission: Admission, onFailure: (key: Uint8Array) => void) {
    this.#swarm = swarm
    this.#sessions = sessions
    this.#admission = admission
    this.#onFailure = onFailure
    swarm.on('update', this.#onUpdate)
  }

  /** Throws `PEER_UNREACHABLE`, `CANCELLED`, `SWARM_CLOSED`. */
  async session(key: Uint8Array, signal: AbortSignal): Promise<Session> {
    const name = b4a.toString(key, 'hex')
    const existing = this.#sessions.get(name)
    if (existing) return existing
    if (this.#closed) throw SwarmError.SWARM_CLOSED()
    if (this.#admission.refuses(key)) {
      throw SwarmError.PEER_UNREACHABLE('this node does not connect to that provider')
    }
    // Relays engage only once the DHT is known, so an earlier dial fails where a later one succeeds.
    await unlessAborted(within(this.#swarm.dht.fullyBootstrapped(), DIAL_MS), signal)
    if (this.#closed) throw SwarmError.SWARM_CLOSED()
    const now = this.#sessions.get(name)
    if (now) return now
    const dial = this.#dials.get(name) ?? this.#start(key)
    return unlessAborted(dial.session, signal)
  }

  /** A session came up, whoever dialled. */
  connected(session: Session): void {
    this.#dials.get(session.keyHex)?.finish(session)
  }

  close(): void {
    this.#closed = true
    this.#swarm.off('update', this.#onUpdate)
    for (const dial of this.#dials.values()) dial.finish(SwarmError.SWARM_CLOSED())
  }

  #start(key: Uint8Array): Dial {
    const name = b4a.toString(key, 'hex')
    // Somebody waits: whatever patience earlier failures taught Hyperswarm does not count.
    const known = this.#swarm.peers.get(name)
    if (known) known.attempts = 0
    let settle: Dial['finish'] = noop
    const session = new Promise<Session>((resolve, reject) => {
      settle = (outcome) => (outcome instanceof SwarmError ? reject(outcome) : resolve(outcome))
    })
    // Those who waited may all have gone; then nobody is left to hear of a failure.
    session.catch(noop)
    const fail = (message: string): void => finish(SwarmError.PEER_UNREACHABLE(message))
    let timer = setTimeout(() => fail('the provider did not answer in time'), DIAL_MS)
    let failing = false
    const failSoon = (): void => {
      if (failing) return
      failing = true
      clearTimeout(timer)
      timer = setTimeout(() => fail('the provider does not answer'), CROSSING_MS)
    }
    const finish: Dial['finish'] = (outcome) => {
      clearTimeout(timer)
      this.#dials.delete(name)
      this.#swarm.leavePeer(key)
      if (outcome instanceof SwarmError && outcome.code === 'PEER_UNREACHABLE') this.#onFailure(key)
      settle(outcome)
    }
    const dial = { session, failSoon, finish }
    this.#dials.set(name, dial)
    this.#swarm.joinPeer(key)
    return dial
  }

  /** Hyperswarm counts an attempt when a connection has failed. */
  #lookForFailures(): void {
    for (const [name, dial] of this.#dials) {
      const info = this.#swarm.peers.get(name)
      if (info && info.attempts > 0) dial.failSoon()
    }
  }
}

function noop(): void {}
