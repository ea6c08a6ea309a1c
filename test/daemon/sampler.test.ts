import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { exp, log } from '../../daemon/engine/sampler/arithmetic.js'
import type { SamplerParameters } from '../../daemon/engine/sampler/icdf.js'
import { IcdfSampler } from '../../daemon/engine/sampler/icdf.js'
import { Uniform } from '../../daemon/engine/sampler/uniform.js'

const PLAIN: SamplerParameters = {
  temperatureMilli: 1000,
  topPMilli: 1000,
  minPMilli: 0,
  topK: 0,
  presencePenaltyMilli: 0,
  frequencyPenaltyMilli: 0,
  repeatPenaltyMilli: 1000,
  logitBias: [],
  seed: 7n,
}

type Entries = readonly (readonly [number, number])[]

const entriesOf = (logits: readonly number[]): Entries => logits.map((logit, token) => [token, logit])

/** Candidates with few distinct logits, so that ties are common. */
const smallLogits = fc.array(fc.integer({ min: -6, max: 6 }), { minLength: 1, maxLength: 64 })
/** All alike, mostly: sums of weights then meet the limits of top-p and min-p exactly. */
const equalLogits = fc.array(fc.constantFrom(0, 0, 0, -1), { minLength: 1, maxLength: 8 })
const logits = fc.array(fc.float({ min: -30, max: 30, noNaN: true }), { minLength: 1, maxLength: 64 })

void test('exp agrees with Math.exp to within two units in the last place', () => {
  fc.assert(
    fc.property(fc.double({ min: -690, max: 690, noNaN: true }), (x) => {
      const expected = Math.exp(x)
      assert.ok(Math.abs(exp(x) - expected) <= expected * 4.5e-16, `exp(${x})`)
    }),
    { numRuns: 20_000 },
  )
  assert.equal(exp(0), 1)
  assert.equal(exp(-701), 0)
})

void test('log agrees with Math.log to within two units in the last place', () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-300, max: 1e300, noNaN: true }), (x) => {
      const expected = Math.log(x)
      assert.ok(Math.abs(log(x) - expected) <= Math.max(Math.abs(expected) * 4.5e-16, 1e-300), `log(${x})`)
    }),
    { numRuns: 20_000 },
  )
  assert.equal(log(1), 0)
})

void test('the arithmetic gives the pinned bits on every machine', () => {
  const hex = (x: number): string =>
    Buffer.from(new Float64Array([x]).buffer)
      .reverse()
      .toString('hex')
  assert.deepEqual([-0.1, -1, -3.7, -20.25, -300, 1, 0.5].map(exp).map(hex), GOLDEN_EXP)
  assert.deepEqual([0.1, 0.7, 0.9999, 1.5, 3, 64, 12345.678].map(log).map(hex), GOLDEN_LOG)
})

void test('the uniform numbers of seed and position are the pinned ones', () => {
  const uniform = new Uniform(42n)
  assert.deepEqual(
    [0, 1, 2, 1000, 2 ** 33].map((position) => uniform.at(position)),
    GOLDEN_UNIFORM,
  )
  assert.deepEqual(
    [0, 1].map((position) => new Uniform(2n ** 64n - 1n).at(position)),
    GOLDEN_UNIFORM_LAST_SEED,
  )
})

void test('uniform numbers lie strictly between 0 and 1 and fill ten bins evenly', () => {
  const uniform = new Uniform(1n)
  const bins = new Array<number>(10).fill(0)
  for (let position = 0; position < 20_000; position++) {
    const u = uniform.at(position)
    assert.ok(u > 0 && u < 1)
    const bin = Math.floor(u * 10)
    bins[bin] = (bins[bin] ?? 0) + 1
  }
  const chi = bins.reduce((sum, count) => sum + (count - 2000) ** 2 / 2000, 0)
  assert.ok(chi < 33.7, `chi-square ${chi} of nine degrees of freedom (p = 0.0001 at 33.7)`)
})

void test('a temperature of 0 takes the highest logit, and the lower id of equals', () => {
  fc.assert(
    fc.property(smallLogits, fc.nat(1000), (values, position) => {
      const sampler = new IcdfSampler({ ...PLAIN, temperatureMilli: 0 })
      const best = values.indexOf(Math.max(...values))
      assert.equal(sampler.draw(entriesOf(values).flat(), position).token, best)
    }),
  )
})

