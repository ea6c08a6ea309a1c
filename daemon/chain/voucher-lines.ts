/**
 * Vouchers as a provider hands them to a watchtower: a JSON object a line, as `VoucherLine` of desk-items.ts says. A voucher
 * is no secret: whoever holds it can only make the chain pay the provider.
 */
import { lamports } from '../../ledger/amount.js'
import { fromBase58, toBase58 } from '../../ledger/chain/base58.js'
import type { SignedVoucher } from '../../ledger/voucher.js'
import type { VoucherLine } from './desk-items.js'
import type { ChainLink } from './link.js'

const FORMAT = 'swarmd-voucher/1'
/** A line of an export has about 400. */
const MAX_LINE = 2_048
export const MAX_LINES = 100_000
const MAX_I64 = 2n ** 63n - 1n

export interface WatchedVoucher {
  /** Base58: the provider's account. */
  readonly provider: string
  /** Base58. */
  readonly channel: string
  readonly signed: SignedVoucher
}

export interface ReadVouchers {
  /** The highest of each channel. */
  readonly vouchers: readonly WatchedVoucher[]
  /** Lines that say nothing to this watchtower: their number (from 1) and why. */
  readonly refused: readonly { readonly line: number; readonly why: string }[]
}

export function voucherLine(
  { voucher, signature }: SignedVoucher,
  genesis: string,
  { client, program }: Pick<ChainLink, 'client' | 'program'>,
): VoucherLine {
  return {
    format: FORMAT,
    chain: genesis,
    program,
    provider: client.provider,
    channel: toBase58(voucher.channel),
    cumulative: voucher.cumulative.toString(),
    expiresAt: voucher.expiresAt.toString(),
    signature: toBase58(signature),
  }
}

/** Of a whole file. Whether a signature is that of its channel's signer, only the chain can tell. */
export function readVouchers(text: string, genesis: string, program: string): ReadVouchers {
  const best = new Map<string, WatchedVoucher>()
  const refused: { line: number; why: string }[] = []
  const lines = text.split('\n')
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue
    const read = index < MAX_LINES ? readLine(line, genesis, program) : `more than ${MAX_LINES} lines`
    if (typeof read === 'string') {
      refused.push({ line: index + 1, why: read })
      if (index >= MAX_LINES) break
      continue
    }
    const known = best.get(read.channel)
    if (!known || read.signed.voucher.cumulative > known.signed.voucher.cumulative) best.set(read.channel, read)
  }
  return { vouchers: [...best.values()], refused }
}

/** The voucher, or what is wrong with the line. */
function readLine(line: string, genesis: string, program: string): WatchedVoucher | string {
  if (line.length > MAX_LINE) return 'too long for a voucher'
  let value: Readonly<Record<string, unknown>>
  try {
    value = JSON.parse(line) as Readonly<Record<string, unknown>>
  } catch {
    return 'no JSON'
  }
  if (typeof value !== 'object' || value === null || value['format'] !== FORMAT) return `no ${FORMAT}`
  if (value['chain'] !== genesis) return 'of another chain'
  if (value['program'] !== program) return 'of another program'
  const [provider, channel] = [bytes(value['provider'], 32), bytes(value['channel'], 32)]
  const signature = bytes(value['signature'], 64)
  const [cumulative, expiresAt] = [whole(value['cumulative'], 2n ** 64n - 1n), whole(value['expiresAt'], MAX_I64)]
  if (!provider || !channel || !signature || cumulative === null || expiresAt === null)
    return 'a field is missing or wrong'
  return {
    provider: toBase58(provider),
    channel: toBase58(channel),
    signed: { voucher: { channel, cumulative: lamports(cumulative), expiresAt }, signature },
  }
}

function bytes(value: unknown, length: number): Uint8Array | null {
  return typeof value === 'string' ? fromBase58(value, length) : null
}

function whole(value: unknown, most: bigint): bigint | null {
  const read = typeof value === 'string' && /^\d{1,20}$/.test(value) ? BigInt(value) : null
  return read !== null && read <= most ? read : null
}
