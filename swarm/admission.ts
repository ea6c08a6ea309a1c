/** Who may connect: the allow-list, the bans, and how many at a time. */
import b4a from 'b4a'
import type { NoiseStream, PeerInfo } from 'hyperswarm'
import { isBanned, strike, strikesOf } from './session/bans.js'
import type { Bans } from './session/bans.js'

export const MAX_CONNECTIONS = 256
/** Peers behind one address; loopback, where whole test networks live, is exempt. */
export const MAX_PER_ADDRESS = 16

export class Admission {
  #allow: ReadonlySet<string> | null
  #now: () => number
  #bans: Bans = new Map()
  #perAddress = new Map<string, number>()
  #connections = 0

  /** `allow`: node keys; null = all. */
  constructor(allow: readonly Uint8Array[] | null, now: () => number) {
    this.#allow = allow ? new Set(allow.map((key) => b4a.toString(key, 'hex'))) : null
    this.#now = now
  }

  /** By key, before anything is exchanged; asked for dialling and for being dialled. */
  refuses(key: Uint8Array): boolean {
    const name = b4a.toString(key, 'hex')
    if (this.#allow && !this.#allow.has(name)) return true
    return isBanned(this.#bans, name, this.#now())
  }

  /** Counts the connection until it closes; false when there is no room for it. */
  admit(stream: NoiseStream): boolean {
    const address = stream.rawStream?.remoteHost ?? ''
    const there = this.#perAddress.get(address) ?? 0
    if (this.#connections >= MAX_CONNECTIONS) return false
    if (there >= MAX_PER_ADDRESS && !address.startsWith('127.')) return false
    this.#connections++
    this.#perAddress.set(address, there + 1)
    stream.once('close', () => this.#leave(address))
    return true
  }

  /** Hyperswarm would remember a refusal for ever; our bans expire, and its memory of strangers shall not grow. */
  onRefused(info: PeerInfo, peers: Map<string, PeerInfo>): void {
    info.ban(false)
    if (info.shouldGC()) peers.delete(b4a.toString(info.publicKey, 'hex'))
  }

  strike(key: string): void {
    this.#bans = strike(this.#bans, key, this.#now())
  }

  strikesOf(key: string): number {
    return strikesOf(this.#bans, key, this.#now())
  }

  #leave(address: string): void {
    this.#connections--
    const left = (this.#perAddress.get(address) ?? 1) - 1
    if (left > 0) this.#perAddress.set(address, left)
    else this.#perAddress.delete(address)
  }
}
