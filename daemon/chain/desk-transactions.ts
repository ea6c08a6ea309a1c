/**
 * What has happened to the wallet, newest first: what the chain knows of its address, in the words of the outbox where this
 * node made it, and what is still on its way or has failed. Without a chain the outbox alone, with a note.
 */
import { landedAt, signaturesOf } from '../../ledger/chain/account-history.js'
import type { LandedSignature } from '../../ledger/chain/account-history.js'
import type { OutboxEntry } from '../../ledger/chain/outbox-states.js'
import { feeOf } from '../../ledger/chain/transaction-fee.js'
import { codeOf } from '../errors.js'
import type { DeskItem, TransactionView } from './desk-items.js'
import type { ChainLink } from './link.js'

export async function* transactions(
  link: ChainLink,
  limit: number,
  signal: AbortSignal,
): AsyncGenerator<DeskItem, void, void> {
  const { client, rpc, outbox } = link
  const own = new Map(outbox.list().map((entry) => [entry.signature, entry]))
  let landed: readonly LandedSignature[] = []
  try {
    landed = await signaturesOf(rpc, client.address, limit)
  } catch (error) {
    if (!codeOf(error)?.startsWith('RPC_')) throw error
    yield { note: `The chain cannot be asked, so this is only what this node sent. ${(error as Error).message}` }
  }
  for (const { signature } of landed) own.delete(signature)
  const complete = landed.length < limit
  // What has landed and is not among the newest is older than those.
  const rest = [...own.values()]
    .filter(({ phase }) => complete || (phase !== 'confirmed' && phase !== 'finalized'))
    .toSorted((a, b) => b.preparedAt - a.preparedAt)
  const entries = new Map(outbox.list().map((entry) => [entry.signature, entry]))
  let left = limit
  for (const one of landed) {
    signal.throwIfAborted()
    // What has not landed stands where it was prepared.
    while (left > 0 && rest[0] && rest[0].preparedAt >= (one.time ?? 0)) {
      const entry = rest.shift()
      if (entry && left-- > 0) yield { transaction: ofOutbox(entry) }
    }
    if (left-- <= 0) return
    yield { transaction: await ofChain(link, one, entries.get(one.signature) ?? null) }
  }
  for (const entry of rest.slice(0, Math.max(0, left))) yield { transaction: ofOutbox(entry) }
}

async function ofChain(
  { client, rpc }: ChainLink,
  { signature, time, failed }: LandedSignature,
  entry: OutboxEntry | null,
): Promise<TransactionView> {
  const found = await landedAt(rpc, signature, client.address)
  const change = found?.change ?? null
  return {
    signature,
    time,
    what: entry?.purpose['what'] ?? wordFor(change),
    state: failed ? 'failed' : (entry?.phase ?? 'finalized'),
    change: change?.toString() ?? null,
    fee: (found?.payer === client.address ? found.fee : 0n).toString(),
    purpose: entry?.purpose ?? {},
  }
}

function ofOutbox({ signature, preparedAt, purpose, phase, wire }: OutboxEntry): TransactionView {
  // What never landed took nothing.
  const fee = phase === 'failed' ? 0n : feeOf(Buffer.from(wire, 'base64'))
  return {
    signature,
    time: preparedAt,
    what: purpose['what'] ?? 'other',
    state: phase,
    change: phase === 'failed' ? '0' : null,
    fee: fee.toString(),
    purpose,
  }
}

/** For what others made, or this node before its outbox forgot it. */
function wordFor(change: bigint | null): string {
  if (change === null || change === 0n) return 'other'
  return change > 0n ? 'received' : 'sent'
}
