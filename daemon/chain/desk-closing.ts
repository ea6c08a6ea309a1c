/**
 * Ending a channel by hand. Every step is an entry of the outbox under the channel's address, so what a node does by itself
 * and what its owner asks for are the same transaction, once.
 */
import { CHANNEL_PHASE } from '../../ledger/chain/layout/accounts.js'
import { settlementFee } from '../../ledger/chain/settle-policy.js'
import type { OutboxEntry } from '../../ledger/chain/outbox-states.js'
import { feeOf } from '../../ledger/chain/transaction-fee.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import { codeOf } from '../errors.js'
import { rentOf, restOf, unclaimedOf } from './desk-channels.js'
import type { FoundChannel } from './desk-channels.js'
import type { ChannelRow, Closing } from './desk-items.js'
import { settleNow } from './desk-settling.js'
import type { ChainLink } from './link.js'

/** What a running node is doing on its channels. */
export interface ChannelUse {
  /** From here on nothing new begins on it; false: something is under way, and nothing has changed. */
  leave(channel: string, direction: ChannelRow['direction']): boolean
  /** It is not being closed after all, or the chain knows now that it is. */
  comeBack(channel: string): void
}

export interface ClosingOptions {
  readonly link: ChainLink
  readonly vouchers: LedgerStore['vouchers']
  readonly use: ChannelUse
  /** Unix milliseconds. */
  readonly now: () => number
}

/** The next step of a channel's end, whichever that is. Throws what the chain throws. */
export async function closeChannel(options: ClosingOptions, found: FoundChannel): Promise<Closing> {
  const { link, use, now } = options
  const { address, account, direction } = found
  if (account.phase === CHANNEL_PHASE.ended) return lastStep(link, found)
  if (direction === 'out' && account.phase === CHANNEL_PHASE.closing) {
    const over = BigInt(Math.floor(now() / 1000)) >= account.closeAt
    return over ? finish(link, found) : { ...nothing(found), did: 'waiting' }
  }
  if (!use.leave(address, direction)) return { ...nothing(found), did: 'busy' }
  try {
    return await (direction === 'in' ? endAsProvider(options, found) : ask(link, found))
  } finally {
    use.comeBack(address)
  }
}

async function ask(link: ChainLink, found: FoundChannel): Promise<Closing> {
  const entry = await link.client.requestClose(found.address)
  const after = (await link.client.channel(found.address))?.account.closeAt ?? 0n
  return { ...nothing(found), did: 'asked', closesAt: after > 0n ? Number(after) * 1000 : null, ...paid(entry) }
}

/** Collects first: what is not settled goes back to the payer for good. */
async function endAsProvider({ link, vouchers }: ClosingOptions, found: FoundChannel): Promise<Closing> {
  const unclaimed = unclaimedOf(found, vouchers)
  if (unclaimed > settlementFee(1)) await settleNow(link, vouchers, [found])
  const after = (await link.client.channel(found.address)) ?? found
  const done = await finish(link, { ...after, direction: 'in' })
  const lost = unclaimedOf(after, vouchers)
  return lost > 0n ? { ...done, note: `${lost} lamports were not worth the fee of settling them.` } : done
}

async function finish(link: ChainLink, found: FoundChannel): Promise<Closing> {
  try {
    const entry = await link.client.finish(found)
    const gone = (await link.client.channel(found.address)) === null
    const returned = restOf(found.account) + (gone ? rentOf(found) : 0n)
    const did = gone ? 'returned' : 'finished'
    return { ...nothing(found), did, returned: returned.toString(), ...paid(entry) }
  } catch (error) {
    // The chain's clock is the one that counts, and it may be behind this machine's.
    if (codeOf(error) === 'TX_REJECTED' && (error as Error).message.includes('GRACE_RUNNING'))
      return { ...nothing(found), did: 'waiting' }
    throw error
  }
}

/** The rent of a channel that ended while it was young. */
async function lastStep(link: ChainLink, found: FoundChannel): Promise<Closing> {
  try {
    const entry = await link.client.finish(found, true)
    return { ...nothing(found), did: 'returned', returned: found.lamports.toString(), ...paid(entry) }
  } catch (error) {
    if (codeOf(error) === 'TX_REJECTED' && (error as Error).message.includes('CHANNEL_TOO_YOUNG'))
      return { ...nothing(found), did: 'resting' }
    throw error
  }
}

function nothing({ address, account }: FoundChannel): Closing {
  return {
    channel: address,
    did: 'waiting',
    closesAt: account.closeAt > 0n ? Number(account.closeAt) * 1000 : null,
    returned: '0',
    cost: '0',
    signature: null,
    note: null,
  }
}

function paid({ signature, wire }: OutboxEntry): Pick<Closing, 'signature' | 'cost'> {
  return { signature, cost: feeOf(Buffer.from(wire, 'base64')).toString() }
}
