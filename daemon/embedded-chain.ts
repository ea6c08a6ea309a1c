/** The embedded chain for a process that has nothing else to do: locked folder, server, close. */
import { join } from 'node:path'
import type { OwnBooks } from './chain/own-books.js'
import { acquireLock } from './lock.js'

export interface OwnChain {
  readonly url: string
  readonly genesisHash: string
  /** Address of swarmd's program on it. */
  readonly program: string
  /** Address of the faucet. */
  readonly faucet: string
  slot(): number
  /** Lamports of a wallet (32 bytes). */
  balance(address: Uint8Array): bigint
  /** Coins out of nothing; durable when it resolves. */
  fund(address: Uint8Array, lamports: bigint): Promise<void>
  books(): OwnBooks
  close(): Promise<void>
}

export interface OwnChainOptions {
  /** null = in memory. */
  readonly folder: string | null
  /** 0 = any two neighbouring ports. */
  readonly port: number
  readonly version: string
}

/** The chain's place in a data folder. */
export function chainFolder(dataDir: string): string {
  return join(dataDir, 'chain')
}

/** Throws `DATA_LOCKED`, `DATA_UNUSABLE`, `STORE_CORRUPT`, or the system's error when the port is taken. */
export async function startOwnChain({ folder, port, version }: OwnChainOptions): Promise<OwnChain> {
  const lock =
    folder === null ? null : acquireLock(folder, { pid: process.pid, since: Date.now(), version, apiUrl: null })
  try {
    const { startSwarmdChain, EMBEDDED_PROGRAM } = await import('../ledger/chain/embedded/swarmd-chain.js')
    const { ownBooks } = await import('./chain/own-books.js')
    const { toBase58 } = await import('../ledger/chain/base58.js')
    const running = await startSwarmdChain({ folder, port })
    const { url, genesisHash, faucet, chain } = running
    lock?.describe({ pid: process.pid, since: Date.now(), version, apiUrl: url })
    return {
      url,
      genesisHash,
      program: EMBEDDED_PROGRAM,
      faucet: toBase58(faucet.publicKey),
      slot: () => chain.clock.slot(),
      balance: (address) => chain.account(address)?.lamports ?? 0n,
      async fund(address, lamports) {
        chain.airdrop(address, lamports)
        await chain.durable()
      },
      books: () => ownBooks(chain, EMBEDDED_PROGRAM),
      async close() {
        await running.close()
        lock?.release()
      },
    }
  } catch (error) {
    lock?.release()
    throw error
  }
}
