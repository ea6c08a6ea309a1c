/** The questions that swarmd asks a chain, each as one function with a checked answer. */
import { lamports } from '../amount.js'
import type { Lamports } from '../amount.js'
import { ChainError } from './errors.js'
import type { OutboxChain } from './outbox.js'
import type { Sighting } from './outbox-states.js'
import { rejectionOf, transactionError } from './refusal.js'
import type { Rpc } from './rpc.js'

/** One status call takes this many. */
const MAX_STATUSES = 256
const BASE64 = { encoding: 'base64', commitment: 'confirmed' } as const

export interface ChainAccount {
  /** Base58. */
  readonly address: string
  readonly lamports: Lamports
  /** Base58. */
  readonly owner: string
  readonly executable: boolean
  readonly data: Uint8Array
}

/** A filter of getProgramAccounts; `bytes` in base58. */
export type AccountFilter =
  { readonly dataSize: number } | { readonly memcmp: { readonly offset: number; readonly bytes: string } }

export interface Blockhash {
  readonly blockhash: string
  readonly lastValidBlockHeight: number
}

export async function balanceOf(rpc: Rpc, address: string): Promise<Lamports> {
  const value = valueOf(await rpc.call('getBalance', [address, { commitment: 'confirmed' }]))
  return lamports(BigInt(numberOf(value)))
}

export async function accountOf(rpc: Rpc, address: string): Promise<ChainAccount | null> {
  const value = valueOf(await rpc.call('getAccountInfo', [address, BASE64]))
  return value === null ? null : accountFrom(address, value)
}

/** Had it a history, and is nothing there any more, both for good? False where a node has forgotten the history. */
export async function wasClosed(rpc: Rpc, address: string): Promise<boolean> {
  const value = valueOf(await rpc.call('getAccountInfo', [address, { ...BASE64, commitment: 'finalized' }]))
  if (value !== null) return false
  const found = await rpc.call('getSignaturesForAddress', [address, { limit: 1, commitment: 'finalized' }])
  if (!Array.isArray(found)) throw odd('getSignaturesForAddress')
  return found.length > 0
}

export async function accountsOf(
  rpc: Rpc,
  program: string,
  filters: readonly AccountFilter[],
): Promise<ChainAccount[]> {
  const found = await rpc.call('getProgramAccounts', [program, { ...BASE64, filters }])
  if (!Array.isArray(found)) throw odd('getProgramAccounts')
  return found.map((item: unknown) => accountFrom(String(fieldOf(item, 'pubkey')), fieldOf(item, 'account')))
}

export async function rentFor(rpc: Rpc, bytes: number): Promise<Lamports> {
  return lamports(BigInt(numberOf(await rpc.call('getMinimumBalanceForRentExemption', [bytes]))))
}

export async function slotOf(rpc: Rpc): Promise<number> {
  return numberOf(await rpc.call('getSlot', [{ commitment: 'confirmed' }]))
}

export async function latestBlockhash(rpc: Rpc): Promise<Blockhash> {
  const value = valueOf(await rpc.call('getLatestBlockhash', [{ commitment: 'confirmed' }]))
  return {
    blockhash: String(fieldOf(value, 'blockhash')),
    lastValidBlockHeight: numberOf(fieldOf(value, 'lastValidBlockHeight')),
  }
}

/** What the chain would say to an unsigned transaction; nobody can send that one. Throws what a rejection means. */
export async function rehearse(rpc: Rpc, unsigned: Uint8Array): Promise<{ readonly units: number }> {
  const config = { encoding: 'base64', commitment: 'confirmed', sigVerify: false }
  const value = valueOf(await rpc.call('simulateTransaction', [Buffer.from(unsigned).toString('base64'), config]))
  const error = fieldOf(value, 'err')
  const logs = fieldOf(value, 'logs')
  if (error !== null && error !== undefined)
    throw transactionError(error, Array.isArray(logs) ? logs.map((line: unknown) => String(line)) : [])
  return { units: Number(fieldOf(value, 'unitsConsumed') ?? 0) }
}

/** Microlamports per compute unit that others paid of late for these accounts: the median; 0 where nobody pays. */
export async function recentPriorityFee(rpc: Rpc, addresses: readonly string[]): Promise<bigint> {
  const found = await rpc.call('getRecentPrioritizationFees', [addresses.slice(0, 128)])
  if (!Array.isArray(found) || found.length === 0) return 0n
  const fees = found.map((item: unknown) => numberOf(fieldOf(item, 'prioritizationFee'))).toSorted((a, b) => a - b)
  return BigInt(fees[Math.floor(fees.length / 2)] ?? 0)
}

/** Lamports out of nothing, on chains that have a faucet. Asked once: a second time would be a second gift. */
export async function airdrop(rpc: Rpc, address: string, amount: Lamports): Promise<string> {
  return String(await rpc.once('requestAirdrop', [address, Number(amount)]))
}

/** The chain as the outbox sees it. */
export function outboxChain(rpc: Rpc): OutboxChain {
  return {
    async send(wire) {
      // Rehearsed before it was signed: a preflight could only refuse what is on its way already.
      const config = { encoding: 'base64', skipPreflight: true, maxRetries: 0 }
      await rpc.once('sendTransaction', [Buffer.from(wire).toString('base64'), config])
    },
    async look(signatures) {
      const sightings: Sighting[] = []
      for (let at = 0; at < signatures.length; at += MAX_STATUSES) {
        // The height first: what is unknown after it and below it is nowhere.
        const [height, statuses] = await rpc.batch([
          { method: 'getBlockHeight', params: [{ commitment: 'finalized' }] },
          {
            method: 'getSignatureStatuses',
            params: [signatures.slice(at, at + MAX_STATUSES), { searchTransactionHistory: true }],
          },
        ])
        const list = valueOf(statuses)
        if (!Array.isArray(list)) throw odd('getSignatureStatuses')
        const finalHeight = numberOf(height)
        for (const item of list as unknown[])
          sightings.push({ finalHeight, status: item === null ? null : statusFrom(item) })
      }
      return sightings
    },
  }
}

function statusFrom(item: unknown): NonNullable<Sighting['status']> {
  const [level, error] = [fieldOf(item, 'confirmationStatus'), fieldOf(item, 'err')]
  const known = level === 'processed' || level === 'confirmed' || level === 'finalized' ? level : 'processed'
  return { level: known, rejection: error === null || error === undefined ? null : rejectionOf(error, []) }
}

function accountFrom(address: string, value: unknown): ChainAccount {
  const data = fieldOf(value, 'data')
  if (!Array.isArray(data) || data[1] !== 'base64') throw odd('an account')
  return {
    address,
    lamports: lamports(BigInt(numberOf(fieldOf(value, 'lamports')))),
    owner: String(fieldOf(value, 'owner')),
    executable: fieldOf(value, 'executable') === true,
    data: Buffer.from(String(data[0]), 'base64'),
  }
}

function valueOf(result: unknown): unknown {
  return fieldOf(result, 'value')
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) throw odd(name)
  return (value as Readonly<Record<string, unknown>>)[name]
}

/** Amounts above 2^53 cannot come out of JSON exactly: better no answer than a wrong one. */
function numberOf(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw odd('a number')
  return value
}

function odd(what: string): ChainError {
  return ChainError.RPC_REFUSED('', `it answered ${what} in a form that is not known`)
}
