/**
 * What the desk can be asked to do: JSON values, because they also travel over the control socket. Amounts are whole
 * lamports as decimal strings, times Unix milliseconds, addresses base58. Whoever opens the socket is the owner.
 */
import { lamports } from '../../ledger/amount.js'
import type { Lamports } from '../../ledger/amount.js'
import { DeskError } from './desk-errors.js'

export type Grouping = 'model' | 'day'

export type DeskRequest =
  | { readonly op: 'wallet' }
  /** Free coins, where the chain gives some away; null = only tell where to send them. */
  | { readonly op: 'deposit'; readonly airdrop: Lamports | null }
  | Withdraw
  | { readonly op: 'transactions'; readonly limit: number }
  | { readonly op: 'channels' }
  /** The first characters of an address; null = all that this node pays on. */
  | { readonly op: 'close'; readonly channel: string | null }
  | { readonly op: 'top-up'; readonly channel: string; readonly amount: Lamports; readonly id: string }
  | { readonly op: 'settle'; readonly channel: string | null }
  | { readonly op: 'orders' }
  /** The first characters of an address; null = every order of this node's own that can be taken back. */
  | { readonly op: 'refund'; readonly order: string | null }
  /** The order that paid for the answer with this id (hex). */
  | { readonly op: 'ordered'; readonly transaction: string }
  /** The vouchers that this node holds, for a watchtower. */
  | { readonly op: 'vouchers' }
  /** `since`: the UTC day that this time lies in, and those after it; null = no further period than today and this week. */
  | { readonly op: 'earnings'; readonly since: number | null; readonly by: Grouping | null }

export interface Withdraw {
  readonly op: 'withdraw'
  readonly to: string
  /** null = all there is, but the fee. */
  readonly amount: Lamports | null
  /** The same id is the same payment, however often it is asked for. */
  readonly id: string
  /** Tells what would be done, and does nothing. */
  readonly dry: boolean
  /** `to` belongs to a program, and that is meant. */
  readonly toProgram: boolean
  /** `to` holds nothing yet, and that is known: a mistyped address is most likely such a one. */
  readonly toNew: boolean
}

export const MAX_TRANSACTIONS = 10_000
const MAX_ADDRESS = 64
const MAX_ID = 64

/** The same as it travels: bigints as decimal strings. */
export function wireOf(request: DeskRequest): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(request).map(([name, value]: [string, unknown]) => [
      name,
      typeof value === 'bigint' ? value.toString() : value,
    ]),
  )
}

/** Throws `DESK_BAD_REQUEST`. */
export function parseDeskRequest(raw: unknown): DeskRequest {
  if (typeof raw !== 'object' || raw === null) throw DeskError.BAD_REQUEST('a request must be an object')
  const fields = raw as Readonly<Record<string, unknown>>
  const op = fields['op']
  switch (op) {
    case 'wallet':
    case 'channels':
    case 'vouchers':
    case 'orders':
      return { op }
    case 'refund':
      return { op, order: optional(fields, 'order', channelOf) }
    case 'ordered':
      return { op, transaction: text(fields, 'transaction', MAX_ID) }
    case 'deposit':
      return { op, airdrop: optional(fields, 'airdrop', amountOf) }
    case 'withdraw':
      return {
        op,
        to: text(fields, 'to', MAX_ADDRESS),
        amount: optional(fields, 'amount', amountOf),
        id: text(fields, 'id', MAX_ID),
        dry: fields['dry'] === true,
        toProgram: fields['toProgram'] === true,
        toNew: fields['toNew'] === true,
      }
    case 'transactions':
      return { op, limit: Math.min(MAX_TRANSACTIONS, count(fields, 'limit')) }
    case 'close':
    case 'settle':
      return { op, channel: optional(fields, 'channel', channelOf) }
    case 'top-up': {
      const [channel, id] = [channelOf(fields, 'channel'), text(fields, 'id', MAX_ID)]
      return { op, channel, amount: amountOf(fields, 'amount'), id }
    }
    case 'earnings':
      return { op, since: optional(fields, 'since', count), by: optional(fields, 'by', groupingOf) }
    default:
      throw DeskError.BAD_REQUEST('There is no such request: is the running swarmd of another version?')
  }
}

type Fields = Readonly<Record<string, unknown>>

function optional<T>(fields: Fields, name: string, read: (fields: Fields, name: string) => T): T | null {
  return fields[name] === null || fields[name] === undefined ? null : read(fields, name)
}

function text(fields: Fields, name: string, most: number): string {
  const value = fields[name]
  if (typeof value === 'string' && value.length > 0 && value.length <= most) return value
  throw DeskError.BAD_REQUEST(`${name} must be a text of 1 to ${most} characters`)
}

function channelOf(fields: Fields, name: string): string {
  return text(fields, name, MAX_ADDRESS)
}

function amountOf(fields: Fields, name: string): Lamports {
  const value = text(fields, name, 20)
  if (/^\d{1,20}$/.test(value)) return lamports(BigInt(value))
  throw DeskError.BAD_REQUEST(`${name} must be a whole number of lamports`)
}

function count(fields: Fields, name: string): number {
  const value = fields[name]
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw DeskError.BAD_REQUEST(`${name} must be a whole number`)
}

function groupingOf(fields: Fields, name: string): Grouping {
  const value = fields[name]
  if (value === 'model' || value === 'day') return value
  throw DeskError.BAD_REQUEST(`${name} must be model or day`)
}
