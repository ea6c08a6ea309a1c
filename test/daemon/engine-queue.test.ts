import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { AdmissionQueue, LOCAL_PARTY } from '../../daemon/engine/admission.js'
import type { Asked } from '../../daemon/engine/child/batch-pacer.js'
import { BatchPacer } from '../../daemon/engine/child/batch-pacer.js'
import { Credit } from '../../daemon/engine/child/credit.js'
import { Pace } from '../../daemon/engine/child/pace.js'
import type { SlotView } from '../../daemon/engine/child/slots.js'
import { chooseSlot, commonPrefix } from '../../daemon/engine/child/slots.js'
import { EventFeed } from '../../daemon/engine/event-feed.js'

interface TestTicket {
  readonly party: string
  readonly number: number
}

const ticket = (party: string, number = 0): TestTicket => ({ party, number })

describe('admission', () => {
  void test('serves local requests before strangers', () => {
    const queue = new AdmissionQueue<TestTicket>(10)
    for (const party of ['a', 'b', LOCAL_PARTY]) queue.push(ticket(party))
    assert.equal(queue.next()?.party, LOCAL_PARTY)
  })

  void test('gives every stranger a turn, whatever each of them queues', () => {
    const queue = new AdmissionQueue<TestTicket>(100)
    for (let number = 0; number < 5; number++) queue.push(ticket('greedy', number))
    queue.push(ticket('modest'))
    assert.deepEqual([queue.next()?.party, queue.next()?.party, queue.next()?.party], ['greedy', 'modest', 'greedy'])
  })

  void test('serves in the order that it announces, each party first come first served, and never more than its limit', () => {
    const parties = fc.array(fc.constantFrom('a', 'b', 'c', LOCAL_PARTY), { maxLength: 30 })
    fc.assert(
      fc.property(parties, fc.integer({ min: 0, max: 20 }), (list, limit) => {
        const queue = new AdmissionQueue<TestTicket>(limit)
        const accepted = list.map((party, number) => ticket(party, number)).filter((entry) => queue.push(entry))
        assert.equal(accepted.length, Math.min(limit, list.length))
        const announced = queue.order()
        const served: TestTicket[] = []
        for (let next = queue.next(); next !== null; next = queue.next()) served.push(next)
        assert.deepEqual(served, announced)
        for (const party of ['a', 'b', 'c', LOCAL_PARTY]) {
          const own = (entries: readonly TestTicket[]): number[] =>
            entries.filter((entry) => entry.party === party).map(({ number }) => number)
          assert.deepEqual(own(served), own(accepted))
        }
      }),
    )
  })

  void test('forgets who leaves', () => {
    const queue = new AdmissionQueue<TestTicket>(10)
    const [first, second] = [ticket('a', 1), ticket('a', 2)]
    queue.push(first)
    queue.push(second)
    assert.ok(queue.remove(first))
    assert.ok(!queue.remove(first))
    assert.equal(queue.next(), second)
    assert.equal(queue.length, 0)
  })
})

describe('event feed', () => {
  void test('keeps only the latest of queue positions and of prefill progress', async () => {
    const feed = new EventFeed()
    for (let position = 9; position >= 0; position--) feed.push({ type: 'queued', position })
    for (let done = 0; done <= 50; done++) feed.push({ type: 'prefill', done, total: 50 })
    assert.equal(feed.buffered, 2)
    assert.deepEqual(
      [await feed.next(), await feed.next()],
      [
        { type: 'queued', position: 0 },
        { type: 'prefill', done: 50, total: 50 },
      ],
    )
  })

  void test('hands out what came before an error, then the error', async () => {
    const feed = new EventFeed()
    feed.push({ type: 'queued', position: 1 })
    feed.fail(new Error('gone'))
    feed.push({ type: 'queued', position: 0 })
    assert.deepEqual(await feed.next(), { type: 'queued', position: 1 })
    await assert.rejects(feed.next(), /gone/)
  })
})

describe('credit', () => {
  void test('lets a stream send as many events as its window, then waits for the reader', async () => {
    const credit = new Credit(3)
    assert.equal(credit.spend(), null)
    assert.equal(credit.spend(), null)
    const wait = credit.spend()
    assert.ok(wait !== null)
    credit.add(2)
    await wait
    assert.equal(credit.spend(), null)
  })
})

