/**
 * The rules of a channel as a pure value: reserve → deliver → pay → release. Both sides run the same rules on what they
 * saw; only two guards differ, and `side` says which apply.
 *
 *   unpaid   = accrued − paid                         (negative while something is paid ahead)
 *   provider: unpaid never exceeds the window of the request that is being served
 *   consumer: paid never exceeds what was delivered plus what live requests agreed to pay ahead
 *   both:     accrued + everything still reserved never exceeds the deposit
 *
 * So the most that either side can lose to the other is one window (or one prompt, paid ahead by a stranger). A free
 * swarm is a channel with a deposit of zero on which everything costs zero.
 */
import { ceilToLamports, microLamports, NO_COST, NO_LAMPORTS, toMicroLamports } from './amount.js'
import type { Lamports, MicroLamports } from './amount.js'
import { LedgerError } from './errors.js'
import { cost } from './price.js'
import type { Prices } from './price.js'

/** Requests on one channel at once. */
export const MAX_PARALLEL = 64

export interface Terms {
  /** The most the request may cost. */
  readonly limit: MicroLamports
  /** Credit that the provider extends while it serves. */
  readonly window: MicroLamports
  /** What the consumer pays before anything is delivered. */
  readonly ahead: MicroLamports
}

export interface Reservation extends Terms {
  readonly delivered: MicroLamports
}

export interface Channel {
  readonly side: 'consumer' | 'provider'
  readonly phase: 'open' | 'closing'
  readonly deposit: Lamports
  /** Cost of everything delivered and verified. */
  readonly accrued: MicroLamports
  /** The highest voucher. */
  readonly paid: Lamports
  /** By request id, as the caller writes it. */
  readonly reservations: ReadonlyMap<string, Reservation>
}

export type ChannelEvent =
  | ({ readonly type: 'reserve'; readonly request: string } & Terms)
  /** `cost` of what was delivered since the last one; the prompt's cost comes with the first token. */
  | { readonly type: 'deliver'; readonly request: string; readonly cost: MicroLamports }
  | { readonly type: 'pay'; readonly cumulative: Lamports }
  /** Done, cut, refused or failed: what was not delivered is free again. */
  | { readonly type: 'release'; readonly request: string }
  /** A cut stream: the provider gives up what the consumer never received. */
  | { readonly type: 'write-off'; readonly amount: MicroLamports }
  | { readonly type: 'top-up'; readonly deposit: Lamports }
  | { readonly type: 'close' }

export function openChannel(
  side: Channel['side'],
  deposit: Lamports,
  resumed: { readonly accrued: MicroLamports; readonly paid: Lamports } = { accrued: NO_COST, paid: NO_LAMPORTS },
): Channel {
  return { side, phase: 'open', deposit, ...resumed, reservations: new Map() }
}

/** The channel after `event`; throws a `LedgerError` and changes nothing when the rules say no. */
export function step(channel: Channel, event: ChannelEvent): Channel {
  switch (event.type) {
    case 'reserve':
      return reserve(channel, event.request, event)
    case 'deliver':
      return deliver(channel, event.request, event.cost)
    case 'pay':
      return pay(channel, event.cumulative)
    case 'release':
      return release(channel, event.request)
    case 'write-off':
      return writeOff(channel, event.amount)
    case 'top-up':
      return topUp(channel, event.deposit)
    case 'close':
      return { ...channel, phase: 'closing' }
  }
}

/**
 * What a request is reserved with. The window is `windowTokens` of output or the prompt's cost with its first token,
 * whichever is larger, bounded by `maxWindow` but never below one token; the prompt of a stranger, and one above that
 * bound, is paid ahead.
 */
export function termsOf(request: {
  readonly prices: Prices
  readonly promptTokens: number
  readonly maxOutput: number
  readonly stranger: boolean
  /** Tokens of output in a window. */
  readonly windowTokens: number
  readonly maxWindow: MicroLamports
}): Terms {
  const { prices, maxWindow } = request
  const prompt = cost(prices, { input: request.promptTokens, cached: 0, output: 0 })
  const output = cost(prices, { input: 0, cached: 0, output: request.maxOutput })
  const tokens = cost(prices, { input: 0, cached: 0, output: request.windowTokens })
  // The prompt is charged with the first token: a window that holds one without the other would never open.
  const first = microLamports(prompt + prices.output)
  const ahead = request.stranger || first > maxWindow
  const limit = microLamports(prompt + output)
  const credit = least(ahead ? tokens : most(tokens, first), maxWindow)
  return {
    limit,
    window: least(most(credit, microLamports(prices.output)), limit),
    ahead: ahead ? prompt : NO_COST,
  }
}

/** What is delivered or agreed ahead, in whole lamports: the highest voucher that the consumer may sign. */
export function due(channel: Channel): Lamports {
  return ceilToLamports(microLamports(channel.accrued + aheadLeft(channel)))
}

/**
 * The voucher that the consumer should sign now, or null: something is agreed ahead and not paid, a request waits for its
 * first token, half a window is used up (so that the provider rarely has to wait), or nothing runs and a rest is open.
 */
