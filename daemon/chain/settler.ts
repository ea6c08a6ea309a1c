/**
 * Settles what this provider holds: by policy, again and again, and once more at the end. Looks at every channel on chain each
 * time, so it also sees that a payer asks to close, now or while this node was away; once that is settled for good, it
 * finishes the channel, and the payer need not wait for the grace.
 */
import b4a from 'b4a'
import { lamports } from '../../ledger/amount.js'
import type { Claim } from '../../ledger/chain/client.js'
import { isOpen as isUnderWay } from '../../ledger/chain/outbox-states.js'
import { settlePolicy } from '../../ledger/chain/settle-policy.js'
import type { ChannelAccount } from '../../ledger/chain/layout/accounts.js'
import type { Found } from '../../ledger/chain/readings.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import type { Till } from '../payment/till.js'
import type { Anchor } from './anchor.js'
import { Gone } from './gone.js'
import { providersStep } from './keeping.js'
import type { ChainLink } from './link.js'
import { bytesOf, isOpen, phaseOf } from './link.js'

/** Vouchers that fit into a transaction. */
const TOGETHER = 4

export interface SettlerOptions {
  readonly link: Pick<ChainLink, 'client' | 'outbox' | 'channelsTo' | 'wasClosed'>
  readonly store: () => Promise<Pick<LedgerStore, 'vouchers'>>
  readonly till: Pick<Till, 'busy'>
  readonly anchor: Pick<Anchor, 'settle'>
  /** Told of every channel that is open no more. */
  readonly closing: (channel: Uint8Array) => void
  /** Of what could not be done; it is tried again at the next turn. */
  readonly failed: (error: unknown) => void
  /** Unix milliseconds. */
  readonly now: () => number
}

export class Settler {
  readonly #options: SettlerOptions
  readonly #gone: Gone
  #turn: Promise<void> = Promise.resolve()

  constructor(options: SettlerOptions) {
    this.#options = options
    this.#gone = new Gone({ wasClosed: (channel) => options.link.wasClosed(channel), now: options.now })
  }

  /** One turn; turns wait for each other. Never throws. `shutdown`: whatever is worth its fee. */
  run(shutdown = false): Promise<void> {
    this.#turn = this.#turn.then(() => this.#run(shutdown)).catch((error: unknown) => this.#options.failed(error))
    return this.#turn
  }

  async #run(shutdown: boolean): Promise<void> {
    const { link, store, closing, anchor } = this.#options
    const { vouchers } = await store()
    // What an earlier life has sent is followed to its end first.
    await link.outbox.tick()
    const channels = await link.channelsTo()
    for (const { address, account } of channels) if (!isOpen(account)) closing(bytesOf(address))
    const claims = channels.flatMap((channel) => this.#claim(channel, vouchers, shutdown))
    // Apart, so that one that the chain refuses does not hold back the others.
    for (const left = [...claims]; left.length > 0;) {
      await anchor.settle(left.splice(0, TOGETHER)).catch((error: unknown) => this.#options.failed(error))
    }
    for (const channel of channels) await this.#finish(channel, claims)
    const held = vouchers.allHeld().map(({ voucher }) => voucher.channel)
    await this.#gone.forget(held, channels, (channel) => vouchers.drop(channel))
  }

  /** What there is to settle of a channel now. */
  #claim(channel: Found<ChannelAccount>, vouchers: LedgerStore['vouchers'], shutdown: boolean): Claim[] {
    const { address, account } = channel
    const id = bytesOf(address)
    const phase = phaseOf(account)
    const signed = vouchers.claimable(id, account.deposit)
    if (phase === 'ended' || !signed || !b4a.equals(signed.voucher.channel, id)) return []
    const seconds = BigInt(Math.floor(this.#options.now() / 1000))
    const { cumulative, expiresAt } = signed.voucher
    if (expiresAt > 0n && expiresAt <= seconds) return []
    const payable = cumulative < account.deposit ? cumulative : account.deposit
    const closing = phase === 'closing'
    const ends = [closing ? account.closeAt : 0n, expiresAt].filter((time) => time > 0n)
    const state = {
      unclaimed: lamports(payable > account.settled ? payable - account.settled : 0n),
      deadline: ends.length > 0 ? ends.reduce((a, b) => (a < b ? a : b)) : null,
      closing,
      shutdown,
    }
    return settlePolicy(state, seconds, account.grace) === null ? [] : [{ channel, signed }]
  }

  /** At the earliest in the turn after its last settlement, and when no fork can take that back. */
  async #finish(channel: Found<ChannelAccount>, claims: readonly Claim[]): Promise<void> {
    const { link, till, failed } = this.#options
    const { address, account } = channel
    const phase = phaseOf(account)
    if (phase !== 'closing') return
    const settling =
      claims.some((claim) => claim.channel === channel) ||
      link.outbox.list().some((entry) => isUnderWay(entry) && (entry.purpose['vouchers'] ?? '').includes(address))
    const step = providersStep({ phase, busy: till.busy(bytesOf(address)), settled: account.settled, settling })
    if (step === 'finish') await link.client.finish(channel).catch(failed)
  }
}
