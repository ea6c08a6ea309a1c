/** The program's accounts as they stand on chain: single ones, and all of a kind with a field of some value. */
import { toBase58 } from './base58.js'
import { accountOf, accountsOf } from './calls.js'
import type { AccountFilter, ChainAccount } from './calls.js'
import type { Lamports } from '../amount.js'
import { CHANNEL, OFFER, PROVIDER } from './layout/accounts.js'
import type { AccountLayout, ChannelAccount, Header, OfferAccount, ProviderAccount } from './layout/accounts.js'
import type { Rpc } from './rpc.js'

export interface Found<T> {
  /** Base58. */
  readonly address: string
  readonly lamports: Lamports
  readonly account: T
}

export function channelAt(rpc: Rpc, program: string, address: string): Promise<Found<ChannelAccount> | null> {
  return one(rpc, program, address, CHANNEL)
}

export function providerAt(rpc: Rpc, program: string, address: string): Promise<Found<ProviderAccount> | null> {
  return one(rpc, program, address, PROVIDER)
}

/** `payer` in base58. */
export function channelsOfPayer(rpc: Rpc, program: string, payer: string): Promise<Found<ChannelAccount>[]> {
  return all(rpc, program, CHANNEL, { offset: CHANNEL.offsetOf('payer'), bytes: payer })
}

/** `provider` in base58: the provider's account. */
export function channelsOfProvider(rpc: Rpc, program: string, provider: string): Promise<Found<ChannelAccount>[]> {
  return all(rpc, program, CHANNEL, { offset: CHANNEL.offsetOf('provider'), bytes: provider })
}

/** `model` 32 bytes: the model root. */
export function offersOfModel(rpc: Rpc, program: string, model: Uint8Array): Promise<Found<OfferAccount>[]> {
  return all(rpc, program, OFFER, { offset: OFFER.offsetOf('model'), bytes: toBase58(model) })
}

/** Every provider there is. */
export function providers(rpc: Rpc, program: string): Promise<Found<ProviderAccount>[]> {
  return all(rpc, program, PROVIDER, null)
}

/** `provider` in base58: the provider's account. */
export function offersOfProvider(rpc: Rpc, program: string, provider: string): Promise<Found<OfferAccount>[]> {
  return all(rpc, program, OFFER, { offset: OFFER.offsetOf('provider'), bytes: provider })
}

/** Every offer there is. */
export function offers(rpc: Rpc, program: string): Promise<Found<OfferAccount>[]> {
  return all(rpc, program, OFFER, null)
}

/** The provider with this node key (32 bytes). */
export async function providerOfNode(
  rpc: Rpc,
  program: string,
  node: Uint8Array,
): Promise<Found<ProviderAccount> | null> {
  const found = await all(rpc, program, PROVIDER, { offset: PROVIDER.offsetOf('node'), bytes: toBase58(node) })
  return found[0] ?? null
}

export async function one<T extends Header>(
  rpc: Rpc,
  program: string,
  address: string,
  layout: AccountLayout<T>,
): Promise<Found<T> | null> {
  const account = await accountOf(rpc, address)
  return account?.owner === program ? decoded(account, layout) : null
}

export async function all<T extends Header>(
  rpc: Rpc,
  program: string,
  layout: AccountLayout<T>,
  field: { readonly offset: number; readonly bytes: string } | null,
): Promise<Found<T>[]> {
  const filters: AccountFilter[] = [{ dataSize: layout.size }, ...(field ? [{ memcmp: field }] : [])]
  const accounts = await accountsOf(rpc, program, filters)
  return accounts.flatMap((account) => decoded(account, layout) ?? [])
}

/** null for what is of another kind, or of a version to come: one odd account must not hide the others. */
function decoded<T extends Header>(
  { address, lamports, data }: ChainAccount,
  layout: AccountLayout<T>,
): Found<T> | null {
  if (data[0] !== layout.kind || data.byteLength !== layout.size) return null
  try {
    return { address, lamports, account: layout.decode(data) }
  } catch {
    return null
  }
}
