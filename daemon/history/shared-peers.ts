/**
 * The connected peers as keepers of what they share with this node: asked for the transactions that this log has lost.
 */
import type { LedgerStore } from '../../ledger/store/store.js'
import type { SharedChannel } from '../../ledger/store/shared-channel.js'
import type { Copies } from './restore.js'

export class SharedPeers implements Copies {
  readonly #channels = new Set<Pick<SharedChannel, 'ask' | 'close' | 'closed'>>()

  /** A channel to a peer; forgotten once it has closed. */
  add(channel: Pick<SharedChannel, 'ask' | 'close' | 'closed'>): void {
    for (const old of this.#channels) if (old.closed) this.#channels.delete(old)
    this.#channels.add(channel)
  }

  /** Asks every connected peer for everything, and takes back what this log has not. A peer that lies is left out. */
  async recover(
    store: LedgerStore,
    signal: AbortSignal,
    tell: (done: number, total: number) => void,
  ): Promise<{ readonly peers: number; readonly adopted: number }> {
    let adopted = 0
    let asked = 0
    let peers = 0
    for (const channel of this.#channels) {
      if (channel.closed) continue
      try {
        for (let before: number | null = null; ;) {
          signal.throwIfAborted()
          const part = await channel.ask(before)
          // Oldest first, as they happened: the log's order is the order of its days.
          for (const entry of part.entries.toReversed()) if (await store.adopt(entry)) adopted++
          tell((asked += part.entries.length), asked)
          if (part.next === null) break
          before = part.next
        }
        peers++
      } catch (error) {
        signal.throwIfAborted()
        if (isStoreFailure(error)) throw error
        channel.close()
      }
    }
    return { peers, adopted }
  }
}

/** A disk that says no is no fault of a peer. */
function isStoreFailure(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'STORE_WRITE_FAILED'
}
