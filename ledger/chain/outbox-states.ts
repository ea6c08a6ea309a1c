/**
 * What may happen to a transaction that was signed, as a pure function.
 *
 *   prepared ──submit──► submitted ──seen──► confirmed ──final──► finalized
 *                          │  ▲                │
 *                          │  └──── gone ──────┘           a fork took it back
 *                          └──► failed                     it ran with an error, finally; or it never can land
 *
 * `submitted` is written down before the first byte is sent: after a restart only `prepared` may be sent, and everything
 * else is found out by asking. A node's word is not enough to give up: a transaction has failed when its error is final,
 * or when the last block that could hold it is final and twice in a row nobody knows of it.
 */
import type { Rejection } from './errors.js'

export type OutboxPhase = 'prepared' | 'submitted' | 'confirmed' | 'finalized' | 'failed'

export type OutboxFailure =
  { readonly code: 'BLOCKHASH_EXPIRED' } | { readonly code: 'TX_REJECTED'; readonly rejection: Rejection }

export interface OutboxEntry {
  /** The caller's: two entries never share one. */
  readonly id: string
  readonly phase: OutboxPhase
  /** Base58. */
  readonly signature: string
  /** The signed transaction, base64. */
  readonly wire: string
  /** From this block height on it can land no more. */
  readonly lastValidBlockHeight: number
  /** What it is for, in the caller's words; kept as it is. */
  readonly purpose: Readonly<Record<string, string>>
  /** Unix milliseconds. */
  readonly preparedAt: number
  /** How often in a row nobody knew of it although its time was over. */
  readonly missing: number
  readonly failure: OutboxFailure | null
}

/** What a node says about a signature, together with how far the node's finalized chain reaches. */
export interface Sighting {
  /** Block height of the newest final block, asked for before the status. */
  readonly finalHeight: number
  readonly status: {
    readonly level: 'processed' | 'confirmed' | 'finalized'
    readonly rejection: Rejection | null
  } | null
}

export type OutboxEvent = { readonly type: 'submit' } | ({ readonly type: 'sighting' } & Sighting)

const MISSING_TWICE = 2

/** The entry after the event; the same object when nothing changes. Throws when an event may not happen in a phase. */
export function step(entry: OutboxEntry, event: OutboxEvent): OutboxEntry {
  if (event.type === 'submit') {
    if (entry.phase !== 'prepared') throw new Error(`a transaction that is ${entry.phase} may not be submitted`)
    return { ...entry, phase: 'submitted' }
  }
  if (entry.phase === 'prepared') return neverSent(entry, event)
  if (entry.phase !== 'submitted' && entry.phase !== 'confirmed') return entry
  return event.status === null ? absent(entry, event.finalHeight) : seen(entry, event.status)
}

export function isOpen({ phase }: OutboxEntry): boolean {
  return phase !== 'finalized' && phase !== 'failed'
}

/** Prepared and too late to be sent. */
function neverSent(entry: OutboxEntry, { finalHeight }: Sighting): OutboxEntry {
  return finalHeight > entry.lastValidBlockHeight ? expired(entry) : entry
}

function absent(entry: OutboxEntry, finalHeight: number): OutboxEntry {
  if (finalHeight <= entry.lastValidBlockHeight)
    return entry.phase === 'submitted' && entry.missing === 0 ? entry : { ...entry, phase: 'submitted', missing: 0 }
  const missing = entry.missing + 1
  return missing >= MISSING_TWICE ? expired(entry) : { ...entry, phase: 'submitted', missing }
}

function seen(entry: OutboxEntry, { level, rejection }: NonNullable<Sighting['status']>): OutboxEntry {
  if (level === 'finalized')
    return rejection === null
      ? { ...entry, phase: 'finalized', missing: 0 }
      : { ...entry, phase: 'failed', missing: 0, failure: { code: 'TX_REJECTED', rejection } }
  // An error that is not final may be forked away, and the transaction land after all.
  const phase = level === 'confirmed' && rejection === null ? 'confirmed' : 'submitted'
  return entry.phase === phase && entry.missing === 0 ? entry : { ...entry, phase, missing: 0 }
}

function expired(entry: OutboxEntry): OutboxEntry {
  return { ...entry, phase: 'failed', missing: 0, failure: { code: 'BLOCKHASH_EXPIRED' } }
}
