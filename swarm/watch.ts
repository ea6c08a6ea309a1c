/**
 * Looking for peers under one topic: at once, then again with growing pauses until somebody useful is there. (Hyperswarm
 * itself looks again every ten minutes, which is long for a provider that came a second too late.)
 */
import type Hyperswarm from 'hyperswarm'
import type { Discovery } from 'hyperswarm'
import safetyCatch from 'safety-catch'

/** Peers that a lookup connects to, per topic: a random handful, not all of them. */
const CANDIDATES = 8
const FIRST_PAUSE_MS = 250
const LAST_PAUSE_MS = 30_000

export class Watch {
  readonly #swarm: Hyperswarm
  readonly #discovery: Discovery
  readonly #satisfied: () => boolean
  #round: Promise<void>
  #pauseMs = FIRST_PAUSE_MS
  #timer: NodeJS.Timeout | null = null
  #server = false
  #closed = false

  constructor(swarm: Hyperswarm, topic: Uint8Array, satisfied: () => boolean) {
    this.#swarm = swarm
    this.#satisfied = satisfied
    this.#discovery = swarm.join(topic, { client: true, server: false, limit: CANDIDATES })
    this.#round = this.#settle(this.#discovery.flushed())
  }

  /** Resolves when the peers found in the round under way are connected, or were tried in vain. */
  get round(): Promise<void> {
    return this.#round
  }

  get announces(): boolean {
    return this.#server
  }

  /** Looks again now. */
  look(): Promise<void> {
    this.#round = this.#settle(this.#discovery.refresh({ client: true, server: this.#server }))
    return this.#round
  }

  /** Nobody useful is left: looks again soon, and patiently from there. */
  resume(): void {
    if (this.#closed || this.#timer) return
    this.#pauseMs = FIRST_PAUSE_MS
    this.#timer = setTimeout(() => this.#again(), this.#pauseMs)
  }

  announce(server: boolean): Promise<void> {
    this.#server = server
    return this.look()
  }

  leave(): Promise<void> {
    this.close()
    return this.#discovery.destroy()
  }

  /** Stops looking; the topic itself goes with the Hyperswarm. */
  close(): void {
    this.#closed = true
    if (this.#timer) clearTimeout(this.#timer)
  }

  async #settle(query: Promise<boolean>): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
    await query.then(noop, safetyCatch)
    if (!this.#closed) await this.#swarm.flush()
    if (this.#closed || this.#satisfied() || this.#timer) return
    this.#timer = setTimeout(() => this.#again(), this.#pauseMs)
    this.#pauseMs = Math.min(this.#pauseMs * 2, LAST_PAUSE_MS)
  }

  #again(): void {
    this.#timer = null
    if (!this.#satisfied()) this.look().catch(safetyCatch)
  }
}

function noop(): void {}
