import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import {
  addLamports,
  addMicroLamports,
  ceilToLamports,
  floorToLamports,
  formatLamports,
  formatMicroLamports,
  lamports,
  MAX_MICRO,
  MAX_U64,
  microLamports,
  parseLamports,
  subtractLamports,
  subtractMicroLamports,
  toMicroLamports,
} from '../../ledger/amount.js'
import { cost, FREE, isFree, price } from '../../ledger/price.js'

const outOfRange = { code: 'AMOUNT_OUT_OF_RANGE' }
const USDC = { symbol: 'USDC', decimals: 6 }

test('amounts stay within their range at both ends', () => {
  assert.equal(lamports(MAX_U64), MAX_U64)
  assert.throws(() => lamports(MAX_U64 + 1n), outOfRange)
  assert.throws(() => lamports(-1n), outOfRange)
  assert.throws(() => microLamports(MAX_MICRO + 1n), outOfRange)
  assert.throws(() => addLamports(lamports(MAX_U64), lamports(1n)), outOfRange)
  assert.throws(() => addMicroLamports(microLamports(MAX_MICRO), microLamports(1n)), outOfRange)
  assert.throws(() => subtractLamports(lamports(1n), lamports(2n)), outOfRange)
  assert.throws(() => subtractMicroLamports(microLamports(1n), microLamports(2n)), outOfRange)
})

test('every amount of lamports has a microlamport form, and rounding is exact there', () => {
  for (const value of [0n, 1n, MAX_U64]) {
    assert.equal(ceilToLamports(toMicroLamports(lamports(value))), value)
    assert.equal(floorToLamports(toMicroLamports(lamports(value))), value)
  }
})

test('rounding up never pays the provider short, and by less than one lamport too much', () => {
  const near = fc.tuple(fc.bigInt(0n, 8n), fc.bigInt(-2n, 2n)).map(([whole, rest]) => whole * 1_000_000n + rest)
  fc.assert(
    fc.property(near, (drawn) => {
      fc.pre(drawn >= 0n)
      const value = microLamports(drawn)
      const paid = toMicroLamports(ceilToLamports(value))
      assert.ok(paid >= value && paid - value < 1_000_000n)
      assert.ok(value - toMicroLamports(floorToLamports(value)) < 1_000_000n)
    }),
  )
})

test('rounding the sum once costs at most one lamport, whatever the number of requests', () => {
  fc.assert(
    fc.property(fc.array(fc.bigInt(0n, 8n), { maxLength: 8 }), (costs) => {
      const sum = costs.map((one) => microLamports(one)).reduce((a, b) => addMicroLamports(a, b), microLamports(0n))
      assert.equal(ceilToLamports(sum), sum === 0n ? 0n : 1n)
    }),
  )
})

test('texts are exact, in any coin', () => {
  assert.equal(formatLamports(lamports(1_500_000_000n)), '1.5 SOL')
  assert.equal(formatLamports(lamports(1n)), '0.000000001 SOL')
  assert.equal(formatLamports(lamports(0n)), '0 SOL')
  assert.equal(formatLamports(lamports(MAX_U64)), '18446744073.709551615 SOL')
  assert.equal(formatMicroLamports(microLamports(25n)), '0.000000000000025 SOL')
  assert.equal(formatLamports(lamports(1_250_000n), USDC), '1.25 USDC')
})

test('what was written is read back, and what is no amount is refused', () => {
  fc.assert(
    fc.property(fc.bigInt(0n, MAX_U64), (value) => {
      const text = formatLamports(lamports(value)).replace(' SOL', '')
      assert.equal(parseLamports(text), value)
    }),
  )
  for (const text of ['', '.5', '1.', '-1', '1e9', '1.0000000001', '1,5', ' 1', '18446744073.709551616', '٣']) {
    assert.throws(() => parseLamports(text), outOfRange, text)
  }
  assert.equal(parseLamports('0.25', USDC), 250_000n)
  assert.throws(() => parseLamports('0.0000001', USDC), outOfRange)
})

test('a cost is tokens times price, without division', () => {
  const prices = { input: price(3n), cached: price(1n), output: price(7n) }
  assert.equal(cost(prices, { input: 10, cached: 5, output: 2 }), 49n)
  assert.equal(cost(FREE, { input: 10, cached: 5, output: 2 }), 0n)
  assert.ok(isFree(FREE) && !isFree(prices))
  assert.throws(() => price(-1n), { code: 'PRICE_OUT_OF_RANGE' })
  for (const output of [-1, 0.5, NaN, 2 ** 53]) {
    assert.throws(() => cost(prices, { input: 0, cached: 0, output }), { code: 'TOKENS_OUT_OF_RANGE' })
  }
})
