/** The channel on a connection over which two nodes ask each other for what they both signed. */
import { SharedChannel } from '../../ledger/store/shared-channel.js'
import type { Mux, SharedChannelOptions } from '../../ledger/store/shared-channel.js'
import type { Books } from './books.js'

/** The protomux that the swarm's session runs on; null where there is none. */
export function muxOf(stream: unknown): Mux | null {
  if (typeof stream !== 'object' || stream === null || !('userData' in stream)) return null
  const { userData } = stream
  return isMux(userData) ? userData : null
}

export function openShared(mux: Mux, options: SharedChannelOptions): SharedChannel {
  return new SharedChannel(mux, options)
}

/** A log that may still be opening: the channel has to stand before it is. */
export function sharedSource(books: Pick<Books, 'store'>): SharedChannelOptions['source'] {
  return {
    query: async (filter, limit) => (await books.store()).query(filter, limit),
    ciphertext: async (entry) => (await books.store()).ciphertext(entry),
  }
}

function isMux(value: unknown): value is Mux {
  return (
    typeof value === 'object' && value !== null && 'createChannel' in value && typeof value.createChannel === 'function'
  )
}
