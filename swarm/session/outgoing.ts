/**
 * One ask as its consumer sees it: what may come next, what was delivered, how much more may come. A pure value; the
 * session routes messages into it and acts on what it says.
 *
 *   asked ──accepted──► answering ──done──► ended
 *     └──refused / failed / lost / cancelled──► ended      (from both)
 *
 *   terms:    open ──terms, or the work begins──► shut                        (only for asks with a payment)
 *   receipt:  none ──failed / cancelled──► due ──receipt──► had               (`done` brings its own)
 */
import type { Progress } from '../wire/progress.js'

/** Ticks of half a second without any frame of this ask: five seconds, and the peer is gone. */
export const LEASE_TICKS = 10
export const TICK_MS = 500
/** How long a receipt, or the signature under it, may come after the end. */
export const LATE_TICKS = 20

/** Output positions of one answer, whatever its provider says of its context: as many as a resumed ask can name. */
export const MAX_POSITIONS = 2 ** 21
/** Text of one answer, so that nobody can make another node's memory grow by text without tokens. A record holds 16 MiB. */
export const MAX_TEXT_BYTES = 15 * 1024 * 1024

/** Sealed bytes that cost as much credit as one token, so that long text and vectors are held back too. */
const BYTES_PER_CREDIT = 512

export interface Outgoing {
  readonly phase: 'asked' | 'answering' | 'ended'
  readonly kind: 'generate' | 'embed'
  /** Next sequence number, and next output position or vector. */
  readonly sequence: number
  readonly index: number
  /** Output positions, or vectors, that were asked for. */
  readonly limit: number
  /** Bytes of text that may still come. */
  readonly text: number
  /** What the provider may still send; one frame may overdraw it. */
  readonly credit: number
  /** Taken by the reader and not yet granted again. */
  readonly taken: number
  readonly window: number
  /** Output positions, or vectors, that the reader took, resumed ones excluded. */
  readonly read: number
  readonly silentTicks: number
  /** May still come. */
  readonly terms: 'open' | 'shut'
  readonly receipt: 'none' | 'due' | 'had'
  /** Since the end. */
  readonly lateTicks: number
}

export type OutgoingEvent =
  | { readonly type: 'accepted' }
  | { readonly type: 'refused' }
  | { readonly type: 'terms' }
  | { readonly type: 'progress'; readonly kind: Progress['kind'] }
  | {
      readonly type: 'frame'
      readonly kind: 'generate' | 'embed'
      readonly sequence: number
      readonly index: number
      readonly count: number
      readonly cost: number
      /** Bytes of text in it. */
      readonly text: number
    }
  | { readonly type: 'done'; readonly sequence: number }
  | { readonly type: 'failed' }
  | { readonly type: 'receipt' }
  | { readonly type: 'taken'; readonly cost: number; readonly count: number }
  | { readonly type: 'cancel' }
  | { readonly type: 'tick' }

export type OutgoingAct =
  | 'none'
  /** Hand it to the reader. */
  | 'deliver'
  /** Hand it to the reader: it is the last. */
  | 'end'
  /** Tell the provider to stop. */
  | 'cancel'
  /** The lease ran out. */
  | 'lost'
  /** Nothing can come for it any more. */
  | 'forget'
  /** Comes after the end, e.g. frames that were under way at a cancel. */
  | 'ignore'

export interface OutgoingStep {
  readonly state: Outgoing
  readonly act: OutgoingAct
  /** Credit to send now; 0 = none. */
  readonly grant: number
  /** Why the peer broke the protocol; null = it did not. */
  readonly violation: string | null
}

/** `index`: the resume point. `limit`: the first position or vector that must not come. */
export function asked(
  kind: 'generate' | 'embed',
  index: number,
  limit: number,
  window: number,
  payment: 'free' | 'paid' = 'free',
): Outgoing {
  return {
    phase: 'asked',
    kind,
    sequence: 0,
    index,
    limit,
    text: MAX_TEXT_BYTES,
    credit: window,
    taken: 0,
    window,
    read: 0,
    silentTicks: 0,
    terms: payment === 'paid' ? 'open' : 'shut',
    receipt: 'none',
    lateTicks: 0,
  }
}

/** Credit that a sealed frame of `count` tokens or vectors costs. */
export function frameCost(count: number, sealedBytes: number): number {
  return Math.max(1, count, Math.ceil(sealedBytes / BYTES_PER_CREDIT))
}