void test('the draw does not depend on the order in which candidates arrive', () => {
  fc.assert(
    fc.property(smallLogits, fc.nat(1000), fc.integer(), (values, position, shuffle) => {
      const entries = entriesOf(values)
      const shuffled = entries.toSorted((a, b) => ((a[0] * 7919 + shuffle) % 64) - ((b[0] * 7919 + shuffle) % 64))
      const draw = (list: Entries): number => new IcdfSampler(PLAIN).draw(list.flat(), position).token
      assert.equal(draw(entries), draw(shuffled))
    }),
  )
})

void test('every parameter set draws what a naive reference draws', () => {
  const parameters = fc.record({
    temperatureMilli: fc.constantFrom(0, 1, 300, 1000, 2000),
    topPMilli: fc.oneof(fc.constantFrom(250, 500, 750, 1000), fc.integer({ min: 1, max: 1000 })),
    minPMilli: fc.oneof(fc.constantFrom(0, 1000), fc.integer({ min: 0, max: 1000 })),
    topK: fc.integer({ min: 0, max: 64 }),
    presencePenaltyMilli: fc.constantFrom(0, -2000, 500, 2000),
    frequencyPenaltyMilli: fc.constantFrom(0, -2000, 300, 2000),
    repeatPenaltyMilli: fc.constantFrom(1000, 1, 1100, 10_000),
    seed: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    logitBias: fc.constant([]),
  })
  const earlier = fc.array(fc.integer({ min: 0, max: 8 }), { maxLength: 12 })
  fc.assert(
    fc.property(
      parameters,
      fc.oneof(logits, smallLogits, equalLogits),
      earlier,
      fc.nat(100_000),
      (p, values, output, position) => {
        const sampler = new IcdfSampler(p)
        for (const token of output) sampler.accept(token)
        const { token, logprob } = sampler.draw(entriesOf(values).flat(), position)
        const expected = reference(p, values, output, position)
        assert.equal(token, expected.token)
        assert.ok(Math.abs(logprob - expected.logprob) < 1e-9, `${logprob} is not ${expected.logprob}`)
      },
    ),
    { numRuns: 3_000 },
  )
})

void test('many positions follow the probabilities (chi-square)', () => {
  const values = [2, 1.5, 1, 0, -1]
  const sampler = new IcdfSampler({ ...PLAIN, temperatureMilli: 800, seed: 99n })
  const counts = new Array<number>(values.length).fill(0)
  const draws = 50_000
  for (let position = 0; position < draws; position++) {
    const { token } = sampler.draw(entriesOf(values).flat(), position)
    counts[token] = (counts[token] ?? 0) + 1
  }
  const weights = values.map((value) => Math.exp(value / 0.8))
  const sum = weights.reduce((a, b) => a + b, 0)
  const chi = weights.reduce((total, weight, i) => {
    const expected = (weight / sum) * draws
    return total + ((counts[i] ?? 0) - expected) ** 2 / expected
  }, 0)
  assert.ok(chi < 23.5, `chi-square ${chi} of four degrees of freedom (p = 0.0001 at 23.5)`)
})

void test('a stream that goes on at position n draws the same tokens as one that was never cut', () => {
  fc.assert(
    fc.property(
      fc.array(logits, { minLength: 2, maxLength: 20 }),
      fc.nat(19),
      fc.bigInt({ min: 0n, max: 99n }),
      (steps, cut, seed) => {
        const parameters = { ...PLAIN, seed, frequencyPenaltyMilli: 700, repeatPenaltyMilli: 1200 }
        const run = (sampler: IcdfSampler, from: number): number[] =>
          steps.slice(from).map((values, i) => {
            const { token } = sampler.draw(entriesOf(values).flat(), from + i)
            sampler.accept(token)
            return token
          })
        const whole = run(new IcdfSampler(parameters), 0)
        const at = cut % steps.length
        const resumed = new IcdfSampler(parameters)
        for (const token of whole.slice(0, at)) resumed.accept(token)
        assert.deepEqual(run(resumed, at), whole.slice(at))
      },
    ),
  )
})

