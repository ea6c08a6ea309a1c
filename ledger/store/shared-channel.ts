/**
 * The channel `swarmd/ledger/1` on a connection: answers what the peer may have, and asks for what this node wants back.
 * One question at a time each way; whoever asks faster, or says what cannot be read, loses the channel and nothing else.
 */
import safetyCatch from 'safety-catch'
import c from 'compact-encoding'
import { LedgerError } from '../errors.js'
import { assertShared, decodePart, decodeWant, encodePart, encodeWant, MAX_SHARED, partFor } from './shared.js'
import type { Part, SharedSource } from './shared.js'

const PROTOCOL = 'swarmd/ledger/1'

/** What we use of a protomux, which swarm/ owns. */
export interface Mux {
  createChannel(options: {
    readonly protocol: string
    readonly messages: readonly { readonly encoding: unknown; readonly onmessage: (message: Uint8Array) => unknown }[]
    readonly onclose: () => void
  }): MuxChannel | null
}

interface MuxChannel {
  readonly messages: readonly { send(message: Uint8Array): boolean }[]
  open(): void
  close(): void
}

export interface SharedChannelOptions {
  readonly source: SharedSource
  /** This node's key on the connection, and the peer's: both are proven by the handshake. */
  readonly own: Uint8Array
  readonly peer: Uint8Array
}

export class SharedChannel {
  readonly #options: SharedChannelOptions
  readonly #channel: MuxChannel | null
  #answering = false
  #closed = false
  #waiting: { resolve(part: Part): void; reject(error: Error): void } | null = null

  /** Both sides open it; nothing travels before somebody asks. */
  constructor(mux: Mux, options: SharedChannelOptions) {
    this.#options = options
    this.#channel = mux.createChannel({
      protocol: PROTOCOL,
      messages: [
        { encoding: c.buffer, onmessage: (message) => this.#answer(message).catch(safetyCatch) },
        { encoding: c.buffer, onmessage: (message) => this.#take(message) },
      ],
      onclose: () => this.#end(),
    })
    this.#closed = this.#channel === null
    this.#channel?.open()
  }

  /** Nothing can be asked any more. */
  get closed(): boolean {
    return this.#closed
  }

  /**
   * The newest transactions with this peer, as the peer keeps them, before a place in its log. Every entry is checked.
   * Throws `STORE_CLOSED` when the channel ends first, and what `assertShared` throws.
   */
  async ask(before: number | null, most = MAX_SHARED): Promise<Part> {
    if (this.#closed || this.#waiting) throw LedgerError.STORE_CLOSED('the channel to the other log, or it is busy,')
    const answer = new Promise<Part>((resolve, reject) => (this.#waiting = { resolve, reject }))
    this.#channel?.messages[0]?.send(encodeWant({ before, most }))
    const part = await answer
    const { own, peer } = this.#options
    for (const entry of part.entries) assertShared(entry, own, peer)
    // An answer that does not come nearer to the end would be asked for for ever.
    if (part.next !== null && before !== null && part.next >= before)
      throw LedgerError.BAD_ENCODING('a part in a circle')
    return part
  }

  close(): void {
    this.#channel?.close()
    this.#end()
  }

  async #answer(message: Uint8Array): Promise<void> {
    if (this.#answering) return this.close()
    this.#answering = true
    try {
      const { source, peer } = this.#options
      const part = await partFor(source, peer, decodeWant(message))
      if (!this.#closed) this.#channel?.messages[1]?.send(encodePart(part))
    } catch {
      this.close()
    } finally {
      this.#answering = false
    }
  }

  #take(message: Uint8Array): void {
    const waiting = this.#waiting
    this.#waiting = null
    try {
      if (!waiting) throw LedgerError.BAD_ENCODING('an answer to no question')
      waiting.resolve(decodePart(message))
    } catch (error) {
      waiting?.reject(error instanceof Error ? error : LedgerError.BAD_ENCODING('a part that cannot be read'))
      this.close()
    }
  }

  #end(): void {
    this.#closed = true
    this.#waiting?.reject(LedgerError.STORE_CLOSED('the channel to the other log'))
    this.#waiting = null
  }
}