export function stepOutgoing(state: Outgoing, event: OutgoingEvent): OutgoingStep {
  if (state.phase === 'ended') return late(state, event)
  switch (event.type) {
    case 'accepted':
      if (state.phase !== 'asked') return broken(state, 'accepted twice')
      return step({ ...state, phase: 'answering', silentTicks: 0 }, 'deliver')
    case 'refused':
      if (state.phase !== 'asked') return broken(state, 'refused after it was accepted')
      return step({ ...state, phase: 'ended' }, 'end')
    case 'terms':
      if (state.phase !== 'answering') return broken(state, 'terms before it was accepted')
      if (state.terms === 'shut') return broken(state, 'terms that nobody waits for')
      return step({ ...state, terms: 'shut', silentTicks: 0 }, 'deliver')
    case 'progress': {
      const terms = event.kind === 'queued' ? state.terms : 'shut'
      // May come before the answer: the provider has the ask and is still making up its mind.
      return step({ ...state, terms, silentTicks: 0 }, state.phase === 'asked' ? 'none' : 'deliver')
    }
    case 'frame':
      return frame(state, event)
    case 'done':
      if (state.phase !== 'answering') return broken(state, 'done before it was accepted')
      if (event.sequence !== state.sequence)
        return broken(state, `frame ${event.sequence} instead of ${state.sequence}`)
      if (state.kind === 'embed' && state.index !== state.limit) return broken(state, 'done before all vectors')
      return step({ ...state, phase: 'ended' }, 'end')
    case 'failed':
      return step({ ...state, phase: 'ended', receipt: 'due' }, 'end')
    case 'receipt':
      return broken(state, 'a receipt before the end')
    case 'taken':
      return taken({ ...state, read: state.read + event.count }, event.cost)
    case 'cancel':
      return step({ ...state, phase: 'ended', receipt: 'due' }, 'cancel')
    case 'tick': {
      const silentTicks = state.silentTicks + 1
      if (silentTicks < LEASE_TICKS) return step({ ...state, silentTicks }, 'none')
      return step({ ...state, phase: 'ended', silentTicks }, 'lost')
    }
  }
}

/** After the end most things have crossed with it; a receipt may be due. */
function late(state: Outgoing, event: OutgoingEvent): OutgoingStep {
  if (event.type === 'tick') {
    const lateTicks = state.lateTicks + 1
    return step({ ...state, lateTicks }, lateTicks < LATE_TICKS ? 'none' : 'forget')
  }
  if (event.type !== 'receipt') return step(state, 'ignore')
  if (state.receipt !== 'due') return { ...step(state, 'ignore'), violation: 'a receipt that is not due' }
  return step({ ...state, receipt: 'had' }, 'deliver')
}

function frame(state: Outgoing, event: Extract<OutgoingEvent, { type: 'frame' }>): OutgoingStep {
  if (state.phase !== 'answering') return broken(state, 'a frame before it was accepted')
  if (event.kind !== state.kind) return broken(state, `a frame of ${event.kind} for ${state.kind}`)
  if (event.sequence !== state.sequence) return broken(state, `frame ${event.sequence} instead of ${state.sequence}`)
  if (event.index !== state.index) return broken(state, `position ${event.index} instead of ${state.index}`)
  if (state.index + event.count > state.limit) return broken(state, 'more than was asked for')
  if (event.text > state.text) return broken(state, 'more text than an answer can have')
  if (state.credit <= 0) return broken(state, 'more than the credit given')
  return step(
    {
      ...state,
      sequence: state.sequence + 1,
      index: state.index + event.count,
      text: state.text - event.text,
      credit: state.credit - event.cost,
      silentTicks: 0,
      terms: 'shut',
    },
    'deliver',
  )
}

/** Grants in halves of the window: a message per half, and the provider never runs dry while the reader keeps up. */
function taken(state: Outgoing, cost: number): OutgoingStep {
  const total = state.taken + cost
  if (total * 2 < state.window) return step({ ...state, taken: total }, 'none')
  return { state: { ...state, taken: 0, credit: state.credit + total }, act: 'none', grant: total, violation: null }
}

function step(state: Outgoing, act: OutgoingAct): OutgoingStep {
  return { state, act, grant: 0, violation: null }
}

function broken(state: Outgoing, violation: string): OutgoingStep {
  return { state: { ...state, phase: 'ended' }, act: 'end', grant: 0, violation }
}
