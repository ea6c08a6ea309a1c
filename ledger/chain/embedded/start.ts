/** A chain of one's own: LiteSVM behind JSON-RPC on loopback, with a faucet, kept in a folder. */
import { toBase58 } from '../base58.js'
import { EmbeddedChain } from './chain.js'
import type { ChainOptions } from './chain.js'
import { ChainServer } from './server.js'

export interface EmbeddedChainOptions extends ChainOptions {
  /** Loopback addresses only. Default 127.0.0.1. */
  readonly host?: string
  /** 0 = any; websockets are on this port and the next. */
  readonly port: number
}

export interface RunningChain {
  /** `http://127.0.0.1:8899` */
  readonly url: string
  /** Base58; a chain's own, for as long as its folder lives. */
  readonly genesisHash: string
  /** ed25519, 32 and 64 bytes: holds the faucet's lamports, and may upgrade the programs of genesis. */
  readonly faucet: { readonly publicKey: Uint8Array; readonly secretKey: Uint8Array }
  readonly chain: EmbeddedChain
  /** Idempotent. */
  close(): Promise<void>
}

/**
 * One process per folder: the caller holds its lock. Throws `NOT_LOOPBACK`, `STORE_CORRUPT`, `STORE_WRITE_FAILED`, or the
 * system's error when the port is taken.
 */
export async function startEmbeddedChain(options: EmbeddedChainOptions): Promise<RunningChain> {
  const chain = await EmbeddedChain.open(options)
  const server = new ChainServer(chain)
  let closing: Promise<void> | null = null
  const close = (): Promise<void> => (closing ??= server.close().then(() => chain.close()))
  try {
    const url = await server.listen(options.host ?? '127.0.0.1', options.port)
    const { genesisHash, faucet } = chain.identity
    return { url, genesisHash: toBase58(genesisHash), faucet, chain, close }
  } catch (error) {
    await close()
    throw error
  }
}
