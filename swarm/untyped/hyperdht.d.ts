/** What we call of hyperdht 6.34, which ships no types. */
declare module 'hyperdht' {
  import type { EventEmitter } from 'node:events'

  export default class HyperDHT extends EventEmitter {
    constructor(options: {
      readonly bootstrap?: readonly { readonly host: string; readonly port: number }[]
      readonly host?: string
      readonly port?: number
      readonly ephemeral?: boolean
      readonly firewalled?: boolean
      readonly anyPort?: boolean
    })
    static bootstrapper(port: number, host: string, options?: { readonly host?: string }): HyperDHT
    readonly bootstrapped: boolean
    readonly destroyed: boolean
    readonly online: boolean
    readonly degraded: boolean
    readonly firewalled: boolean
    /** The NAT hands out another port per destination: hole punching is a lottery. */
    readonly randomized: boolean
    /** This node's address as others see it; null before enough of them said so. */
    readonly host: string | null
    readonly port: number
    readonly nodes: { readonly length: number }
    address(): { readonly host: string; readonly port: number } | null
    fullyBootstrapped(): Promise<void>
    destroy(options?: { readonly force?: boolean }): Promise<void>
  }
}

declare module 'hyperdht/testnet.js' {
  import type HyperDHT from 'hyperdht'

  export default function createTestnet(
    size: number,
    options: { readonly host?: string; readonly port?: number },
  ): Promise<{
    readonly nodes: readonly HyperDHT[]
    readonly bootstrap: readonly { readonly host: string; readonly port: number }[]
    destroy(): Promise<void>
  }>
}
