/**
 * Settles what this provider holds: by policy, again and again, and once more at the end. Looks at every channel on chain each
 * time, so it also sees that a payer asks to close, now or while this node was away.
 */
import b4a from 'b4a'
import safetyCatch from 'safety-catch'
import { lamports } from '../../ledger/amount.js'
import type { Claim } from '../../ledger/chain/client.js'
import { settlePolicy } from '../../ledger/chain/settle-policy.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import type { ChainLink } from './link.js'
import { bytesOf, isOpen } from './link.js'

/** Vouchers that fit into a transaction. */
const TOGETHER = 4

export interface SettlerOptions {
  readonly link: Pick<ChainLink, 'client' | 'outbox' | 'channelsTo'>
  readonly store: () => Promise<Pick<LedgerStore, 'vouchers'>>
  /** Told of every channel that is open no more. */
  readonly closing: (channel: Uint8Array) => void
  /** Of what could not be done; it is tried again at the next turn. */
  readonly failed: (error: unknown) => void
  /** Unix milliseconds. */
  readonly now: () => number
}

export class Settler {
  readonly #options: SettlerOptions
  #turn: Promise<void> = Promise.resolve()

  constructor(options: SettlerOptions) {
    this.#options = options
  }

  /** One turn; turns wait for each other. Never throws. `shutdown`: whatever is worth its fee. */
  run(shutdown = false): Promise<void> {
    this.#turn = this.#turn.then(() => this.#run(shutdown)).catch((error: unknown) => this.#options.failed(error))
    return this.#turn
  }

  async #run(shutdown: boolean): Promise<void> {
    const { link, store, closing, now } = this.#options
    const { vouchers } = await store()
    // What an earlier life has sent is followed to its end first.
    await link.outbox.tick()
    const seconds = BigInt(Math.floor(now() / 1000))
    const claims: Claim[] = []
    for (const channel of await link.channelsTo()) {
      const { address, account } = channel
      const id = bytesOf(address)
      const open = isOpen(account)
      if (!open) closing(id)
      const signed = vouchers.held(id)
      if (!signed || !b4a.equals(signed.voucher.channel, id)) continue
      const { cumulative, expiresAt } = signed.voucher
      if (expiresAt > 0n && expiresAt <= seconds) continue
      const payable = cumulative < account.deposit ? cumulative : account.deposit
      const ends = [open ? 0n : account.closeAt, expiresAt].filter((time) => time > 0n).sort((a, b) => (a < b ? -1 : 1))
      const state = {
        unclaimed: lamports(payable > account.settled ? payable - account.settled : 0n),
        deadline: ends[0] ?? null,
        closing: !open,
        shutdown,
      }
      if (settlePolicy(state, seconds, account.grace) !== null) claims.push({ channel, signed })
    }
    // Apart, so that one that the chain refuses does not hold back the others.
    while (claims.length > 0) {
      await link.client.settle(claims.splice(0, TOGETHER)).catch((error: unknown) => this.#options.failed(error))
    }
  }
}

/** Turns at a fixed distance until it is stopped. */
export function every(ms: number, turn: () => Promise<void>): () => void {
  const timer = setInterval(() => void turn().catch(safetyCatch), ms)
  timer.unref()
  return () => clearInterval(timer)
}
