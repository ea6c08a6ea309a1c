/**
 * The connected peers as keepers of what they share with this node: asked for the transactions that this log has lost, under
 * the key of this run and under those of all earlier ones.
 */
import type { KeyPair } from '../../ledger/crypto.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import type { SharedChannel } from '../../ledger/store/shared-channel.js'
import type { SharedEntry } from '../../ledger/store/shared.js'
import type { Copies, Recovered, RecoverOptions } from './restore.js'

/** Keys of one claim, and transactions of one append. */
const GROUP = 128
/** Peers asked side by side: each has a part in memory. */
const PEERS = 16
/** Records that a peer alone has signed and nothing proves: an honest one has few, a liar could make them for ever. */
const MAX_UNPROVEN = 4096

export interface SharedPeer {
  /** Hexadecimal. */
  readonly key: string
  readonly channel: Pick<SharedChannel, 'ask' | 'claim' | 'close' | 'closed'>
}

export interface SharedPeersOptions {
  /** Keys that this node can have had on earlier connections, the newest first. */
  readonly earlier: () => Iterable<KeyPair>
  /** A peer told what is not so. */
  readonly onLie: (peer: string, what: string) => void
}

export class SharedPeers implements Copies {
  readonly #options: SharedPeersOptions
  readonly #peers = new Set<SharedPeer>()

  constructor(options: SharedPeersOptions) {
    this.#options = options
  }

  /** A channel to a peer; forgotten once it has closed. */
  add(peer: SharedPeer): void {
    for (const old of this.#peers) if (old.channel.closed) this.#peers.delete(old)
    this.#peers.add(peer)
  }

  /** Oldest first over all peers, as it happened: the log's order is the order of its days. A peer that lies is left out. */
  async recover(store: Pick<LedgerStore, 'adopt'>, options: RecoverOptions): Promise<Recovered> {
    const asked = [...this.#peers].filter(
      ({ key, channel }) => !channel.closed && (options.peer === null || key.startsWith(options.peer)),
    )
    const so = { peers: 0, seen: 0, adopted: 0, unproven: 0 }
    for (let at = 0; at < asked.length; at += PEERS) {
      const readings = asked.slice(at, at + PEERS).map((peer) => new Reading(peer, options, this.#options))
      let group: SharedEntry[] = []
      for await (const entry of merged(readings)) {
        group.push(entry)
        if (group.length < GROUP) continue
        so.adopted += await store.adopt(group)
        options.tell((so.seen += group.length), so.seen)
        group = []
      }
      so.adopted += await store.adopt(group)
      so.seen += group.length
      so.peers += readings.filter(({ failed }) => !failed).length
      so.unproven += readings.reduce((sum, { unproven }) => sum + unproven, 0)
    }
    return so
  }
}

/** One peer's part, key by key: runs follow one another, so the keys' order is that of the days. */
class Reading {
  failed = false
  unproven = 0
  readonly #peer: SharedPeer
  readonly #options: RecoverOptions
  readonly #own: SharedPeersOptions

  constructor(peer: SharedPeer, options: RecoverOptions, own: SharedPeersOptions) {
    this.#peer = peer
    this.#options = options
    this.#own = own
  }

  /** Ends early, and says so, where the peer cannot be asked any more or lies. */
  async *entries(): AsyncGenerator<SharedEntry> {
    const { channel, key } = this.#peer
    const { signal } = this.#options
    try {
      for (const whose of [...(await this.#keys()), null]) yield* this.#under(whose)
    } catch (error) {
      signal.throwIfAborted()
      this.failed = true
      channel.close()
      const lost = error instanceof Error && 'code' in error && error.code === 'STORE_CLOSED'
      if (!lost) this.#own.onLie(key, error instanceof Error ? error.message : String(error))
    }
  }

  /** The peer knows these of ours; the oldest first. */
  async #keys(): Promise<Uint8Array[]> {
    const { signal, tell } = this.#options
    const held: Uint8Array[] = []
    let group: KeyPair[] = []
    let asked = 0
    const claim = async (): Promise<void> => {
      signal.throwIfAborted()
      if (group.length > 0) held.push(...(await this.#peer.channel.claim(group)).map(({ publicKey }) => publicKey))
      tell((asked += group.length), asked, 'asked under earlier keys')
      group = []
    }
    for (const pair of this.#own.earlier()) if (group.push(pair) === GROUP) await claim()
    await claim()
    return held.reverse()
  }

  async *#under(whose: Uint8Array | null): AsyncGenerator<SharedEntry> {
    const places = new Set<string>()
    for (let after: Uint8Array | null = null; ;) {
      this.#options.signal.throwIfAborted()
      const part = await this.#peer.channel.ask({ whose, after })
      for (const entry of part.entries) {
        if (this.#options.isProven(entry)) yield entry
        else if (++this.unproven > MAX_UNPROVEN) throw new Error('it told of too much that it alone had signed')
      }
      const last = part.entries.at(-1)
      if (!last || !part.more) return
      after = last.transaction.statement.id
      const place = Buffer.from(after).toString('hex')
      if (places.has(place)) throw new Error('it told the same twice')
      places.add(place)
    }
  }
}

/** By the time of their end, as the side that answers has it. */
async function* merged(readings: readonly Reading[]): AsyncGenerator<SharedEntry> {
  const heads: { readonly next: AsyncGenerator<SharedEntry>; entry: SharedEntry }[] = []
  for (const reading of readings) {
    const next = reading.entries()
    const first = await next.next()
    if (!first.done) heads.push({ next, entry: first.value })
  }
  for (;;) {
    let oldest = heads[0]
    for (const head of heads) if (oldest && timeOf(head.entry) < timeOf(oldest.entry)) oldest = head
    if (!oldest) return
    yield oldest.entry
    const next = await oldest.next.next()
    if (next.done) heads.splice(heads.indexOf(oldest), 1)
    else oldest.entry = next.value
  }
}

function timeOf({ transaction }: SharedEntry): number {
  return transaction.statement.times.done
}
