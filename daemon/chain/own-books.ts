/** What a chain of one's own holds for two parties: looked up in its memory, for a demonstration's last lines. */
import type { EmbeddedChain } from '../../ledger/chain/embedded/chain.js'
import { CHANNEL, OFFER, PROVIDER } from '../../ledger/chain/layout/accounts.js'
import { bytesOf } from './link.js'

/** Lamports. */
export interface OwnBooks {
  readonly registered: boolean
  /** How many channels there are; all of them together: */
  readonly channels: number
  readonly deposit: bigint
  /** Paid out of the deposits, before fees. */
  readonly settled: bigint
  readonly fees: bigint
  /** Kept in the accounts of channels, providers and offers until they are closed, beside the deposits' rest. */
  readonly rent: bigint
}

export function ownBooks(chain: EmbeddedChain, program: string): OwnBooks {
  const accounts = chain.accountsOf(bytesOf(program)).map(({ account }) => account)
  const of = (kind: number): typeof accounts => accounts.filter(({ data }) => data[0] === kind)
  const books = { registered: of(PROVIDER.kind).length > 0, channels: 0, deposit: 0n, settled: 0n, fees: 0n, rent: 0n }
  for (const { lamports } of [...of(PROVIDER.kind), ...of(OFFER.kind)]) books.rent += lamports
  for (const { data, lamports } of of(CHANNEL.kind)) {
    const { deposit, settled, feeBps } = CHANNEL.decode(data)
    books.channels++
    books.deposit += deposit
    books.settled += settled
    books.fees += (settled * BigInt(feeBps)) / 10_000n
    books.rent += lamports - (deposit - settled)
  }
  return books
}
