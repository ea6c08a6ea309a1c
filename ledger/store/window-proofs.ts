/** Windows of an answer with their proofs, from what this node still has of it. */
import b4a from 'b4a'
import { openContentKey } from '../content.js'
import type { KeyPair } from '../crypto.js'
import { LedgerError } from '../errors.js'
import { openEvidence } from '../evidence.js'
import { decodeResponse } from '../exchange.js'
import { TokenLog, TOP } from '../token-root.js'
import type { Width, WindowProof } from '../token-root.js'
import { receiptHash } from '../transaction.js'
import type { Entry } from './entry.js'
import type { LedgerStore } from './store.js'

export interface ShownWindow {
  readonly width: Width
  readonly proof: WindowProof
}

/**
 * `box`: this node's key pair that contents are sealed to. null: the evidence is not here (any
 * more), or forgotten. Throws `TOKENS_OUT_OF_RANGE` for a window that the answer has not, `STORE_CORRUPT` when what is kept
 * is not under the signed root.
 */
export async function windowProofs(
  store: Pick<LedgerStore, 'evidence' | 'content'>,
  entry: Entry,
  box: KeyPair,
  windows: readonly number[] | 'all',
): Promise<readonly ShownWindow[] | null> {
  const log = await logOf(store, entry, box)
  if (!log) return null
  const wanted = windows === 'all' ? Array.from({ length: log.windows }, (_, window) => window) : windows
  return wanted.map((window) => ({ width: log.width, proof: log.prove(window) }))
}

async function logOf(
  store: Pick<LedgerStore, 'evidence' | 'content'>,
  entry: Entry,
  box: KeyPair,
): Promise<TokenLog | null> {
  const { statement } = entry.transaction
  const sealedKey = entry.role === 'consumer' ? statement.sealedForConsumer : statement.sealedForProvider
  if (sealedKey.kind === 'destroyed') return null
  const contentKey = openContentKey(sealedKey, box)
  const under = (log: TokenLog): boolean => b4a.equals(log.root(), statement.response.tokenRoot)
  const kept = await store.evidence(entry)
  const positions = kept && opened(contentKey, receiptHash(statement), kept)
  if (positions) {
    const log = TokenLog.from(contentKey, TOP, positions)
    if (under(log)) return log
    throw LedgerError.STORE_CORRUPT('the evidence of an answer is not the one that was signed')
  }
  // Width 0: the tokens alone, which the answer itself has.
  const content = await store.content(entry, box)
  const response = content && decodeResponse(content.response)
  if (response?.kind !== 'generate') return null
  const log = new TokenLog(contentKey, 0)
  for (const token of response.tokens) log.push({ token, top: [] })
  return under(log) ? log : null
}

/** null: a power cut has torn it. */
function opened(contentKey: Uint8Array, receipt: Uint8Array, sealed: Uint8Array): Uint8Array | null {
  try {
    return openEvidence(contentKey, receipt, sealed)
  } catch (error) {
    if (error instanceof LedgerError && error.code === 'BAD_SEAL') return null
    throw error
  }
}
