/**
 * A watchtower: follows channels of providers whose vouchers it was given, and submits the newest one in time when a payer
 * asks to close while the provider is away. The fee is the watchtower's, the money goes to the provider's payout and
 * nowhere else. All that must survive a restart is the file of vouchers and the outbox.
 */
import { ChainError } from '../../ledger/chain/errors.js'
import { LAMPORTS_PER_SIGNATURE } from '../../ledger/chain/settle-policy.js'
import { channelsOfProvider } from '../../ledger/chain/readings.js'
import { feeOf } from '../../ledger/chain/transaction-fee.js'
import { isSignedBy } from '../../ledger/voucher.js'
import type { ChainLink } from './link.js'
import type { WatchedVoucher } from './voucher-lines.js'
import { watchStep } from './watch-step.js'
import type { WatchVerdict } from './watch-step.js'
import { codeOf } from '../errors.js'

/** One question to the chain for each. */
const MAX_PROVIDERS = 1_000

/** JSON values; amounts are decimal strings of lamports, times Unix milliseconds. */
export type WatchEvent =
  | {
      readonly event: 'closing'
      readonly channel: string
      readonly unclaimed: string
      readonly closesAt: number
      /** When this watchtower acts, unless the provider has. */
      readonly submitsAt: number
    }
  | {
      readonly event: 'settled'
      readonly channel: string
      readonly amount: string
      readonly cost: string
      readonly signature: string
    }
  | { readonly event: 'over'; readonly channel: string; readonly why: 'gone' | 'settled' }
  | { readonly event: 'refused'; readonly channel: string; readonly why: string }
  /** Something stands in the way; it is tried again. */
  | { readonly event: 'trouble'; readonly channel: string | null; readonly code: string; readonly message: string }

export interface WatcherOptions {
  readonly link: Pick<ChainLink, 'client' | 'outbox' | 'rpc' | 'program'>
  /** Seconds that the provider gets to act by itself. */
  readonly wait: bigint
  readonly tell: (event: WatchEvent) => void
  /** Unix milliseconds. */
  readonly now: () => number
}

export class Watcher {
  readonly #options: WatcherOptions
  #vouchers: readonly WatchedVoucher[] = []
  /** What was told last of each channel: said once while it lasts. */
  readonly #told = new Map<string, string>()

  constructor(options: WatcherOptions) {
    this.#options = options
  }

  /** From now on these. */
  take(vouchers: readonly WatchedVoucher[]): void {
    this.#vouchers = vouchers
    const channels = new Set(vouchers.map(({ channel }) => channel))
    for (const channel of this.#told.keys()) if (!channels.has(channel)) this.#told.delete(channel)
  }

  /** How many fees of a settlement the wallet can pay. */
  async affords(): Promise<number> {
    return Number((await this.#options.link.client.balance()) / (2n * LAMPORTS_PER_SIGNATURE))
  }

  /** One look at every channel. Never throws for trouble with the chain; false = there was some. */
  async turn(): Promise<boolean> {
    const { link } = this.#options
    // What an earlier life has sent is followed to its end first.
    await link.outbox.tick()
    const providers = [...new Set(this.#vouchers.map(({ provider }) => provider))]
    let well = true
    for (const provider of providers.slice(0, MAX_PROVIDERS)) {
      const vouchers = this.#vouchers.filter((voucher) => voucher.provider === provider)
      well = (await this.#attempt(null, () => this.#provider(provider, vouchers))) && well
    }
    if (well) this.#told.delete('')
    return well
  }

  async #provider(provider: string, vouchers: readonly WatchedVoucher[]): Promise<boolean> {
    const { link, now, wait } = this.#options
    const found = await channelsOfProvider(link.rpc, link.program, provider)
    const channels = new Map(found.map((channel) => [channel.address, channel]))
    const seconds = BigInt(Math.floor(now() / 1000))
    let well = true
    for (const { channel, signed } of vouchers) {
      const there = channels.get(channel)
      if (there && !isSignedBy(signed, there.account.signer)) {
        this.#say(channel, 'forged', { event: 'refused', channel, why: 'its signature is not that of the channel' })
        continue
      }
      const verdict = watchStep(there?.account ?? null, signed.voucher, seconds, wait)
      if (verdict.kind !== 'submit' || !there) this.#tell(channel, verdict)
      else
        well =
          (await this.#attempt(channel, async () => {
            const [entry] = await link.client.settle([{ channel: there, signed }])
            if (!entry) return true
            const cost = feeOf(Buffer.from(entry.wire, 'base64')).toString()
            const amount = verdict.unclaimed.toString()
            this.#say(channel, 'sent', { event: 'settled', channel, amount, cost, signature: entry.signature })
            return true
          })) && well
    }
    return well
  }

  #tell(channel: string, verdict: WatchVerdict): void {
    switch (verdict.kind) {
      case 'open':
        this.#told.delete(channel)
        return
      case 'gone':
      case 'settled':
        return this.#say(channel, verdict.kind, { event: 'over', channel, why: verdict.kind })
      case 'expired':
        return this.#say(channel, 'expired', { event: 'refused', channel, why: 'its voucher has expired' })
      case 'uncovered':
        return this.#say(channel, 'uncovered', { event: 'refused', channel, why: 'its voucher is above the deposit' })
      case 'small': {
        const why = `${verdict.unclaimed} lamports are less than the fee of claiming them`
        return this.#say(channel, 'small', { event: 'refused', channel, why })
      }
      case 'wait':
      case 'submit': {
        const closesAt = Number(verdict.closesAt) * 1000
        const submitsAt = verdict.kind === 'wait' ? Number(verdict.until) * 1000 : this.#options.now()
        const unclaimed = verdict.unclaimed.toString()
        return this.#say(channel, 'closing', { event: 'closing', channel, unclaimed, closesAt, submitsAt })
      }
    }
  }

  #say(channel: string, what: string, event: WatchEvent): void {
    // What was submitted is settled: that is no news.
    if (this.#told.get(channel) === what || (this.#told.get(channel) === 'sent' && what === 'settled')) return
    this.#told.set(channel, what)
    this.#options.tell(event)
  }

  async #attempt(channel: string | null, work: () => Promise<boolean>): Promise<boolean> {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof ChainError) && !codeOf(error)) throw error
      const code = codeOf(error) ?? 'FAILED'
      this.#say(channel ?? '', code, { event: 'trouble', channel, code, message: (error as Error).message })
      return false
    }
  }
}
