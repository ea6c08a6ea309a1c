/**
 * One ask as its provider sees it. A pure value: what may be sent now, and when silence must be broken.
 *
 *   asked ──accept──► answering ──done / fail──► ended
 *     └──refuse / cancelled / stalled──► ended             (cancelled and stalled from both)
 */
import { TICK_MS } from './outgoing.js'

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
}

export type IncomingEvent =
  | { readonly type: 'accept' }
  | { readonly type: 'refuse' }
  | { readonly type: 'progress' }
  | { readonly type: 'frame'; readonly cost: number }
  | { readonly type: 'done' }
  | { readonly type: 'fail' }
  | { readonly type: 'credit'; readonly more: number; readonly limit: number }
  | { readonly type: 'cancel' }
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
  | 'ignore'

export interface IncomingStep {
  readonly state: Incoming
  readonly act: IncomingAct
  readonly violation: string | null
}

export function arrived(credit: number): Incoming {
  return { phase: 'asked', sequence: 0, credit, fresh: false, stalledTicks: 0 }
}

export function stepIncoming(state: Incoming, event: IncomingEvent): IncomingStep {
  if (state.phase === 'ended') return step(state, 'ignore')
  switch (event.type) {
    case 'accept':
      if (state.phase === 'answering') return step(state, 'ignore')
      return step({ ...state, phase: 'answering', fresh: true }, 'send')
    case 'refuse':
      return step({ ...state, phase: 'ended' }, state.phase === 'asked' ? 'send' : 'fail')
    case 'progress':
      return answer(state, { ...state, phase: 'answering', fresh: true })
    case 'frame':
      if (state.credit <= 0) return step(state, 'none')
      return answer(state, {
        ...state,
        phase: 'answering',
        sequence: state.sequence + 1,
        credit: state.credit - event.cost,
        fresh: true,
        stalledTicks: 0,
      })
    case 'done':
      return answer(state, { ...state, phase: 'ended', sequence: state.sequence + 1 })
    case 'fail':
      return step({ ...state, phase: 'ended' }, 'send')
    case 'credit': {
      const credit = state.credit + event.more
      if (credit > event.limit)
        return { state: { ...state, phase: 'ended' }, act: 'abort', violation: 'credit over its limit' }
      return step({ ...state, credit, stalledTicks: 0 }, credit > 0 ? 'wake' : 'none')
    }
    case 'cancel':
      return step({ ...state, phase: 'ended' }, 'abort')
    case 'tick': {
      const stalledTicks = event.waiting ? state.stalledTicks + 1 : 0
      if (stalledTicks >= STALL_TICKS) return step({ ...state, phase: 'ended' }, 'stalled')
      return step({ ...state, fresh: false, stalledTicks }, state.fresh ? 'none' : 'renew')
    }
  }
}

function answer(before: Incoming, after: Incoming): IncomingStep {
  return step(after, before.phase === 'asked' ? 'accept-and-send' : 'send')
}

function step(state: Incoming, act: IncomingAct): IncomingStep {
  return { state, act, violation: null }
}
