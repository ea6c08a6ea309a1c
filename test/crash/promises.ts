/**
 * The promises of docs/ledger.md as questions to the two disks, before a crash and after it. Each returns what is broken, in
 * words; an empty list is a promise that was kept. Pure, so that a test can break each promise and see it caught.
 */
import type { Books, Kept, Promised } from './evidence.js'

export interface Pair<T> {
  readonly consumer: T
  readonly provider: T
}

/** What may be lost by crashes. */
export interface Bounds {
  /** Lamports; the most that may ever be promised. */
  readonly deposit: bigint
  /** Crashes so far, of either side. */
  readonly crashes: number
  /** Microlamports: the most that may be delivered and unpaid in one life. */
  readonly window: bigint
  /** Microlamports: the most that may be paid for and unrecorded when a process dies: everything that was under way. */
  readonly underWay: bigint
}

const MICRO = 1_000_000n

/** Promises 1 and 2: after every crash. `before` is what was known to be durable. */
export function brokenVouchers(before: Pair<Promised>, now: Pair<Promised>, { deposit }: Bounds): string[] {
  const { consumer, provider } = now
  return listed([
    [consumer.signed < before.consumer.signed, `the consumer has forgotten that it signed ${before.consumer.signed}`],
    [consumer.signed > deposit, `${consumer.signed} lamports are signed, over the deposit of ${deposit}`],
    [provider.held < before.provider.held, `the provider has lost its voucher over ${before.provider.held}`],
    [provider.held > consumer.signed, `the provider holds ${provider.held}, the consumer knows of ${consumer.signed}`],
    [!provider.genuine, 'the voucher that the provider holds is not signed by the channel'],
  ])
}

/** Promise 3 and the record behind it: each log by itself, then against the other, then against money. */
export function brokenBooks(before: Pair<Books> | null, now: Pair<Books>, bounds: Bounds): string[] {
  const { consumer, provider } = now
  return [
    ...brokenLog('consumer', before?.consumer ?? null, consumer),
    ...brokenLog('provider', before?.provider ?? null, provider),
    ...brokenChain(provider.kept),
    ...brokenAgreement(consumer.kept, provider.kept),
    ...brokenMoney(now, bounds),
  ]
}

/** One log: it verifies, it only grew, and every transaction is in it once. */
function brokenLog(side: string, before: Books | null, now: Books): string[] {
  const found = now.faults.map((fault) => `the ${side}'s log does not verify: ${fault}`)
  const ids = new Set<string>()
  for (const { id } of now.kept) {
    if (ids.has(id)) found.push(`the ${side}'s log has ${id} twice`)
    ids.add(id)
  }
  for (const [position, was] of (before?.kept ?? []).entries()) {
    const is = now.kept[position]
    if (is?.name === was.name && is.signed === was.signed) continue
    found.push(`the ${side}'s log had ${was.id} (${was.signed}) at ${position} and now has ${is?.id ?? 'nothing'}`)
  }
  const { unreadable } = now.contents
  if (unreadable > 0) found.push(`the ${side} cannot read ${unreadable} of its own contents`)
  return found
}

/** The provider's receipts: counters 0, 1, 2 …, each pointing at the one before. */
function brokenChain(kept: readonly Kept[]): string[] {
  const receipts = kept.filter(({ role, signed }) => role === 'provider' && signed !== 'consumer')
  const chain = receipts.toSorted((a, b) => a.counter - b.counter)
  for (const [i, { counter, previous }] of chain.entries()) {
    if (counter !== i) return [`the provider's receipts have ${counter > i ? 'a hole at' : 'a second'} number ${i}`]
    if (i > 0 && previous !== chain[i - 1]?.name) return [`receipt ${i} does not follow on the one before`]
  }
  return []
}

/** What one side holds of the other: no signature of the provider is unknown to it, none of the consumer to the consumer. */
function brokenAgreement(consumer: readonly Kept[], provider: readonly Kept[]): string[] {
  const found: string[] = []
  const issued = new Map(provider.map((one) => [one.id, one]))
  const own = new Map(consumer.map((one) => [one.id, one]))
  for (const { id, name, signed } of consumer) {
    if (signed !== 'consumer' && issued.get(id)?.name !== name)
      found.push(`the consumer has a receipt ${id} that its provider does not know`)
  }
  for (const { id, name, signed } of provider) {
    const theirs = own.get(id)
    if (signed === 'both' && (theirs?.signed !== 'both' || theirs.name !== name))
      found.push(`the provider has ${id} signed by both, the consumer has ${theirs?.signed ?? 'nothing'}`)
  }
  return found
}

/** Paid, billed and recorded differ by no more than what the crashes may have cost either side. */
function brokenMoney({ consumer, provider }: Pair<Books>, bounds: Bounds): string[] {
  const paid = provider.vouchers.held * MICRO
  const promised = consumer.vouchers.signed * MICRO
  const billed = sum(provider.kept)
  const recorded = sum(consumer.kept)
  const lives = BigInt(bounds.crashes + 1)
  const slack = lives * (bounds.underWay + MICRO)
  return listed([
    [billed - paid > lives * bounds.window + MICRO, `${billed - paid} microlamports were served beyond the vouchers`],
    [paid - billed > slack, `${paid - billed} microlamports were paid for nothing that was billed`],
    [promised - recorded > slack, `${promised - recorded} microlamports were promised for nothing that is recorded`],
  ])
}

function sum(kept: readonly Kept[]): bigint {
  return kept.reduce((total, { cost }) => total + cost, 0n)
}

function listed(checks: readonly (readonly [broken: boolean, words: string])[]): string[] {
  return checks.filter(([broken]) => broken).map(([, words]) => words)
}
