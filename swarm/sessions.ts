/** The peers this node is connected to, one session each. */
import b4a from 'b4a'
import { SwarmError } from './errors.js'
import type { Offer, PeerView } from './port.js'
import type { Session } from './session/session.js'
import { within } from './waiting.js'
import { surplus } from './warmth.js'

/** How long newcomers may take to say hello and what they offer before a lookup goes on without them. */
const SETTLE_MS = 1000

export class Sessions {
  #byKey = new Map<string, Session>()
  #waiting: (() => void)[] = []

  get size(): number {
    return this.#byKey.size
  }

  get(keyHex: string): Session | undefined {
    return this.#byKey.get(keyHex)
  }

  /** A peer that connects anew replaces its older session, which is about to close. */
  add(session: Session): void {
    this.#byKey.set(session.keyHex, session)
  }

  remove(session: Session): void {
    if (this.#byKey.get(session.keyHex) === session) this.#byKey.delete(session.keyHex)
    this.#wake()
  }

  /** The session's first offers have come; an empty list counts. */
  settle(session: Session): void {
    if (session.settled) return
    session.settled = true
    this.#wake()
  }

  /** Until every session has settled; bounded. */
  async settled(): Promise<void> {
    const until = Date.now() + SETTLE_MS
    for (;;) {
      const left = until - Date.now()
      if (left <= 0 || [...this.#byKey.values()].every((session) => session.settled)) return
      await within(this.#change(), left)
    }
  }

  destroy(reason: SwarmError): void {
    for (const session of this.#byKey.values()) session.destroy(reason)
    this.#wake()
  }

  /** Ends what a consumer does not need now; returns the keys. */
  cool(offers: readonly Offer[], now: number): readonly string[] {
    const models = new Map<string, string[]>()
    for (const { nodeKey, modelRoot } of offers) {
      const key = b4a.toString(nodeKey, 'hex')
      models.set(key, [...(models.get(key) ?? []), b4a.toString(modelRoot, 'hex')])
    }
    const all = [...this.#byKey.values()]
    const warmth = all.map(({ keyHex, idleSince }) => ({ key: keyHex, models: models.get(keyHex) ?? [], idleSince }))
    const cold = surplus(warmth, now)
    for (const key of cold) this.#byKey.get(key)?.destroy(SwarmError.IDLE())
    return cold
  }

  views(offers: readonly Offer[], strikesOf: (keyHex: string) => number): readonly PeerView[] {
    const counts = new Map<string, number>()
    for (const offer of offers) {
      const key = b4a.toString(offer.nodeKey, 'hex')
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    return [...this.#byKey.values()].map((session) => ({
      key: session.key,
      client: session.stream.isInitiator,
      since: session.since,
      software: session.hello?.software ?? '',
      roles: session.hello?.roles ?? [],
      offers: counts.get(session.keyHex) ?? 0,
      ...session.counters,
      bytesIn: session.stream.rawBytesRead,
      bytesOut: session.stream.rawBytesWritten,
      strikes: strikesOf(session.keyHex),
      clockSkewMs: session.clockSkewMs,
    }))
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
    })
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }
}
