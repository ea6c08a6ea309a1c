/**
 * The caller's wishes about providers: OpenRouter's `provider` object in the body, or `x-swarmd-*` headers for clients
 * that cannot add fields. A wish in the body goes before the header of the same name.
 *
 *     x-swarmd-order, x-swarmd-only, x-swarmd-ignore    node keys, comma-separated
 *     x-swarmd-sort                                     price | latency | throughput
 *     x-swarmd-max-price-prompt, -completion            lamports per million tokens
 *     x-swarmd-allow-fallbacks                          true | false
 *     x-swarmd-deadline-ms                              milliseconds from now
 *     and those of pay-wishes.ts
 */
import type { IncomingHttpHeaders } from 'node:http'
import { ProxyError } from '../errors.js'
import type { Routing } from '../port.js'
import { payingFrom } from './pay-wishes.js'
import type { PayFields } from './pay-wishes.js'
import { refuseProviderFields } from './refusals.js'

export interface ProviderWishes extends PayFields {
  readonly order?: readonly string[] | null
  readonly only?: readonly string[] | null
  readonly ignore?: readonly string[] | null
  readonly sort?: string | null
  readonly max_price?: {
    readonly prompt?: number | string | null
    readonly completion?: number | string | null
  } | null
  readonly allow_fallbacks?: boolean | null
}

const MAX_KEYS = 64
const MAX_DEADLINE_MS = 24 * 3_600_000
const MAX_PRICE = 2n ** 64n - 1n

const NO_WISHES: Routing = {
  only: null,
  ignore: [],
  order: [],
  sort: null,
  maxPrice: { input: null, output: null },
  allowFallbacks: true,
  deadlineMs: null,
}

/** Throws `INVALID_VALUE` naming the field or header. */
export function routingFrom(wishes: ProviderWishes | null, headers: IncomingHttpHeaders): Routing {
  const header = headerReader(headers)
  if (wishes === null && !header.any) return NO_WISHES
  if (wishes !== null) refuseProviderFields({ ...wishes })
  const price = wishes?.max_price ?? null
  const pay = payingFrom(wishes, (name) => header.text(name))
  return {
    only: keys('provider.only', wishes?.only) ?? keys('x-swarmd-only', header.list('only')),
    ignore: keys('provider.ignore', wishes?.ignore) ?? keys('x-swarmd-ignore', header.list('ignore')) ?? [],
    order: keys('provider.order', wishes?.order) ?? keys('x-swarmd-order', header.list('order')) ?? [],
    sort: sortOf(wishes?.sort ?? header.text('sort')),
    maxPrice: {
      input:
        priceOf('provider.max_price.prompt', price?.prompt) ??
        priceOf('x-swarmd-max-price-prompt', header.text('max-price-prompt')),
      output:
        priceOf('provider.max_price.completion', price?.completion) ??
        priceOf('x-swarmd-max-price-completion', header.text('max-price-completion')),
    },
    allowFallbacks: wishes?.allow_fallbacks ?? flag(header.text('allow-fallbacks')) ?? true,
    deadlineMs: deadline(header.text('deadline-ms')),
    ...(pay && { pay }),
  }
}

function headerReader(headers: IncomingHttpHeaders): {
  readonly any: boolean
  text(name: string): string | null
  list(name: string): readonly string[] | null
} {
  const text = (name: string): string | null => {
    const value = headers[`x-swarmd-${name}`]
    return typeof value === 'string' ? value.trim() : null
  }
  const list = (name: string): readonly string[] | null =>
    text(name)
      ?.split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '') ?? null
  let any = false
  for (const name in headers) if (name.startsWith('x-swarmd-')) any = true
  return { any, text, list }
}

/** Hex node keys, or `local` for this node itself. */
function keys(param: string, list: readonly string[] | null | undefined): readonly string[] | null {
  if (list === null || list === undefined) return null
  if (list.length > MAX_KEYS) throw ProxyError.INVALID_VALUE(param, `must name at most ${MAX_KEYS} nodes`)
  return list.map((key) => {
    const lower = key.toLowerCase()
    if (lower === 'local' || /^[0-9a-f]{64}$/.test(lower)) return lower
    throw ProxyError.INVALID_VALUE(param, 'must hold node keys of 64 hex digits, or "local"')
  })
}

function sortOf(sort: string | null): Routing['sort'] {
  if (sort === null || sort === 'price' || sort === 'latency' || sort === 'throughput') return sort
  throw ProxyError.INVALID_VALUE('x-swarmd-sort', 'must be price, latency or throughput')
}

/** A ceiling may be a fraction; prices are whole, so it is rounded down. */
function priceOf(param: string, value: number | string | null | undefined): bigint | null {
  if (value === null || value === undefined) return null
  const whole = typeof value === 'number' ? (value < 2 ** 64 ? BigInt(Math.floor(value)) : null) : wholeOf(value)
  if (whole !== null && whole <= MAX_PRICE) return whole
  throw ProxyError.INVALID_VALUE(param, 'must be lamports per million tokens')
}

function wholeOf(text: string): bigint | null {
  const match = /^(\d{1,20})(?:\.\d*)?$/.exec(text)
  return match?.[1] === undefined ? null : BigInt(match[1])
}

function flag(text: string | null): boolean | null {
  if (text === null) return null
  if (text === 'true') return true
  if (text === 'false') return false
  throw ProxyError.INVALID_VALUE('x-swarmd-allow-fallbacks', 'must be true or false')
}

function deadline(text: string | null): number | null {
  if (text === null) return null
  const ms = /^\d{1,9}$/.test(text) ? Number(text) : 0
  if (ms >= 1 && ms <= MAX_DEADLINE_MS) return ms
  throw ProxyError.INVALID_VALUE('x-swarmd-deadline-ms', `must be between 1 and ${MAX_DEADLINE_MS}`)
}
