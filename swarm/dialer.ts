/** A session with one peer, by its key: the one there is, or a new one. One attempt at a time, shared by all who wait. */
import b4a from 'b4a'
import type Hyperswarm from 'hyperswarm'
import type { Admission } from './admission.js'
import { SwarmError } from './errors.js'
import type { Session } from './session/session.js'
import type { Sessions } from './sessions.js'
import { unlessAborted, within } from './waiting.js'

const DIAL_MS = 10_000

interface Dial {
  readonly session: Promise<Session>
  readonly finish: (outcome: Session | SwarmError) => void
}

export class Dialer {
  #swarm: Hyperswarm
  #sessions: Sessions
  #admission: Admission
  #dials = new Map<string, Dial>()
  #closed = false
  #onUpdate = (): void => this.#lookForFailures()

  constructor(swarm: Hyperswarm, sessions: Sessions, admission: Admission) {
    this.#swarm = swarm
    this.#sessions = sessions
    this.#admission = admission
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
    const timer = setTimeout(() => this.#fail(name, 'the provider did not answer in time'), DIAL_MS)
    const finish: Dial['finish'] = (outcome) => {
      clearTimeout(timer)
      this.#dials.delete(name)
      this.#swarm.leavePeer(key)
      settle(outcome)
    }
    const dial = { session, finish }
    this.#dials.set(name, dial)
    this.#swarm.joinPeer(key)
    return dial
  }

  #fail(name: string, message: string): void {
    this.#dials.get(name)?.finish(SwarmError.PEER_UNREACHABLE(message))
  }

  /** Hyperswarm counts an attempt when a connection has failed. */
  #lookForFailures(): void {
    for (const name of this.#dials.keys()) {
      const info = this.#swarm.peers.get(name)
      if (info && info.attempts > 0) this.#fail(name, 'the provider does not answer')
    }
  }
}

function noop(): void {}
