/** The checks of the storm, each shown a disk that broke its promise. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Books, Kept, Promised } from './evidence.js'
import { brokenBooks, brokenVouchers } from './promises.js'
import type { Bounds, Pair } from './promises.js'

const BOUNDS: Bounds = { deposit: 100n, crashes: 0, window: 2_000_000n, underWay: 3_000_000n }
const NONE: Promised = { signed: 0n, held: 0n, genuine: true }

function promised(signed: bigint, held: bigint, genuine = true): Pair<Promised> {
  return { consumer: { ...NONE, signed }, provider: { ...NONE, held, genuine } }
}

/** The n-th transaction of a day without accidents, as one side keeps it. */
function kept(n: number, role: Kept['role'], changes: Partial<Kept> = {}): Kept {
  return {
    id: `id-${n}`,
    role,
    signed: 'both',
    name: `receipt-${n}`,
    provider: 'p',
    counter: n,
    previous: n === 0 ? 'zeros' : `receipt-${n - 1}`,
    channel: 'c',
    cost: 4_000_000n,
    ...changes,
  }
}

function books(entries: readonly Kept[], vouchers: Partial<Promised> = {}, changes: Partial<Books> = {}): Books {
  return {
    kept: entries,
    vouchers: { ...NONE, ...vouchers },
    faults: [],
    contents: { read: 0, unreadable: 0 },
    ...changes,
  }
}

const GOOD: Pair<Books> = {
  consumer: books([kept(0, 'consumer'), kept(1, 'consumer')], { signed: 8n }),
  provider: books([kept(0, 'provider'), kept(1, 'provider')], { held: 8n }),
}

test('disks that kept every promise are found without fault', () => {
  assert.deepEqual(brokenVouchers(promised(3n, 2n), promised(5n, 5n), BOUNDS), [])
  assert.deepEqual(brokenBooks(GOOD, GOOD, BOUNDS), [])
  assert.deepEqual(brokenBooks(null, GOOD, BOUNDS), [])
})

test('a voucher that is forgotten, lost, over the deposit, unheard of or forged is seen', () => {
  const cases: readonly (readonly [Pair<Promised>, RegExp])[] = [
    [promised(2n, 2n), /forgotten that it signed 3/],
    [promised(101n, 2n), /over the deposit/],
    [promised(3n, 1n), /lost its voucher over 2/],
    [promised(3n, 4n), /holds 4, the consumer knows of 3/],
    [promised(3n, 3n, false), /not signed by the channel/],
  ]
  for (const [now, words] of cases) {
    const broken = brokenVouchers(promised(3n, 2n), now, BOUNDS)
    assert.equal(broken.length, 1, broken.join('\n'))
    assert.match(broken[0] ?? '', words)
  }
})

test('a log that loses, repeats or changes an entry, does not verify or cannot be read is seen', () => {
  const lost = { ...GOOD, consumer: books([kept(0, 'consumer')], { signed: 8n }) }
  assert.match(brokenBooks(GOOD, lost, BOUNDS).join('\n'), /had id-1 \(both\) at 1 and now has nothing/)
  const half = books([kept(0, 'consumer'), kept(1, 'consumer', { signed: 'consumer' })], { signed: 8n })
  assert.match(brokenBooks(GOOD, { ...GOOD, consumer: half }, BOUNDS).join('\n'), /had id-1 \(both\)/)
  const twice = books([kept(0, 'consumer'), kept(0, 'consumer')], { signed: 8n })
  assert.match(brokenBooks(null, { ...GOOD, consumer: twice }, BOUNDS).join('\n'), /has id-0 twice/)
  const faulty = books(GOOD.consumer.kept, { signed: 8n }, { faults: ['tree: another hash'] })
  assert.match(brokenBooks(null, { ...GOOD, consumer: faulty }, BOUNDS).join('\n'), /does not verify: tree/)
  const blind = books(GOOD.provider.kept, { held: 8n }, { contents: { read: 2, unreadable: 1 } })
  assert.match(brokenBooks(null, { ...GOOD, provider: blind }, BOUNDS).join('\n'), /cannot read 1 of its own/)
})

test('a chain of receipts with a hole, a second or a stranger in it is seen', () => {
  const chain = (...entries: readonly Kept[]): string =>
    brokenBooks(null, { consumer: books([], { signed: 8n }), provider: books(entries, { held: 8n }) }, BOUNDS).join(
      '\n',
    )
  const half = { signed: 'provider' } as const
  assert.match(chain(kept(0, 'provider', half), kept(2, 'provider', half)), /a hole at number 1/)
  assert.match(
    chain(kept(0, 'provider', half), kept(0, 'provider', { ...half, id: 'other', name: 'other' })),
    /a second number 1/,
  )
  assert.match(chain(kept(0, 'provider', half), kept(1, 'provider', { ...half, previous: 'x' })), /does not follow/)
})

test('a signature that its own signer does not know is seen', () => {
  const unknown = { ...GOOD, provider: books([kept(0, 'provider')], { held: 8n }) }
  assert.match(brokenBooks(null, unknown, BOUNDS).join('\n'), /a receipt id-1 that its provider does not know/)
  const other = { ...GOOD, provider: books([kept(0, 'provider'), kept(1, 'provider', { name: 'x' })], { held: 8n }) }
  assert.match(brokenBooks(null, other, BOUNDS).join('\n'), /a receipt id-1 that its provider does not know/)
  const uncountersigned = { ...GOOD, consumer: books([kept(0, 'consumer')], { signed: 8n }) }
  assert.match(brokenBooks(null, uncountersigned, BOUNDS).join('\n'), /id-1 signed by both, the consumer has nothing/)
})

test('service beyond the vouchers, and payment for nothing, are seen past what the crashes may have cost', () => {
  const paid = (held: bigint, signed = held): Pair<Books> => ({
    consumer: books(GOOD.consumer.kept, { signed }),
    provider: books(GOOD.provider.kept, { held }),
  })
  assert.deepEqual(brokenBooks(null, paid(5n), BOUNDS), [])
  assert.match(brokenBooks(null, paid(4n), BOUNDS).join('\n'), /4000000 microlamports were served beyond/)
  assert.deepEqual(brokenBooks(null, paid(4n), { ...BOUNDS, crashes: 1 }), [])
  assert.deepEqual(brokenBooks(null, paid(12n), BOUNDS), [])
  assert.match(brokenBooks(null, paid(13n), BOUNDS).join('\n'), /5000000 microlamports were paid for nothing/)
  assert.match(brokenBooks(null, paid(8n, 13n), BOUNDS).join('\n'), /5000000 microlamports were promised for nothing/)
})
