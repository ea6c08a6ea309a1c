/** Parallel answers on one channel that this node is paid on: who waits for a voucher, and what else may let it go on. */
import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { IncomingAccount } from '../../daemon/payment/incoming-account.js'
import { lamports, microLamports, NO_COST } from '../../ledger/amount.js'
import type { MicroLamports } from '../../ledger/amount.js'
import type { Terms } from '../../ledger/channel.js'
import { price } from '../../ledger/price.js'
import type { Prices } from '../../ledger/price.js'

const MICRO = 1_000_000n
const PRICES: Prices = { input: price(MICRO), cached: price(MICRO), output: price(MICRO) }
const lamport = (count: bigint): MicroLamports => microLamports(count * MICRO)

/** Of a hundred lamports, on which nothing was paid yet. */
function account(): IncomingAccount {
  const source = { channel: new Uint8Array(32), signer: new Uint8Array(32), deposit: lamports(100n) }
  const vouchers = { held: () => null, accept: () => assert.fail('no voucher comes') }
  return new IncomingAccount({ source, vouchers, billed: NO_COST, now: () => 0 })
}

function reserve(on: IncomingAccount, request: string, terms: Partial<Terms>): void {
  on.reserve(request, { limit: lamport(20n), window: lamport(10n), ahead: NO_COST, ...terms }, PRICES)
}

/** `went`: did what waits go on? */
function waiting(t: TestContext, on: IncomingAccount): { went: boolean } {
  const end = new AbortController()
  t.after(() => end.abort())
  const state = { went: false }
  on.payment(end.signal, 120_000).then(
    () => (state.went = true),
    () => undefined,
  )
  return state
}

for (const [how, cut] of [
  ['without a receipt', (on: IncomingAccount): void => on.release('cut', lamport(10n))],
  ['with a receipt over less', (on: IncomingAccount): void => void on.bill('cut', lamport(4n), lamport(10n))],
] as const)
  test(`what a cut answer that ends ${how} leaves of the window is another's at once: no voucher will come for it`, async (t) => {
    const here = account()
    reserve(here, 'cut', {})
    reserve(here, 'other', {})
    here.deliver('cut', lamport(10n))
    assert.equal(here.headroom('other'), 0n)
    const other = waiting(t, here)
    await setImmediate()
    assert.equal(other.went, false)
    cut(here)
    await setImmediate()
    assert.equal(other.went, true)
    assert.ok(here.headroom('other') > 0n)
  })

test('who has to be paid ahead does not wait for what a request was to pay that is gone', async (t) => {
  const here = account()
  reserve(here, 'gone', { ahead: lamport(5n) })
  reserve(here, 'free', {})
  assert.equal(here.mayStart('free'), false)
  const other = waiting(t, here)
  here.release('gone', NO_COST)
  await setImmediate()
  assert.equal(other.went, true)
  assert.equal(here.mayStart('free'), true)
})
