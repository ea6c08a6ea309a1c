/** From what LiteSVM says about a transaction to what is kept and told of it. */
import { toBase58 } from '../base58.js'
import type { TransactionRecord } from './history.js'
import type { Outcome, Simulated, VmAccount } from './vm.js'
import type { WireTransaction } from './wire.js'

export interface Executed {
  readonly transaction: WireTransaction
  readonly signature: string
  readonly slot: number
  /** Unix seconds. */
  readonly time: number
  readonly outcome: Outcome
  readonly keys: readonly Uint8Array[]
  readonly loaded: readonly [writable: readonly Uint8Array[], readonly: readonly Uint8Array[]]
  readonly before: readonly (VmAccount | null)[]
  readonly after: readonly (VmAccount | null)[]
}

/** null when it did not happen: whatever is refused before it runs has not taken its fee. */
export function recordOf(executed: Executed): TransactionRecord | null {
  const { transaction, signature, slot, time, outcome, keys, loaded } = executed
  const { error, logs, inner, returned, units } = outcome
  const before = executed.before.map(lamports)
  const after = executed.after.map(lamports)
  if (error !== null && before[0] === after[0]) return null
  return {
    version: 1,
    signature,
    slot,
    time,
    wire: Buffer.from(transaction.bytes).toString('base64'),
    error,
    // Nothing but the fee leaves the accounts of a transaction.
    fee: sum(before) - sum(after),
    keys: keys.map(toBase58),
    loaded: { writable: loaded[0].map(toBase58), readonly: loaded[1].map(toBase58) },
    before,
    after,
    logs,
    inner: inner.map(({ index, calls }) => ({
      index,
      calls: calls.map(({ program, accounts, data, stackHeight }) => ({
        program,
        accounts: [...accounts],
        data: toBase58(data),
        stackHeight,
      })),
    })),
    returned: returned && { program: toBase58(returned.program), data: Buffer.from(returned.data).toString('base64') },
    units,
  }
}

/** What comes with a failed preflight. */
export function preflightData({ error, logs, units }: Simulated): object {
  return { accounts: null, err: error, innerInstructions: null, logs, returnData: null, unitsConsumed: units }
}

/** A simulation that was over before it began. */
export function failed(error: string): Simulated {
  return { error, logs: [], units: 0, inner: [], returned: null, after: new Map() }
}

function lamports(account: VmAccount | null): number {
  return Number(account?.lamports ?? 0n)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
