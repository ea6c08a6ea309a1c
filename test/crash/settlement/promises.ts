/**
 * The promises about money on a chain as questions to the chain, both disks and the wire, at any moment. Each returns what
 * is broken, in words. They are about money and not about calls: how a node opens, tops up, settles and closes is its own
 * business.
 */
import type { OutboxEntry } from '../../../ledger/chain/outbox-states.js'
import type { Promised } from '../evidence.js'

/** One channel as the chain and both disks have it. Lamports. */
export interface Seen {
  readonly address: string
  readonly payer: string
  readonly provider: string
  readonly phase: 'open' | 'closing' | 'ended'
  readonly deposit: bigint
  readonly settled: bigint
  /** In the account, rent included; 0 = it is gone. */
  readonly lamports: bigint
  readonly consumerHas: Promised
  readonly providerHas: Promised
}

export interface Facts {
  readonly channels: readonly Seen[]
  /** By channel: the highest deposit that a fork has shown, before it was dropped. Lamports. */
  readonly shown: ReadonlyMap<string, bigint>
  /** What does not add up on the chain (test/helpers/chain-books.ts). */
  readonly sums: readonly string[]
}

/** Whether so little is left of a channel that its payer opens another one. */
const LEFT_OF = 10n

/** After every crash, and in between. */
export function brokenMoney(before: Facts | null, now: Facts): string[] {
  const was = new Map(before?.channels.map((channel) => [channel.address, channel]))
  return [
    ...now.sums,
    ...now.channels.flatMap((channel) => brokenChannel(was.get(channel.address) ?? null, channel, now.shown)),
    ...[...was.keys()]
      .filter((address) => !now.channels.some((channel) => channel.address === address))
      .map((address) => `the channel ${address} was never there`),
    ...twice(now.channels),
  ]
}

function brokenChannel(before: Seen | null, now: Seen, shown: Facts['shown']): string[] {
  const { deposit, settled, lamports, consumerHas, providerHas } = now
  // Vouchers of a channel that has ended are nobody's any more, and may be forgotten.
  const top = [deposit, shown.get(now.address) ?? 0n].reduce((a, b) => (a > b ? a : b))
  const lives = now.phase !== 'ended' && lamports > 0n
  const checks: readonly (readonly [broken: boolean, words: string])[] = [
    [settled > deposit, `${settled} are settled of a deposit of ${deposit}`],
    [settled < (before?.settled ?? 0n), `settled went back from ${before?.settled ?? 0n} to ${settled}`],
    [deposit < (before?.deposit ?? 0n), `the deposit went back from ${before?.deposit ?? 0n} to ${deposit}`],
    [lives && lamports < deposit - settled, `it holds ${lamports}, which covers not ${deposit} - ${settled}`],
    [lives && consumerHas.signed < settled, `${settled} are settled and its payer knows of ${consumerHas.signed}`],
    [lives && providerHas.held < settled, `${settled} are settled and the provider holds ${providerHas.held}`],
    [consumerHas.signed > top, `${consumerHas.signed} are signed of a deposit of ${top}`],
    [
      lives && consumerHas.signed < (before?.consumerHas.signed ?? 0n),
      `its payer has forgotten that it signed ${before?.consumerHas.signed ?? 0n}`,
    ],
    [
      lives && providerHas.held < (before?.providerHas.held ?? 0n),
      `the provider has lost its voucher over ${before?.providerHas.held ?? 0n}`,
    ],
    [lives && providerHas.held > consumerHas.signed, `${providerHas.held} are held, ${consumerHas.signed} signed`],
    [!providerHas.genuine, 'the voucher held is not signed by its signer'],
    [before?.lamports === 0n && lamports > 0n, 'it was gone and is there again'],
  ]
  return checks.filter(([broken]) => broken).map(([, words]) => `channel ${now.address}: ${words}`)
}

/** One intention, one channel: while one has something left, its payer has no use for a second one to that provider. */
function twice(channels: readonly Seen[]): string[] {
  const usable = channels.filter(({ phase, deposit, consumerHas }) => {
    return phase === 'open' && deposit - consumerHas.signed >= deposit / LEFT_OF
  })
  return usable
    .filter(({ payer, provider }, i) =>
      usable.slice(0, i).some((other) => other.payer === payer && other.provider === provider),
    )
    .map(({ address, payer }) => `${payer} opened ${address} although it had another channel to use`)
}

/** How one side's outbox and the wire fit the main chain. `landed`: by signature, null = without an error. */
export function brokenOutbox(
  side: string,
  entries: readonly OutboxEntry[],
  landed: ReadonlyMap<string, unknown>,
  believed: ReadonlySet<string>,
): string[] {
  return entries.flatMap(({ id, phase, signature, failure }) => {
    if (believed.has(signature)) return []
    const there = landed.get(signature)
    if (phase === 'finalized' && there !== null)
      return [
        `the ${side} has ${id} as final, and the chain ${there === undefined ? 'does not know it' : 'refused it'}`,
      ]
    if (failure?.code === 'BLOCKHASH_EXPIRED' && there === null) return [`the ${side} gave ${id} up, and it landed`]
    return []
  })
}

/** What one intention has ever been signed as, and what of that landed: at most one. */
export function brokenIntentions(
  signed: ReadonlyMap<string, ReadonlySet<string>>,
  landed: ReadonlyMap<string, unknown>,
): string[] {
  return [...signed].flatMap(([id, signatures]) => {
    const done = [...signatures].filter((signature) => landed.get(signature) === null)
    return done.length > 1 ? [`${id} was carried out ${done.length} times`] : []
  })
}

/** At the end, in the calm: all that is worth its fee is settled, and what a fork took from a deposit is there again. */
export function unsettled(channels: readonly Seen[], fee: bigint): string[] {
  return channels
    .filter(({ phase, lamports }) => phase !== 'ended' && lamports > 0n)
    .flatMap(({ address, deposit, settled, consumerHas, providerHas }) => [
      ...(providerHas.held - settled > fee ? [`channel ${address}: ${providerHas.held} held, ${settled} settled`] : []),
      ...(consumerHas.signed > deposit ? [`channel ${address}: ${consumerHas.signed} signed of ${deposit}`] : []),
    ])
}
