/**
 * The caller's wishes about money, in the body's `provider` object or as headers; the body goes first.
 *
 *     pay              x-swarmd-pay               auto | channel | order
 *     max_cost         x-swarmd-max-cost          lamports that this request may cost
 *     order_deadline   x-swarmd-order-deadline    seconds until an order that nobody answers comes back
 *     min_reputation   x-swarmd-min-reputation    lamports that a provider must have earned, for orders
 */
import { ProxyError } from '../errors.js'
import type { Paying } from '../port.js'

export interface PayFields {
  readonly pay?: string | null
  readonly max_cost?: number | string | null
  readonly order_deadline?: number | string | null
  readonly min_reputation?: number | string | null
}

const MAX_LAMPORTS = 2n ** 64n - 1n
/** The chain takes at most thirty days; an order of less than a minute is over before it is answered. */
const [LEAST_SECONDS, MOST_SECONDS] = [60n, 30n * 86_400n]

/** undefined = the caller wishes nothing. Throws `INVALID_VALUE` naming the field or header. */
export function payingFrom(fields: PayFields | null, header: (name: string) => string | null): Paying | undefined {
  const of = (field: keyof PayFields, name: string): readonly [string, number | string | null] => {
    const value = fields?.[field] ?? null
    return value === null ? [`x-swarmd-${name}`, header(name)] : [`provider.${field}`, value]
  }
  const by = byOf(...of('pay', 'pay'))
  const maxCost = whole(...of('max_cost', 'max-cost'), 0n, MAX_LAMPORTS, 'must be lamports')
  const range = `must be between ${LEAST_SECONDS} and ${MOST_SECONDS} seconds`
  const seconds = whole(...of('order_deadline', 'order-deadline'), LEAST_SECONDS, MOST_SECONDS, range)
  const minReputation = whole(...of('min_reputation', 'min-reputation'), 0n, MAX_LAMPORTS, 'must be lamports')
  if (by === null && maxCost === null && seconds === null && minReputation === null) return undefined
  return { by, maxCost, deadlineSeconds: seconds === null ? null : Number(seconds), minReputation }
}

function byOf(param: string, value: number | string | null): Paying['by'] {
  if (value === null || value === 'auto' || value === 'channel' || value === 'order') return value
  throw ProxyError.INVALID_VALUE(param, 'must be auto, channel or order')
}

function whole(
  param: string,
  value: number | string | null,
  least: bigint,
  most: bigint,
  otherwise: string,
): bigint | null {
  if (value === null) return null
  const text = String(value)
  const number = /^\d{1,20}$/.test(text) ? BigInt(text) : null
  if (number !== null && number >= least && number <= most) return number
  throw ProxyError.INVALID_VALUE(param, otherwise)
}