export function paymentDue(channel: Channel): Lamports | null {
  const amount = due(channel)
  if (amount <= channel.paid) return null
  const reservations = [...channel.reservations.values()]
  const unpaid = channel.accrued - toMicroLamports(channel.paid)
  const pressing = reservations.some(({ window, delivered }) => delivered === 0n || unpaid * 2n >= window)
  return pressing || aheadLeft(channel) > 0n || reservations.length === 0 ? amount : null
}

/** May the provider begin to compute? Everything agreed ahead is paid. Throws `REQUEST_UNKNOWN`. */
export function mayStart(channel: Channel, request: string): boolean {
  find(channel, request)
  const ahead = aheadLeft(channel)
  return ahead === 0n || toMicroLamports(channel.paid) >= channel.accrued + ahead
}

/** How much more the provider may deliver before it must wait for a voucher. Throws `REQUEST_UNKNOWN`. */
export function headroom(channel: Channel, request: string): MicroLamports {
  const { limit, delivered, window } = find(channel, request)
  const credit = toMicroLamports(channel.paid) + window - channel.accrued
  return least(microLamports(limit - delivered), microLamports(credit < 0n ? 0n : credit))
}

function reserve(channel: Channel, request: string, terms: Terms): Channel {
  const left = toMicroLamports(channel.deposit) - channel.accrued - reserved(channel)
  if (channel.phase !== 'open') throw LedgerError.CHANNEL_CLOSED()
  if (channel.reservations.has(request)) throw LedgerError.REQUEST_DUPLICATE(request)
  if (channel.reservations.size >= MAX_PARALLEL) throw LedgerError.CHANNEL_BUSY(MAX_PARALLEL)
  if (terms.limit > left) throw LedgerError.CHANNEL_EXHAUSTED(terms.limit, left)
  if (terms.ahead > terms.limit) throw LedgerError.RESERVATION_EXCEEDED(terms.ahead, terms.limit)
  const { limit, window, ahead } = terms
  return withReservation(channel, request, { limit, window, ahead, delivered: NO_COST })
}

function deliver(channel: Channel, request: string, amount: MicroLamports): Channel {
  const reservation = find(channel, request)
  const delivered = microLamports(reservation.delivered + amount)
  const accrued = microLamports(channel.accrued + amount)
  const unpaid = accrued - toMicroLamports(channel.paid)
  const beyond = channel.side === 'provider' && amount > 0n && unpaid > reservation.window
  if (delivered > reservation.limit) throw LedgerError.RESERVATION_EXCEEDED(delivered, reservation.limit)
  if (beyond) throw LedgerError.CREDIT_EXCEEDED(unpaid, reservation.window)
  return { ...withReservation(channel, request, { ...reservation, delivered }), accrued }
}

function pay(channel: Channel, cumulative: Lamports): Channel {
  if (cumulative > channel.deposit) throw LedgerError.VOUCHER_OVER_DEPOSIT(cumulative, channel.deposit)
  if (cumulative <= channel.paid) throw LedgerError.VOUCHER_NOT_HIGHER(cumulative, channel.paid)
  if (channel.side === 'consumer' && cumulative > due(channel)) {
    throw LedgerError.PAYMENT_AHEAD(cumulative, due(channel))
  }
  return { ...channel, paid: cumulative }
}

function release(channel: Channel, request: string): Channel {
  find(channel, request)
  const reservations = new Map(channel.reservations)
  reservations.delete(request)
  return { ...channel, reservations }
}

function writeOff(channel: Channel, amount: MicroLamports): Channel {
  const unpaid = channel.accrued - toMicroLamports(channel.paid)
  if (amount > unpaid) throw LedgerError.WRITE_OFF_TOO_LARGE(amount, unpaid)
  return { ...channel, accrued: microLamports(channel.accrued - amount) }
}

function topUp(channel: Channel, deposit: Lamports): Channel {
  if (channel.phase !== 'open') throw LedgerError.CHANNEL_CLOSED()
  if (deposit < channel.deposit) throw LedgerError.AMOUNT_OUT_OF_RANGE('a deposit only grows while a channel is open')
  return { ...channel, deposit }
}

function find(channel: Channel, request: string): Reservation {
  const reservation = channel.reservations.get(request)
  if (!reservation) throw LedgerError.REQUEST_UNKNOWN(request)
  return reservation
}

function withReservation(channel: Channel, request: string, reservation: Reservation): Channel {
  return { ...channel, reservations: new Map(channel.reservations).set(request, reservation) }
}

function reserved(channel: Channel): bigint {
  let sum = 0n
  for (const { limit, delivered } of channel.reservations.values()) sum += limit - delivered
  return sum
}

function aheadLeft(channel: Channel): bigint {
  let sum = 0n
  for (const { ahead, delivered } of channel.reservations.values()) if (ahead > delivered) sum += ahead - delivered
  return sum
}

function least(...amounts: readonly [MicroLamports, ...MicroLamports[]]): MicroLamports {
  return amounts.reduce((a, b) => (b < a ? b : a))
}

function most(...amounts: readonly [MicroLamports, ...MicroLamports[]]): MicroLamports {
  return amounts.reduce((a, b) => (b > a ? b : a))
}