void test('logit bias moves the draw but not the reported probability', () => {
  const biased = { ...PLAIN, temperatureMilli: 0, logitBias: [[2, 100_000]] as const }
  // The native side has added the bias to token 2 already.
  const choice = new IcdfSampler(biased).draw([0, 3, 1, 2, 2, 101], 0)
  assert.equal(choice.token, 2)
  const sum = Math.exp(3) + Math.exp(2) + Math.exp(1)
  assert.ok(Math.abs(choice.logprob - Math.log(Math.exp(1) / sum)) < 1e-9)
})

void test('the bias of a token that the native side leaves alone is added here', () => {
  const biased = { ...PLAIN, temperatureMilli: 0, logitBias: [[1, -100_000]] as const }
  const choice = new IcdfSampler(biased, (token) => token === 1).draw([0, 1, 1, 5], 0)
  assert.equal(choice.token, 0)
})

void test('the kept alternatives are the best by probability, ties by lower id, and sum to at most 1', () => {
  fc.assert(
    fc.property(smallLogits, (values) => {
      const sampler = new IcdfSampler(PLAIN)
      sampler.draw(entriesOf(values).flat(), 0)
      const top = sampler.top(8)
      const order = entriesOf(values).toSorted((a, b) => b[1] - a[1] || a[0] - b[0])
      assert.deepEqual(
        top.map(({ token }) => token),
        order.slice(0, 8).map(([token]) => token),
      )
      assert.ok(top.reduce((sum, { logprob }) => sum + Math.exp(logprob), 0) <= 1 + 1e-9)
    }),
  )
})

/** Written for clearness, with Math.exp and sorting everything. */
function reference(
  p: SamplerParameters,
  values: readonly number[],
  output: readonly number[],
  position: number,
): { token: number; logprob: number } {
  const total =
    Math.log(values.reduce((sum, value) => sum + Math.exp(value - Math.max(...values)), 0)) + Math.max(...values)
  const adjusted = values.map((value, token) => {
    const count = output.filter((earlier) => earlier === token).length
    if (count === 0) return value
    const repeat = p.repeatPenaltyMilli / 1000
    return (
      (value > 0 ? value / repeat : value * repeat) -
      (count * p.frequencyPenaltyMilli) / 1000 -
      p.presencePenaltyMilli / 1000
    )
  })
  const order = adjusted
    .map((logit, token) => ({ token, logit }))
    .toSorted((a, b) => b.logit - a.logit || a.token - b.token)
  const [best] = order
  assert.ok(best)
  const done = (token: number): { token: number; logprob: number } => ({ token, logprob: (values[token] ?? 0) - total })
  if (p.temperatureMilli === 0) return done(best.token)
  let kept = order.map(({ token, logit }) => ({
    token,
    weight: exp((logit - best.logit) / (p.temperatureMilli / 1000)),
  }))
  if (p.topK > 0) kept = kept.slice(0, p.topK)
  const sum = (list: readonly { weight: number }[]): number => list.reduce((a, { weight }) => a + weight, 0)
  if (p.topPMilli < 1000) {
    const enough = (sum(kept) * p.topPMilli) / 1000
    kept = kept.filter((_, i) => i === 0 || sum(kept.slice(0, i)) < enough)
  }
  kept = kept.filter(({ weight }, i) => i === 0 || weight * 1000 >= p.minPMilli)
  const target = new Uniform(p.seed).at(position) * sum(kept)
  const found = kept.find((_, i) => target < sum(kept.slice(0, i + 1)))
  return done((found ?? kept.at(-1) ?? best).token)
}

const GOLDEN_EXP = [
  '3fecf46d99d52b3a',
  '3fd78b56362cef38',
  '3f99511fc6871044',
  '3e1b93de1e27ca3b',
  '24e245639c3a49f7',
  '4005bf0a8b14576a',
  '3ffa61298e1e069c',
]
const GOLDEN_LOG = [
  'c0026bb1bbb55515',
  'bfd6d3c324e13f50',
  'bf1a3738d2cf1cc2',
  '3fd9f323ecbf984c',
  '3ff193ea7aad030a',
  '4010a2b23f3bab73',
  '4022d79559791e31',
]
const GOLDEN_UNIFORM = [
  0.4254054424762158, 0.37532316262679555, 0.8149068879539477, 0.12773844050204197, 0.9665174863217142,
]
const GOLDEN_UNIFORM_LAST_SEED = [0.7709601495643325, 0.587400401270812]