describe('slots', () => {
  const slot = (id: number, tokens: readonly number[], more: Partial<SlotView> = {}): SlotView => ({
    id,
    lane: 0,
    busy: false,
    tokens,
    lastUse: id,
    ...more,
  })
  const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

  void test('a conversation that goes on finds its slot', () => {
    const prompt = range(0, 120)
    assert.equal(chooseSlot([slot(0, range(500, 600)), slot(1, range(0, 100)), slot(2, [])], prompt)?.id, 1)
  })

  void test('a shared system prompt does not cost another conversation its cache', () => {
    const other = [...range(0, 20), ...range(900, 1000)]
    assert.equal(chooseSlot([slot(0, other), slot(1, [])], range(0, 60))?.id, 1)
  })

  void test('when none fits, the slot used longest ago goes', () => {
    assert.equal(chooseSlot([slot(0, [1], { lastUse: 9 }), slot(1, [2], { lastUse: 3 })], [7, 8])?.id, 1)
  })

  void test('new streams go to the lane with the fewest', () => {
    const slots = [slot(0, [], { busy: true }), slot(1, [], { lane: 1 }), slot(2, [])]
    assert.equal(chooseSlot(slots, [1])?.id, 1)
  })

  void test('a busy slot is never chosen, and a free one always found', () => {
    const view = fc.record({
      busy: fc.boolean(),
      tokens: fc.array(fc.nat(2), { maxLength: 4 }),
      lastUse: fc.nat(9),
      lane: fc.nat(1),
    })
    fc.assert(
      fc.property(fc.array(view, { maxLength: 6 }), fc.array(fc.nat(2), { maxLength: 5 }), (views, prompt) => {
        const slots = views.map((entry, id) => ({ id, ...entry }))
        const chosen = chooseSlot(slots, prompt)
        assert.equal(
          chosen === null,
          slots.every(({ busy }) => busy),
        )
        assert.ok(chosen === null || !chosen.busy)
      }),
    )
  })

  void test('the common prefix is the longest one', () => {
    assert.equal(commonPrefix([1, 2, 3], [1, 2, 4]), 2)
    assert.equal(commonPrefix([], [1]), 0)
    assert.equal(commonPrefix([1, 2], [1, 2]), 2)
  })
})

describe('batches', () => {
  const asked = (...sequences: number[]): Asked[] => sequences.map((sequence) => ({ sequence }))

  void test('wait until every stream has asked, then hold all of them by rising id', () => {
    let steps = 0
    const pacer = new BatchPacer(() => steps++)
    for (const id of [2, 0, 1]) pacer.enter(id)
    assert.deepEqual(pacer.next(asked(2, 0), false), [])
    assert.deepEqual(pacer.next(asked(2, 0, 1), false), asked(0, 1, 2))
    assert.equal(steps, 1)
  })

  void test('a stream that does not ask in time is not waited for', () => {
    const pacer = new BatchPacer(() => undefined)
    pacer.enter(0)
    pacer.enter(1)
    assert.deepEqual(pacer.next(asked(0), true), asked(0))
    assert.deepEqual(pacer.next([], true), [])
  })

  /** Which ids each of `rounds` batches holds, when a chunk takes `chunk` milliseconds and a token `token`. */
  const schedule = (rounds: number, chunk: number, token: number): number[][] => {
    let now = 0
    const pacer = new BatchPacer(
      () => undefined,
      () => now,
    )
    pacer.enter(0)
    return Array.from({ length: rounds }, () => {
      const ids = pacer.next(asked(0, 1, 2), false).map(({ sequence }) => sequence)
      now += ids.includes(0) ? token : chunk
      return ids
    })
  }

  void test('prompts and running answers never share a batch, and prompts take turns among themselves', () => {
    assert.deepEqual(schedule(6, 10, 10).slice(1), [[1], [0], [2], [0], [1]])
  })

  void test('after a chunk the answers get as long as it took, within bounds', () => {
    const tokens = (chunk: number, token: number): number => {
      const batches = schedule(40, chunk, token).map(([id]) => id)
      const [from, to] = [1, 2].map((id) => batches.indexOf(id))
      return (to ?? 0) - (from ?? 0) - 1
    }
    assert.equal(tokens(100, 25), 4)
    assert.equal(tokens(10, 25), 1)
    assert.equal(tokens(10_000, 25), 8)
  })
})

describe('lanes', () => {
  void test('a lane that is far ahead waits for the other, and goes on when that has caught up', async () => {
    const pace = new Pace(2)
    pace.enter(0)
    pace.enter(1)
    let ahead = 0
    while (pace.turn(0) === null) {
      pace.step(0)
      assert.ok(++ahead < 100)
    }
    const wait = pace.turn(0)
    pace.step(1)
    await wait
    assert.equal(pace.turn(0), null)
  })

  void test('a lane whose other lane ends is not held back any more', async () => {
    const pace = new Pace(2)
    pace.enter(0)
    pace.enter(1)
    for (let i = 0; i < 50; i++) pace.step(0)
    const wait = pace.turn(0)
    assert.ok(wait !== null)
    pace.leave(1)
    await wait
  })

  void test('a lane that was idle starts level with the other', () => {
    const pace = new Pace(2)
    pace.enter(0)
    for (let i = 0; i < 50; i++) pace.step(0)
    pace.enter(1)
    assert.equal(pace.turn(0), null)
    assert.equal(pace.turn(1), null)
  })
})
