/** What we call of hyperswarm 4.17 and of the secret streams it hands out; neither ships types. */
declare module 'hyperswarm' {
  import type { EventEmitter } from 'node:events'
  import type HyperDHT from 'hyperdht'

  export interface KeyPair {
    readonly publicKey: Uint8Array
    readonly secretKey: Uint8Array
  }

  export interface NoiseStream extends EventEmitter {
    readonly publicKey: Uint8Array
    readonly remotePublicKey: Uint8Array
    readonly isInitiator: boolean
    /** Of this connection alone, the same on both sides; there once it is open. */
    readonly handshakeHash: Uint8Array
    readonly destroyed: boolean
    readonly destroying: boolean
    readonly rawBytesRead: number
    readonly rawBytesWritten: number
    readonly rawStream: { readonly remoteHost?: string | null } | null
    /** Writes an empty message, which the other side drops after it has counted its bytes. */
    sendKeepAlive(): void
    /** Milliseconds without a write after which it does so by itself; 0 = never. */
    setKeepAlive(ms: number): void
    end(): void
    destroy(error?: Error | null): void
  }

  export interface PeerInfo {
    readonly publicKey: Uint8Array
    readonly banned: boolean
    attempts: number
    ban(banned: boolean): void
    reconnect(reconnect: boolean): void
    shouldGC(): boolean
  }

  export interface Discovery {
    flushed(): Promise<boolean>
    refresh(options?: { readonly client?: boolean; readonly server?: boolean }): Promise<boolean>
    destroy(): Promise<void>
  }

  export default class Hyperswarm extends EventEmitter {
    constructor(options: {
      readonly keyPair: KeyPair
      readonly dht: HyperDHT
      readonly maxPeers?: number
      readonly maxParallel?: number
      readonly firewall?: (remotePublicKey: Uint8Array) => boolean
    })
    readonly dht: HyperDHT
    readonly connections: ReadonlySet<NoiseStream>
    readonly peers: Map<string, PeerInfo>
    readonly connecting: number
    join(
      topic: Uint8Array,
      options: { readonly client: boolean; readonly server: boolean; readonly limit?: number },
    ): Discovery
    joinPeer(publicKey: Uint8Array): void
    leavePeer(publicKey: Uint8Array): void
    flush(): Promise<boolean>
    listen(): Promise<void>
    destroy(options?: { readonly force?: boolean }): Promise<void>
  }
}
