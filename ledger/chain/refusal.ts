/** From the errors of nodes and transactions to ours, with the names of the program's errors. */
import { ChainError } from './errors.js'
import type { Rejection } from './errors.js'
import { programErrorName } from './layout/errors.js'

/** The system program's "not enough lamports". */
const SYSTEM_POOR = 1
const POOR = new Set(['InsufficientFundsForFee', 'AccountNotFound', 'InsufficientFundsForRent'])

/** What a JSON-RPC error object means. */
export function refusalOf(error: Readonly<Record<string, unknown>>, host: string, method: string): ChainError {
  const { message, data } = error
  if (typeof data === 'object' && data !== null && 'err' in data && data.err !== null)
    return transactionError(data.err, 'logs' in data ? textsOf(data.logs) : [])
  return ChainError.RPC_REFUSED(host, `${method}: ${String(message).slice(0, 300)}`)
}

/** `error` as nodes give it: `"BlockhashNotFound"`, `{"InstructionError":[1,{"Custom":6060}]}`. */
export function transactionError(error: unknown, logs: readonly string[]): ChainError {
  if (error === 'BlockhashNotFound') return ChainError.BLOCKHASH_EXPIRED()
  const rejection = rejectionOf(error, logs)
  const systemPoor = rejection.custom === SYSTEM_POOR && logs.some((line) => line.includes('insufficient lamports'))
  if (POOR.has(rejection.name) || systemPoor)
    return ChainError.INSUFFICIENT_FUNDS('The wallet does not hold enough for the amount and the fee.')
  return ChainError.TX_REJECTED(rejection)
}

export function rejectionOf(error: unknown, logs: readonly string[]): Rejection {
  const plain = { instruction: null, custom: null, logs }
  if (typeof error === 'string') return { ...plain, name: error }
  const entries: [string, unknown][] = Object.entries(error ?? {})
  const [kind, detail] = entries[0] ?? ['UnknownError', null]
  if (kind !== 'InstructionError' || !Array.isArray(detail)) return { ...plain, name: kind }
  const [index, reason] = detail as readonly unknown[]
  const instruction = typeof index === 'number' ? index : null
  if (typeof reason === 'string') return { ...plain, instruction, name: reason }
  const custom = typeof reason === 'object' && reason !== null && 'Custom' in reason ? Number(reason.Custom) : null
  const name = custom === null ? JSON.stringify(reason) : (programErrorName(custom) ?? `Custom ${custom}`)
  return { instruction, custom, name, logs }
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((line): line is string => typeof line === 'string') : []
}
