/** The channel on a connection over which two nodes ask each other for what they both signed. */
import { SharedChannel } from '../../ledger/store/shared-channel.js'
import type { Mux, SharedChannelOptions } from '../../ledger/store/shared-channel.js'
import type { Books } from './books.js'

/** The protomux that the swarm's session runs on; null where there is none. */
function muxOf(stream: unknown): Mux | null {
  if (typeof stream !== 'object' || stream === null || !('userData' in stream)) return null
  const { userData } = stream
  return isMux(userData) ? userData : null
}

/** The 64 bytes that name a connection to both its ends; null where there is none. */
function handshakeOf(stream: unknown): Uint8Array | null {
  if (typeof stream !== 'object' || stream === null || !('handshakeHash' in stream)) return null
  return stream.handshakeHash instanceof Uint8Array ? stream.handshakeHash : null
}

/** null: the connection carries no channels. */
export function openShared(stream: unknown, options: Omit<SharedChannelOptions, 'handshake'>): SharedChannel | null {
  const mux = muxOf(stream)
  const handshake = handshakeOf(stream)
  return mux && handshake && new SharedChannel(mux, { ...options, handshake })
}

/**
 * A log that may still be opening: the channel has to stand before it is. `since` (Unix milliseconds): nothing older is
 * told, for a node that had other keys then; null = everything.
 */
export function sharedSource(books: Pick<Books, 'store'>, since: number | null): SharedChannelOptions['source'] {
  const newer = since === null ? {} : { from: since }
  return {
    forward: async (filter, after, limit) => (await books.store()).forward({ ...filter, ...newer }, after, limit),
    find: async (id) => (await books.store()).find(id),
    get: async (position) => (await books.store()).get(position),
    ciphertext: async (entry) => (await books.store()).ciphertext(entry),
  }
}

function isMux(value: unknown): value is Mux {
  return (
    typeof value === 'object' && value !== null && 'createChannel' in value && typeof value.createChannel === 'function'
  )
}
