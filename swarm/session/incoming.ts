/**
 * One ask as its provider sees it. A pure value: what may be sent now, and when silence must be broken.
 *
 *   asked ──accept──► answering ──done / fail──► ended
 *     └──refuse / cancelled / stalled──► ended             (cancelled and stalled from both)
 *
 *   terms:    open ──terms, or the work begins──► shut                        (only for asks with a payment)
 *   receipt:  none ──cancelled / failed / stalled after output──► owed ──receipt──► sent ──countersigned──► settled
 *             none ──done with a receipt──► sent
 */
import type { Progress } from '../wire/progress.js'
import { LATE_TICKS, TICK_MS } from './outgoing.js'

/** A reader that takes nothing for so long holds a slot that others wait for. */
export const STALL_MS = 120_000
const STALL_TICKS = STALL_MS / TICK_MS

export interface Incoming {
  readonly phase: 'asked' | 'answering' | 'ended'
  readonly sequence: number
  /** Above 0: a frame may go; its cost may overdraw by one frame. */
  readonly credit: number
  /** Something was sent since the last tick. */
  readonly fresh: boolean
  readonly stalledTicks: number
  /** Output positions, or vectors, that left, resumed ones excluded. */
  readonly delivered: number
  /** May still be said. */
  readonly terms: 'open' | 'shut'
  readonly receipt: 'none' | 'owed' | 'sent' | 'settled'
  /** Since the end. */
  readonly lateTicks: number
}

export type IncomingEvent =
  | { readonly type: 'accept' }
  | { readonly type: 'refuse' }
  | { readonly type: 'terms' }
  | { readonly type: 'progress'; readonly kind: Progress['kind'] }
  | { readonly type: 'frame'; readonly count: number; readonly cost: number }
  | { readonly type: 'done'; readonly receipt: 'none' | 'with' }
  | { readonly type: 'fail' }
  /** Of an ask that ended otherwise. */
  | { readonly type: 'receipt' }
  | { readonly type: 'countersign' }
  | { readonly type: 'credit'; readonly more: number; readonly limit: number }
  /** `taken`: what the asker says its reader took. */
  | { readonly type: 'cancel'; readonly taken: number | null }
  /** `waiting`: output is there and credit is not. */
  | { readonly type: 'tick'; readonly waiting: boolean }

export type IncomingAct =
  | 'none'
  /** Send what the event names. */
  | 'send'
  /** Accept first, then send it. */
  | 'accept-and-send'
  /** It was accepted before: send the refusal as a failure. */
  | 'fail'
  /** Output may go on. */
  | 'wake'
  /** Say that the work goes on. */
  | 'renew'
  /** Stop computing; the asker wants no more. */
  | 'abort'
  | 'stalled'
  /** The receipt is signed by both. */
  | 'signed'
  /** Nothing can come for it any more. */
  | 'forget'
  | 'ignore'

export interface IncomingStep {
  readonly state: Incoming
  readonly act: IncomingAct
  readonly violation: string | null
}

export function arrived(credit: number, payment: 'free' | 'paid' = 'free'): Incoming {
  return {
    phase: 'asked',
    sequence: 0,
    credit,
    fresh: false,
    stalledTicks: 0,
    delivered: 0,
    terms: payment === 'paid' ? 'open' : 'shut',
    receipt: 'none',
    lateTicks: 0,
  }
}

export function stepIncoming(state: Incoming, event: IncomingEvent): IncomingStep {
  if (state.phase === 'ended') return late(state, event)
  switch (event.type) {
    case 'accept':
      if (state.phase === 'answering') return step(state, 'ignore')
      return step({ ...state, phase: 'answering', fresh: true }, 'send')
    case 'refuse':
      return step(
        state.phase === 'asked' ? { ...state, phase: 'ended' } : cut(state),
        state.phase === 'asked' ? 'send' : 'fail',
      )
    case 'terms':
      if (state.terms === 'shut') return step(state, 'ignore')
      return answer(state, { ...state, phase: 'answering', terms: 'shut', fresh: true })
    case 'progress': {
      const terms = event.kind === 'queued' ? state.terms : 'shut'
      return answer(state, { ...state, phase: 'answering', terms, fresh: true })
    }
    case 'frame':
      if (state.credit <= 0) return step(state, 'none')
      return answer(state, {
        ...state,
        phase: 'answering',
        sequence: state.sequence + 1,
        credit: state.credit - event.cost,
        fresh: true,
        stalledTicks: 0,
        delivered: state.delivered + event.count,
        terms: 'shut',
      })
    case 'done':
      return answer(state, {
        ...state,
        phase: 'ended',
        sequence: state.sequence + 1,
        receipt: event.receipt === 'with' ? 'sent' : 'none',
      })
    case 'fail':
      return step(cut(state), 'send')
    case 'receipt':
      return step(state, 'ignore')
    case 'countersign':
      return broken(state, 'a signature under a receipt that never was')
    case 'credit': {
      const credit = state.credit + event.more
      if (credit > event.limit) return broken(state, 'credit over its limit')
      return step({ ...state, credit, stalledTicks: 0 }, credit > 0 ? 'wake' : 'none')
    }
    case 'cancel':
      if (event.taken !== null && event.taken > state.delivered) return broken(state, 'more taken than was sent')
      return step(cut(state), 'abort')
    case 'tick': {
      const stalledTicks = event.waiting ? state.stalledTicks + 1 : 0
      if (stalledTicks >= STALL_TICKS) return step(cut(state), 'stalled')
      return step({ ...state, fresh: false, stalledTicks }, state.fresh ? 'none' : 'renew')
    }
  }
}

/** After the end only receipts and their signatures count; the rest has crossed with it. */
function late(state: Incoming, event: IncomingEvent): IncomingStep {
  switch (event.type) {
    case 'receipt':
      if (state.receipt !== 'owed') return step(state, 'ignore')
      return step({ ...state, receipt: 'sent', lateTicks: 0 }, 'send')
    case 'countersign':
      if (state.receipt !== 'sent') return broken(state, 'a signature that nobody waits for')
      return step({ ...state, receipt: 'settled' }, 'signed')
    case 'tick': {
      const lateTicks = state.lateTicks + 1
      return step({ ...state, lateTicks }, lateTicks < LATE_TICKS ? 'none' : 'forget')
    }
    default:
      return step(state, 'ignore')
  }
}

/** An end without `done`: what was delivered may still be charged. */
function cut(state: Incoming): Incoming {
  return { ...state, phase: 'ended', receipt: state.delivered > 0 ? 'owed' : 'none' }
}

function answer(before: Incoming, after: Incoming): IncomingStep {
  return step(after, before.phase === 'asked' ? 'accept-and-send' : 'send')
}

function broken(state: Incoming, violation: string): IncomingStep {
  return { state: { ...state, phase: 'ended' }, act: 'abort', violation }
}

function step(state: Incoming, act: IncomingAct): IncomingStep {
  return { state, act, violation: null }
}
