import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { lamports, microLamports, toMicroLamports } from '../../ledger/amount.js'
import { due, headroom, MAX_PARALLEL, mayStart, openChannel, paymentDue, step, termsOf } from '../../ledger/channel.js'
import type { Channel, ChannelEvent, Terms } from '../../ledger/channel.js'
import { LedgerError } from '../../ledger/errors.js'
import { FREE, price } from '../../ledger/price.js'

const HALF = 500_000n

function micro(value: bigint): ReturnType<typeof microLamports> {
  return microLamports(value)
}

function reserve(request: string, limit: bigint, window: bigint, ahead = 0n): ChannelEvent {
  return { type: 'reserve', request, limit: micro(limit), window: micro(window), ahead: micro(ahead) }
}

function deliver(request: string, cost: bigint): ChannelEvent {
  return { type: 'deliver', request, cost: micro(cost) }
}

function pay(cumulative: bigint): ChannelEvent {
  return { type: 'pay', cumulative: lamports(cumulative) }
}

function run(channel: Channel, ...events: readonly ChannelEvent[]): Channel {
  return events.reduce(step, channel)
}

const provider = (deposit = 8n): Channel => openChannel('provider', lamports(deposit))
const consumer = (deposit = 8n): Channel => openChannel('consumer', lamports(deposit))

test('a request is reserved, delivered, paid and released, and what was not delivered is free again', () => {
  const served = run(provider(), reserve('a', 8_000_000n, HALF), deliver('a', HALF), pay(1n), deliver('a', HALF))
  assert.deepEqual([served.accrued, served.paid], [1_000_000n, 1n])
  assert.throws(() => step(served, reserve('b', 1n, HALF)), { code: 'CHANNEL_EXHAUSTED' })
  const released = step(served, { type: 'release', request: 'a' })
  assert.equal(step(released, reserve('b', 7_000_000n, HALF)).reservations.size, 1)
  assert.throws(() => step(released, reserve('b', 7_000_001n, HALF)), { code: 'CHANNEL_EXHAUSTED' })
})

test('every refusal has its code and leaves the channel as it was', () => {
  const open = run(provider(), reserve('a', 1_000_000n, HALF))
  const crowd = Array.from({ length: MAX_PARALLEL }, (_, i) => reserve(`${i}`, 0n, 0n))
  const cases: readonly (readonly [Channel, ChannelEvent, string])[] = [
    [step(open, { type: 'close' }), reserve('b', 0n, 0n), 'CHANNEL_CLOSED'],
    [step(open, { type: 'close' }), { type: 'top-up', deposit: lamports(9n) }, 'CHANNEL_CLOSED'],
    [open, reserve('a', 0n, 0n), 'REQUEST_DUPLICATE'],
    [run(provider(), ...crowd), reserve('one more', 0n, 0n), 'CHANNEL_BUSY'],
    [open, reserve('b', 7_000_001n, 0n), 'CHANNEL_EXHAUSTED'],
    [open, reserve('b', 1n, 0n, 2n), 'RESERVATION_EXCEEDED'],
    [open, deliver('b', 0n), 'REQUEST_UNKNOWN'],
    [open, { type: 'release', request: 'b' }, 'REQUEST_UNKNOWN'],
    [open, deliver('a', HALF + 1n), 'CREDIT_EXCEEDED'],
    [step(open, pay(8n)), deliver('a', 1_000_001n), 'RESERVATION_EXCEEDED'],
    [open, pay(0n), 'VOUCHER_NOT_HIGHER'],
    [step(open, pay(2n)), pay(2n), 'VOUCHER_NOT_HIGHER'],
    [open, pay(9n), 'VOUCHER_OVER_DEPOSIT'],
    [run(consumer(), reserve('a', 1_000_000n, HALF), deliver('a', 1n)), pay(2n), 'PAYMENT_AHEAD'],
    [run(open, deliver('a', 7n)), { type: 'write-off', amount: micro(8n) }, 'WRITE_OFF_TOO_LARGE'],
    [open, { type: 'top-up', deposit: lamports(7n) }, 'AMOUNT_OUT_OF_RANGE'],
  ]
  for (const [channel, event, code] of cases) {
    const before = structuredClone(channel)
    assert.throws(() => step(channel, event), { code }, `${event.type} ${code}`)
    assert.deepEqual(structuredClone(channel), before)
  }
})

