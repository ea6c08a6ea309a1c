/**
 * What becomes of a channel when nobody is using it, as pure functions: the program's rules (docs/program.md, Channels) and
 * this node's policy, without chain, clock or disk.
 *
 *   open ──idle──► request close ──► closing ──grace over, or by the provider──► finish ──► gone
 *                                                                                  └─► ended ──old──► take the rent
 *
 * Whatever the chain shows is the state, so it does not matter who has made the last step, nor when this node was away.
 */
import type { Lamports } from '../../ledger/amount.js'

export type ChannelPhase = 'open' | 'closing' | 'ended'

/** A channel that this node pays on. Times are Unix seconds. */
export interface PayersChannel {
  readonly phase: ChannelPhase
  /** When the grace is over; 0 before somebody asked to close. */
  readonly closeAt: bigint
  readonly openSlot: bigint
  /** Something is under way on it. */
  readonly busy: boolean
  /** When it was opened, handed out or paid on last. */
  readonly usedAt: bigint
}

export interface Moment {
  /** Unix seconds. */
  readonly now: bigint
  readonly slot: bigint
  /** When this node was started, Unix seconds. */
  readonly since: bigint
  /** Seconds without a payment after which a channel is closed; 0 = never. */
  readonly idle: bigint
}

export type PayersStep = 'keep' | 'request-close' | 'finish' | 'take-rent'

/** A channel that this node is paid on. */
export interface ProvidersChannel {
  readonly phase: ChannelPhase
  readonly busy: boolean
  readonly settled: Lamports
  /** A settlement of it is on its way, or worth making. */
  readonly settling: boolean
}

/** As in the program: an opening slot may be this old, and an address is given up when its slot is older. */
const RECENT_SLOTS = 150n
/** Who has just come back is first asked whether it wants to go on. */
const WAKING = 600n
/** A signature: finishing early for a payer is a courtesy to those who have paid more than it costs. */
const COURTESY_FEE = 5_000n

export function payersStep({ phase, closeAt, openSlot, busy, usedAt }: PayersChannel, moment: Moment): PayersStep {
  const { now, slot, since, idle } = moment
  switch (phase) {
    case 'ended':
      return slot > openSlot + RECENT_SLOTS ? 'take-rent' : 'keep'
    case 'closing':
      return now >= closeAt ? 'finish' : 'keep'
    case 'open': {
      if (busy || idle === 0n) return 'keep'
      const awake = idle < WAKING ? idle : WAKING
      return now >= usedAt + idle && now >= since + awake ? 'request-close' : 'keep'
    }
  }
}

/** May it be finished for its payer now? What is owed is settled first, and answers under way are paid. */
export function providersStep({ phase, busy, settled, settling }: ProvidersChannel): 'keep' | 'finish' {
  if (phase !== 'closing' || busy || settling) return 'keep'
  return settled > COURTESY_FEE ? 'finish' : 'keep'
}
