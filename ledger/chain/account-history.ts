/** What has happened to an address, as the chain tells it: signatures newest first, and what each did to the balance. */
import { lamports } from '../amount.js'
import type { Lamports } from '../amount.js'
import { ChainError } from './errors.js'
import type { Rpc } from './rpc.js'

/** One call gives at most so many. */
const PAGE = 1_000

export interface LandedSignature {
  /** Base58. */
  readonly signature: string
  /** Unix milliseconds; null: the node does not know. */
  readonly time: number | null
  /** It ran with an error: nothing but its fee was taken. */
  readonly failed: boolean
}

export interface Landed {
  /** Taken from `payer`. */
  readonly fee: Lamports
  /** Base58. */
  readonly payer: string
  /** What the address has more (or less) than before, its fee included. */
  readonly change: bigint
}

/** Newest first, at most `limit`. Throws what the connection throws. */
export async function signaturesOf(rpc: Rpc, address: string, limit: number): Promise<LandedSignature[]> {
  const all: LandedSignature[] = []
  while (all.length < limit) {
    const count = Math.min(PAGE, limit - all.length)
    const before = all.at(-1)?.signature
    const config = { commitment: 'confirmed', limit: count, ...(before === undefined ? {} : { before }) }
    const found = await rpc.call('getSignaturesForAddress', [address, config])
    if (!Array.isArray(found)) throw odd('getSignaturesForAddress')
    all.push(...found.map((item: unknown) => signatureFrom(fields(item))))
    if (found.length < count) break
  }
  return all
}

/** What one transaction did to an address; null where the node does not keep it any more. */
export async function landedAt(rpc: Rpc, signature: string, address: string): Promise<Landed | null> {
  const config = { encoding: 'json', commitment: 'confirmed', maxSupportedTransactionVersion: 0 }
  const found = await rpc.call('getTransaction', [signature, config])
  if (found === null || found === undefined) return null
  const { meta, transaction } = fields(found)
  const { fee, preBalances, postBalances, loadedAddresses } = fields(meta)
  const { writable = [], readonly = [] } = fields(loadedAddresses ?? {})
  const { accountKeys } = fields(fields(transaction)['message'])
  const keys = [...list(accountKeys), ...list(writable), ...list(readonly)].map(String)
  const at = keys.indexOf(address)
  const [before, after] = [list(preBalances), list(postBalances)].map((balances) =>
    at < 0 ? 0n : amount(balances[at]),
  )
  return { fee: lamports(amount(fee)), payer: keys[0] ?? '', change: (after ?? 0n) - (before ?? 0n) }
}

function signatureFrom({ signature, blockTime, err }: Readonly<Record<string, unknown>>): LandedSignature {
  if (typeof signature !== 'string') throw odd('a signature')
  const time = typeof blockTime === 'number' ? blockTime * 1000 : null
  return { signature, time, failed: err !== null && err !== undefined }
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) throw odd('a transaction')
  return value as Readonly<Record<string, unknown>>
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw odd('a transaction')
  return value
}

function amount(value: unknown): bigint {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw odd('an amount')
  return BigInt(value)
}

function odd(what: string): ChainError {
  return ChainError.RPC_REFUSED('', `it answered ${what} in a form that is not known`)
}