test('a stranger pays the prompt before the provider begins, and gets no more than it paid and one window', () => {
  const terms = { ...reserve('a', 5_000_000n, HALF, 2_000_000n) }
  const asked = step(consumer(), terms)
  const waiting = step(provider(), terms)
  assert.equal(paymentDue(asked), 2n)
  assert.ok(!mayStart(waiting, 'a'))
  const started = step(waiting, pay(2n))
  assert.ok(mayStart(started, 'a'))
  assert.equal(headroom(started, 'a'), 2_500_000n)
  assert.throws(() => step(asked, pay(3n)), { code: 'PAYMENT_AHEAD' })
})

test('what was paid ahead for a refused request pays the next one', () => {
  const refused = run(consumer(), reserve('a', 2_000_000n, HALF, 2_000_000n), pay(2n), {
    type: 'release',
    request: 'a',
  })
  const next = run(refused, reserve('b', 2_000_000n, HALF), deliver('b', 1_500_000n))
  assert.equal(paymentDue(next), null)
  assert.equal(paymentDue(step(next, { type: 'release', request: 'b' })), null)
  assert.equal(due(next), 2n)
})

test('after a cut stream the provider writes off what never arrived', () => {
  const cut = run(provider(), reserve('a', 4_000_000n, 2_000_000n), deliver('a', 2_000_000n))
  const agreed = run(cut, { type: 'write-off', amount: micro(HALF) }, { type: 'release', request: 'a' }, pay(2n))
  assert.deepEqual([agreed.accrued, agreed.paid], [1_500_000n, 2n])
})

test('a free swarm runs the same rules without a voucher', () => {
  const terms = termsOf({ ...REQUEST, prices: FREE, promptTokens: 1000 })
  const served = run(provider(0n), { type: 'reserve', request: 'a', ...terms }, deliver('a', 0n))
  assert.ok(mayStart(served, 'a'))
  assert.equal(paymentDue(served), null)
  assert.throws(() => step(served, deliver('a', 1n)), { code: 'RESERVATION_EXCEEDED' })
  assert.throws(() => step(provider(0n), reserve('a', 1n, 1n)), { code: 'CHANNEL_EXHAUSTED' })
})

const REQUEST = {
  prices: { input: price(2n), cached: price(1n), output: price(10n) },
  promptTokens: 100,
  maxOutput: 500,
  stranger: false,
  windowTokens: 64,
  maxWindow: micro(5000n),
}

test('the window is 64 tokens or the prompt with its first token, bounded by policy; a prompt above it is paid ahead', () => {
  assert.deepEqual(termsOf(REQUEST), { limit: 5200n, window: 640n, ahead: 0n })
  assert.deepEqual(termsOf({ ...REQUEST, promptTokens: 1000 }), { limit: 7000n, window: 2010n, ahead: 0n })
  assert.deepEqual(termsOf({ ...REQUEST, promptTokens: 9000 }), { limit: 23_000n, window: 640n, ahead: 18_000n })
  assert.deepEqual(termsOf({ ...REQUEST, stranger: true }), { limit: 5200n, window: 640n, ahead: 200n })
  assert.deepEqual(termsOf({ ...REQUEST, maxOutput: 3 }), { limit: 230n, window: 230n, ahead: 0n })
  assert.equal(termsOf({ ...REQUEST, maxWindow: micro(1n) }).window, 10n)
})

/** What a bookkeeper would say from the whole history, without any running totals. */
class Book {
  readonly #side: Channel['side']
  readonly #history: ChannelEvent[] = []
  #deposit: bigint

  constructor(side: Channel['side'], deposit: bigint) {
    this.#side = side
    this.#deposit = deposit
  }

