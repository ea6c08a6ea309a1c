/**
 * Brings deposits back: looks at the channels that this wallet has opened and does what keeping.ts says, now and again, and
 * after every start. The chain's state and the outbox are all that is remembered.
 */
import type { Found } from '../../ledger/chain/readings.js'
import type { ChannelAccount } from '../../ledger/chain/layout/accounts.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import type { Purse } from '../payment/purse.js'
import type { Deposits } from './deposits.js'
import { Gone } from './gone.js'
import { payersStep } from './keeping.js'
import type { Moment, PayersStep } from './keeping.js'
import type { ChainLink } from './link.js'
import { bytesOf, isOpen, phaseOf } from './link.js'
import { rejectionOf } from './rejection.js'

export interface KeeperOptions {
  readonly link: Pick<ChainLink, 'client' | 'outbox' | 'channelsFrom' | 'slot' | 'wasClosed'>
  readonly store: () => Promise<Pick<LedgerStore, 'vouchers' | 'query'>>
  readonly deposits: Pick<Deposits, 'leave' | 'comeBack' | 'handedOut'>
  readonly purse: Pick<Purse, 'busy' | 'retire'>
  /** Seconds; 0 = channels are left open. */
  readonly idle: bigint
  /** Of what could not be done; it is tried again at the next turn. */
  readonly failed: (error: unknown) => void
  /** Unix milliseconds. */
  readonly now: () => number
}

/** The chain was asked a moment too early, or somebody else came first: the next turn sees it. */
const NOT_NOW = new Set(['GRACE_RUNNING', 'CHANNEL_TOO_YOUNG', 'CHANNEL_CLOSING', 'CHANNEL_ENDED', 'WRONG_OWNER'])

export class Keeper {
  readonly #options: KeeperOptions
  readonly #since: bigint
  readonly #gone: Gone
  #turn: Promise<void> = Promise.resolve()
  #channels: number | null = null

  constructor(options: KeeperOptions) {
    this.#options = options
    this.#since = secondsOf(options.now())
    this.#gone = new Gone({ wasClosed: (channel) => options.link.wasClosed(channel), now: options.now })
  }

  /** How many the last turn saw; null = none has seen the chain yet. */
  get channels(): number | null {
    return this.#channels
  }

  /** One turn; turns wait for each other. Never throws. */
  run(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#run()).catch((error: unknown) => this.#options.failed(error))
    return this.#turn
  }

  async #run(): Promise<void> {
    const { link, store, now, idle } = this.#options
    // What an earlier life has sent is followed to its end first.
    await link.outbox.tick()
    const channels = await link.channelsFrom()
    this.#channels = channels.length
    const slot = channels.length > 0 ? BigInt(await link.slot()) : 0n
    for (const channel of channels) {
      const moment: Moment = { now: secondsOf(now()), slot, since: this.#since, idle }
      const step = payersStep(await this.#state(channel), moment)
      // Apart, so that one that the chain refuses does not hold back the others.
      await this.#take(step, channel).catch((error: unknown) => this.#tell(error))
    }
    const { vouchers } = await store()
    const signed = vouchers.allSigned().map(({ channel }) => channel)
    await this.#gone.forget(signed, channels, (channel) => vouchers.drop(channel))
  }

  async #state({ address, account }: Found<ChannelAccount>): Promise<Parameters<typeof payersStep>[0]> {
    const { purse, deposits } = this.#options
    const channel = bytesOf(address)
    const phase = phaseOf(account)
    const { closeAt, openSlot, openedAt } = account
    const usedAt = phase === 'open' ? await this.#recorded(channel) : 0n
    const handedOut = secondsOf(deposits.handedOut(address) ?? 0)
    const newest = [openedAt, usedAt, handedOut].reduce((a, b) => (a > b ? a : b))
    return { phase, closeAt, openSlot, busy: purse.busy(channel), usedAt: newest }
  }

  /** When the newest request that was paid on it ended. */
  async #recorded(channel: Uint8Array): Promise<bigint> {
    const [newest] = await (await this.#options.store()).query({ channel }, 1)
    return secondsOf(newest?.entry.times.done ?? 0)
  }

  async #take(step: PayersStep, found: Found<ChannelAccount>): Promise<void> {
    const { client } = this.#options.link
    if (!isOpen(found.account)) this.#options.purse.retire(bytesOf(found.address))
    if (step === 'request-close') await this.#close(found)
    if (step === 'finish') await client.finish(found)
    if (step === 'take-rent') await client.finish(found, true)
  }

  /** Nothing new begins on it from the moment it is decided; if it cannot be asked for, it is used again. */
  async #close({ address }: Found<ChannelAccount>): Promise<void> {
    const { link, deposits, purse } = this.#options
    if (!deposits.leave(address)) return
    try {
      if (purse.retire(bytesOf(address))) await link.client.requestClose(address)
    } finally {
      // What the outbox holds keeps it away from now on.
      deposits.comeBack(address)
    }
  }

  #tell(error: unknown): void {
    if (!NOT_NOW.has(rejectionOf(error) ?? '')) this.#options.failed(error)
  }
}

function secondsOf(ms: number): bigint {
  return BigInt(Math.floor(ms / 1000))
}
