/**
 * Vouchers of channels that the chain has closed for good are of no use any more: a channel's address is never used again.
 * What was paid stays in the record's transactions and on chain, in the provider's account and the channel's history.
 */
import b4a from 'b4a'

/** A channel that has just been closed may come back with a fork, and one that has just been opened be seen late. */
const REST_MS = 120_000
/** Vouchers of channels that never were on this chain (on credit, say) stay, and are looked at this often. */
const AGAIN_MS = 3_600_000
/** Questions to the chain in a turn. */
const MOST = 8

export interface GoneOptions {
  /** Did it exist, and is it away finally? Asks the chain. */
  readonly wasClosed: (channel: Uint8Array) => Promise<boolean>
  /** Unix milliseconds. */
  readonly now: () => number
}

export class Gone {
  readonly #options: GoneOptions
  /** By hex: when to ask next, Unix milliseconds. */
  readonly #missing = new Map<string, number>()

  constructor(options: GoneOptions) {
    this.#options = options
  }

  /** `signed`: channels that there are vouchers of; `present`: what the chain has. Throws what the chain throws. */
  async forget(
    signed: readonly Uint8Array[],
    present: readonly { readonly address: string }[],
    drop: (channel: Uint8Array) => Promise<void>,
  ): Promise<void> {
    const { addressOf } = await import('./link.js')
    const { wasClosed, now } = this.#options
    const there = new Set(present.map(({ address }) => address))
    const absent = signed.filter((channel) => !there.has(addressOf(channel)))
    const names = new Set(absent.map((channel) => b4a.toString(channel, 'hex')))
    for (const name of this.#missing.keys()) if (!names.has(name)) this.#missing.delete(name)
    const due = absent.filter((channel) => this.#isDue(b4a.toString(channel, 'hex'))).slice(0, MOST)
    for (const channel of due) {
      this.#missing.set(b4a.toString(channel, 'hex'), now() + AGAIN_MS)
      if (await wasClosed(channel)) await drop(channel)
    }
  }

  #isDue(name: string): boolean {
    const { now } = this.#options
    const at = this.#missing.get(name)
    if (at === undefined) this.#missing.set(name, now() + REST_MS)
    return at !== undefined && now() >= at
  }
}