  get accrued(): bigint {
    return this.#history.reduce(
      (sum, event) =>
        sum + (event.type === 'deliver' ? event.cost : event.type === 'write-off' ? 0n - event.amount : 0n),
      0n,
    )
  }

  get paid(): bigint {
    return this.#history.reduce((last, event) => (event.type === 'pay' ? event.cumulative : last), 0n)
  }

  /** Live reservations with what was delivered since they were made. */
  live(): Map<string, Terms & { delivered: bigint }> {
    const live = new Map<string, Terms & { delivered: bigint }>()
    for (const event of this.#history) {
      if (event.type === 'reserve') live.set(event.request, { ...event, delivered: 0n })
      if (event.type === 'release') live.delete(event.request)
      if (event.type === 'deliver') {
        const one = live.get(event.request)
        if (one) one.delivered += event.cost
      }
    }
    return live
  }

  allows(event: ChannelEvent): boolean {
    const live = this.live()
    const rows = [...live.values()]
    const closing = this.#history.some(({ type }) => type === 'close')
    const unpaid = this.accrued - this.paid * 1_000_000n
    const bound = rows.reduce((sum, { limit, delivered }) => sum + limit - delivered, this.accrued)
    if (event.type === 'reserve') {
      const fits = bound + event.limit <= this.#deposit * 1_000_000n && event.ahead <= event.limit
      return !closing && !live.has(event.request) && fits
    }
    if (event.type === 'deliver') {
      const one = live.get(event.request)
      const covered = this.#side === 'consumer' || event.cost === 0n || unpaid + event.cost <= (one?.window ?? 0n)
      return one !== undefined && one.delivered + event.cost <= one.limit && covered
    }
    if (event.type === 'pay') {
      const open = rows.reduce((sum, { ahead, delivered }) => sum + (ahead > delivered ? ahead - delivered : 0n), 0n)
      const most = (this.accrued + open + 999_999n) / 1_000_000n
      const agreed = this.#side === 'provider' || event.cumulative <= most
      return event.cumulative > this.paid && event.cumulative <= this.#deposit && agreed
    }
    if (event.type === 'release') return live.has(event.request)
    if (event.type === 'write-off') return event.amount <= unpaid
    if (event.type === 'top-up') return !closing && event.deposit >= this.#deposit
    return true
  }

  add(event: ChannelEvent): void {
    this.#history.push(event)
    if (event.type === 'top-up') this.#deposit = event.deposit
  }
}

const halves = (max: number): fc.Arbitrary<bigint> => fc.nat(max).map((n) => BigInt(n) * HALF)
const request = fc.constantFrom('a', 'b', 'c')
const event: fc.Arbitrary<ChannelEvent> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(request, halves(6), halves(3), halves(2)).map((args) => reserve(...args)) },
  { weight: 8, arbitrary: fc.tuple(request, halves(3)).map((args) => deliver(...args)) },
  { weight: 6, arbitrary: fc.bigInt(0n, 5n).map(pay) },
  { weight: 3, arbitrary: request.map((one) => ({ type: 'release', request: one }) as const) },
  { weight: 1, arbitrary: halves(2).map((amount) => ({ type: 'write-off', amount: micro(amount) }) as const) },
  {
    weight: 1,
    arbitrary: fc.bigInt(0n, 6n).map((deposit) => ({ type: 'top-up', deposit: lamports(deposit) }) as const),
  },
  { weight: 1, arbitrary: fc.constant({ type: 'close' } as const) },
)

test('parallel requests: the channel says yes and no exactly where a bookkeeper does, and comes to the same sums', () => {
  const sides = fc.constantFrom('consumer' as const, 'provider' as const)
  fc.assert(
    fc.property(sides, fc.array(event, { maxLength: 24 }), (side, events) => {
      let channel = openChannel(side, lamports(4n))
      const book = new Book(side, 4n)
      let widest = 0n
      for (const one of events) {
        const allowed = book.allows(one)
        if (!allowed) {
          assert.throws(() => step(channel, one), LedgerError)
          continue
        }
        channel = step(channel, one)
        book.add(one)
        for (const { window } of channel.reservations.values()) if (window > widest) widest = window
        assert.equal(channel.accrued, book.accrued)
        assert.equal(channel.paid, book.paid)
        assert.deepEqual([...channel.reservations.keys()].sort(), [...book.live().keys()].sort())
        assert.ok(channel.accrued <= toMicroLamports(channel.deposit), 'never above the deposit')
        if (side === 'provider') {
          assert.ok(channel.accrued - toMicroLamports(channel.paid) <= widest, 'never more than one window at risk')
          for (const id of channel.reservations.keys()) {
            const most = headroom(channel, id)
            if (most > 0n) step(channel, deliver(id, most))
            assert.throws(() => step(channel, deliver(id, most + 1n)))
          }
        } else if (paymentDue(channel) !== null) step(channel, pay(due(channel)))
      }
    }),
    { numRuns: 400 },
  )
})

interface Job {
  readonly prompt: number
  readonly output: number
  readonly stranger: boolean
  readonly maxWindow: number
}

/**
 * Two sides of one channel over a line that keeps order, scheduled by `choices`. The line is cut after `cutAfter` turns;
 * without a cut, every request is delivered to the end or the line has gone quiet wrongly.
 */
