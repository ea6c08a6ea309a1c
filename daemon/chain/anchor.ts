/**
 * Settlements, with where this provider's log stands: the newest checkpoint goes to the chain in the same transaction, when
 * the log has grown since the last one. A log that the chain knows longer than it is here (it was lost) is never a reason
 * not to be paid.
 */
import type { ChainClient, Claim } from '../../ledger/chain/client.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import { rejectionOf } from './rejection.js'

export interface AnchorOptions {
  readonly client: Pick<ChainClient, 'settle' | 'provider' | 'providerAt'>
  readonly store: () => Promise<Pick<LedgerStore, 'checkpoint' | 'length'>>
  /** The node key's secret: it signs checkpoints. */
  readonly secretKey: Uint8Array
}

type Checkpoint = NonNullable<Parameters<ChainClient['settle']>[1]>

const BEHIND = new Set(['CHECKPOINT_BEHIND', 'CHECKPOINT_FORKED'])

export class Anchor {
  readonly #options: AnchorOptions
  /** Transactions in the log when it was anchored last; null = not by this process. */
  #anchored: number | null = null

  constructor(options: AnchorOptions) {
    this.#options = options
  }

  /** Throws what the chain throws. */
  async settle(claims: readonly Claim[]): Promise<void> {
    const { client, store } = this.#options
    const { length } = await store()
    const checkpoint = length === this.#anchored ? null : await this.#checkpoint()
    try {
      await client.settle(claims, checkpoint)
    } catch (error) {
      if (!checkpoint || !BEHIND.has(rejectionOf(error) ?? '')) throw error
      await client.settle(claims)
    }
    this.#anchored = length
  }

  /** null when the chain has this one. */
  async #checkpoint(): Promise<Checkpoint | null> {
    const { client, store, secretKey } = this.#options
    const { checkpoint } = await (await store()).checkpoint(secretKey)
    const { log, treeHash } = checkpoint
    const known = await client.providerAt(client.provider)
    const length = BigInt(checkpoint.length)
    return known?.account.logLength === length ? null : { log, treeHash, length }
  }
}
