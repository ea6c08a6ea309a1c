/**
 * One line of CSV (RFC 4180) per transaction. Amounts are exact whole numbers; the unit is in the column's name. A lamport
 * is 10^6 microlamports; what a channel owes in lamports is its sum rounded up, never the sum of rounded costs.
 */
import { ceilToLamports } from '../../ledger/amount.js'
import { rowOf } from './views.js'
import type { ModelNames } from './model-names.js'
import type { Found } from './selection.js'

const COLUMNS = [
  'id',
  'time',
  'role',
  'kind',
  'model_root',
  'model_name',
  'peer',
  'input_tokens',
  'cached_tokens',
  'output_tokens',
  'finish',
  'price_input_microlamports',
  'price_cached_microlamports',
  'price_output_microlamports',
  'cost_microlamports',
  'channel',
  'channel_sum_microlamports',
  'channel_sum_lamports',
  'signed',
] as const

export const CSV_HEADER = `${COLUMNS.join(',')}\r\n`

export function csvLine(found: Found, names: ModelNames): string {
  const row = rowOf(found, names)
  const { prices, cumulative } = found.entry.transaction.statement
  const fields: { readonly [K in (typeof COLUMNS)[number]]: string | number | bigint | null } = {
    id: row.id,
    time: new Date(row.time).toISOString(),
    role: row.role,
    kind: row.kind,
    model_root: row.model,
    model_name: row.modelName,
    peer: row.peer,
    input_tokens: row.usage.input,
    cached_tokens: row.usage.cached,
    output_tokens: row.usage.output,
    finish: row.finish,
    price_input_microlamports: prices.input,
    price_cached_microlamports: prices.cached,
    price_output_microlamports: prices.output,
    cost_microlamports: row.cost,
    channel: row.channel,
    channel_sum_microlamports: cumulative,
    channel_sum_lamports: ceilToLamports(cumulative),
    signed: row.signed,
  }
  return `${COLUMNS.map((name) => quoted(fields[name])).join(',')}\r\n`
}

/** A peer chose the model's name: a spreadsheet must not take it for a formula. */
function quoted(value: string | number | bigint | null): string {
  const text = value === null ? '' : String(value)
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