function simulate(
  jobs: readonly Job[],
  choices: readonly number[],
  cutAfter: number,
): { p: Channel; c: Channel; ahead: bigint; open: number } {
  let p = openChannel('provider', lamports(100n))
  let c = openChannel('consumer', lamports(100n))
  const frames: (readonly [request: string, cost: bigint, last: boolean])[] = []
  const vouchers: bigint[] = []
  const queue = jobs.map((job, i) => {
    const prices = { input: price(HALF), cached: price(HALF), output: price(HALF) }
    const terms = termsOf({
      prices,
      promptTokens: job.prompt,
      maxOutput: job.output,
      stranger: job.stranger,
      windowTokens: 2,
      maxWindow: micro(BigInt(job.maxWindow) * HALF),
    })
    const reservation = { type: 'reserve', request: `${i}`, ...terms } as const
    p = step(p, reservation)
    c = step(c, reservation)
    return { request: `${i}`, prompt: BigInt(job.prompt) * HALF, left: job.output, ahead: terms.ahead }
  })
  const settle = (): void => {
    const amount = paymentDue(c)
    if (amount === null) return
    c = step(c, { type: 'pay', cumulative: amount })
    vouchers.push(amount)
  }
  const produce = (turn: number): boolean => {
    const one = queue[turn % queue.length]
    const cost = HALF + (one?.prompt ?? 0n)
    if (!one || one.left === 0 || !mayStart(p, one.request) || headroom(p, one.request) < cost) return false
    p = step(p, deliver(one.request, cost))
    one.prompt = 0n
    one.left--
    frames.push([one.request, cost, one.left === 0])
    if (one.left === 0) p = step(p, { type: 'release', request: one.request })
    return true
  }
  const receive = (): boolean => {
    const frame = frames.shift()
    if (!frame) return false
    c = step(c, deliver(frame[0], frame[1]))
    if (frame[2]) c = step(c, { type: 'release', request: frame[0] })
    settle()
    return true
  }
  const collect = (): boolean => {
    const amount = vouchers.shift()
    if (amount === undefined) return false
    p = step(p, pay(amount))
    return true
  }
  settle()
  // First as `choices` say, then in turn until nothing moves any more.
  let idle = 0
  for (let turn = 0; turn < cutAfter && idle < 3 * queue.length + 3; turn++) {
    const choice = choices[turn] ?? turn
    const acted = [(): boolean => produce(Math.floor(choice / 3)), receive, collect][choice % 3]?.()
    idle = acted || turn < choices.length ? 0 : idle + 1
  }
  return {
    p,
    c,
    ahead: queue.reduce((sum, { ahead }) => sum + ahead, 0n),
    open: queue.filter(({ left }) => left > 0).length,
  }
}

const job = fc.record({
  prompt: fc.nat(4),
  output: fc.integer({ min: 1, max: 6 }),
  stranger: fc.boolean(),
  maxWindow: fc.integer({ min: 1, max: 6 }),
})
const jobs = fc.array(job, { minLength: 1, maxLength: 4 })
const choices = fc.array(fc.nat(11), { maxLength: 60 })

test('two sides that follow the rules always come to the end, and agree on every microlamport', () => {
  fc.assert(
    fc.property(jobs, choices, (all, order) => {
      const { p, c, open } = simulate(all, order, Infinity)
      assert.equal(open, 0, 'every request was delivered')
      assert.equal(p.accrued, c.accrued)
      assert.equal(p.paid, c.paid)
      assert.equal(p.paid, due(p), 'nothing is owed')
    }),
    { numRuns: 200 },
  )
})

test('a line cut at any instant costs the provider at most a window and the consumer at most what it agreed to pay ahead', () => {
  fc.assert(
    fc.property(jobs, choices, fc.nat(60), (all, order, cutAfter) => {
      const { p, c, ahead } = simulate(all, order, cutAfter)
      const widest = Math.max(...all.map(({ maxWindow }) => maxWindow))
      assert.ok(p.accrued - toMicroLamports(p.paid) <= BigInt(widest) * HALF, "the provider's loss")
      assert.ok(toMicroLamports(c.paid) - c.accrued < ahead + 1_000_000n, "the consumer's loss")
      assert.ok(c.accrued <= p.accrued, 'the consumer counts what arrived')
      assert.ok(p.paid <= c.paid, 'the provider holds no voucher that was not signed')
    }),
    { numRuns: 300 },
  )
})
