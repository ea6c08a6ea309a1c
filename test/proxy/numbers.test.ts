import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { lamportsText } from '../../proxy/dialect/receipts.js'
import { milli, samplingFrom, seedOf } from '../../proxy/dialect/sampling.js'

test('a number with at most three decimals arrives exactly', () => {
  fc.assert(
    fc.property(fc.integer({ min: -100_000, max: 100_000 }), (thousandths) => {
      assert.equal(milli(Number((thousandths / 1000).toFixed(3))), thousandths)
    }),
  )
})

test('any other number becomes the nearest thousandth, in order, and never -0', () => {
  const number = fc.double({ min: -100, max: 100, noNaN: true })
  fc.assert(
    fc.property(number, number, (a, b) => {
      assert.ok(Math.abs(milli(a) / 1000 - a) <= 0.0005 + 1e-12)
      assert.ok(Number.isInteger(milli(a)))
      assert.ok(!Object.is(milli(a), -0))
      if (a <= b) assert.ok(milli(a) <= milli(b))
    }),
  )
  assert.deepEqual([milli(0.0005), milli(-0.0005), milli(-0.0001), milli(0.0004)], [1, 0, 0, 0])
})

test('whatever the schema lets through is inside the ranges of the protocol', () => {
  const fields = fc.record(
    {
      temperature: fc.double({ min: 0, max: 2, noNaN: true }),
      top_p: fc.double({ min: 0, max: 1, noNaN: true }),
      min_p: fc.double({ min: 0, max: 1, noNaN: true }),
      presence_penalty: fc.double({ min: -2, max: 2, noNaN: true }),
      frequency_penalty: fc.double({ min: -2, max: 2, noNaN: true }),
      repetition_penalty: fc.double({ min: 0.001, max: 10, noNaN: true }),
      top_k: fc.integer({ min: -1, max: 1000 }),
      seed: fc.integer({ min: -8, max: 8 }),
      logit_bias: fc.dictionary(fc.nat(50).map(String), fc.double({ min: -100, max: 100, noNaN: true })),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(fields, (given) => {
      const sampling = samplingFrom(given)
      const within = (value: number, min: number, max: number): void => {
        assert.ok(Number.isInteger(value) && value >= min && value <= max, `${value}`)
      }
      within(sampling.temperatureMilli, 0, 100_000)
      within(sampling.topPMilli, 1, 1000)
      within(sampling.minPMilli, 0, 1000)
      within(sampling.topK, 0, 64)
      within(sampling.presencePenaltyMilli, -2000, 2000)
      within(sampling.frequencyPenaltyMilli, -2000, 2000)
      within(sampling.repeatPenaltyMilli, 1, 10_000)
      const ids = sampling.logitBias.map(([id]) => id)
      assert.deepEqual(
        ids,
        [...new Set(ids)].sort((a, b) => a - b),
      )
      for (const [, value] of sampling.logitBias) within(value, -100_000, 100_000)
      assert.ok(sampling.seed === null || (sampling.seed >= 0n && sampling.seed < 2n ** 64n))
      assert.equal(sampling.seed === null, given.seed === undefined)
    }),
  )
})

test('a top_k over the candidates, or off in the way of other servers, means all candidates or off', () => {
  assert.deepEqual(
    [-1, 0, 1, 64, 65, 1000].map((top_k) => samplingFrom({ top_k }).topK),
    [0, 0, 1, 64, 64, 64],
  )
})

test('token ids of a logit bias are canonical decimals', () => {
  for (const id of ['01', '-1', '1.0', ' 1', '1e3', '', '4294967296', 'x', '__proto__']) {
    assert.throws(() => samplingFrom({ logit_bias: Object.fromEntries([[id, 1]]) }), { code: 'invalid_value' }, id)
  }
  assert.deepEqual(samplingFrom({ logit_bias: { '4294967295': 0.5, '0': -1 } }).logitBias, [
    [0, -1000],
    [4294967295, 500],
  ])
})

test('the seeds of several choices are the next numbers, around the end of u64', () => {
  assert.equal(seedOf(null, 3), null)
  assert.equal(seedOf(5n, 0), 5n)
  assert.equal(seedOf(2n ** 64n - 1n, 1), 0n)
  assert.equal(samplingFrom({ seed: -2 }).seed, 2n ** 64n - 2n)
})

test('a cost in lamports is an exact decimal', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 3_000_000n }), (micro) => {
      const text = lamportsText(micro)
      assert.match(text, /^(0|[1-9]\d*)(\.\d{0,5}[1-9])?$/)
      const [whole = '0', rest = ''] = text.split('.')
      assert.equal(BigInt(whole) * 1_000_000n + BigInt(rest.padEnd(6, '0')), micro)
    }),
  )
})
