import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { BatchPacer } from '../../daemon/engine/child/batch-pacer.js'
import { Lane } from '../../daemon/engine/child/lane.js'
import type { NativeContext, NativeSampler } from '../../daemon/engine/child/native.js'
import { Pace } from '../../daemon/engine/child/pace.js'

const SAMPLER: NativeSampler = { applyConfig: () => undefined }

/** A context that notes what it is told and throws when two things are done at once. */
class Recorder implements NativeContext {
  readonly batches: string[][] = []
  readonly cuts: string[] = []
  /** Ends the batch that is being decoded. */
  done: (error?: Error) => void = () => undefined
  #batch: string[] = []
  #rows = 0
  #busy = false

  initBatch(): void {
    assert.equal(this.#busy, false)
    this.#batch = []
    this.#rows = 0
  }

  addToBatch(sequence: number, at: number, tokens: Uint32Array, outputs: Uint32Array): Uint32Array {
    this.#batch.push(`${sequence}@${at}:${tokens.join(',')}`)
    this.#rows += tokens.length
    return outputs.map(() => this.#rows - 1)
  }

  decodeBatch(): Promise<void> {
    this.batches.push(this.#batch)
    this.#busy = true
    return new Promise((resolve, reject) => {
      this.done = (error) => {
        this.#busy = false
        if (error === undefined) resolve()
        else reject(error)
      }
    })
  }

  async sampleToken(row: number): Promise<readonly [number, unknown, unknown, readonly number[]]> {
    await new Promise(setImmediate)
    return [0, undefined, undefined, [100 + row, 1]]
  }

  removeTokenCellsFromSequence(sequence: number, from: number): boolean {
    assert.equal(this.#busy, false)
    this.cuts.push(`${sequence}@${from}`)
    return from !== 5
  }
}

function lane(): { native: Recorder; lane: Lane } {
  const native = new Recorder()
  const pacer = new BatchPacer(() => undefined)
  const pace = new Pace(1)
  return { native, lane: new Lane({ index: 0, slots: 4, native, pacer, pace, alone: (work) => work() }) }
}

const turn = (): Promise<void> => new Promise(setImmediate)
const token = (sequence: number, at: number): Parameters<Lane['evaluate']>[0] => ({
  sequence,
  at,
  tokens: [7],
  sampler: SAMPLER,
})

void describe('a lane', () => {
  void test('starts the next batch at once when the last stream has asked, by rising id, and gives each its own logits', async () => {
    const { native, lane: own } = lane()
    for (const sequence of [0, 1, 2]) own.enter(sequence)
    const two = own.evaluate(token(2, 9))
    const zero = own.evaluate(token(0, 3))
    assert.equal(own.computing, null)
    const one = own.evaluate(token(1, 5))
    assert.deepEqual(native.batches, [['0@3:7', '1@5:7', '2@9:7']])
    assert.equal(own.computing, 1)
    native.done()
    assert.deepEqual(await Promise.all([zero, one, two]), [
      [100, 1],
      [101, 1],
      [102, 1],
    ])
    assert.equal(own.computing, null)
  })

  void test('waits one turn of the event loop for a stream that does not ask, and not at all for one that has left', async () => {
    const { native, lane: own } = lane()
    own.enter(0)
    own.enter(1)
    void own.evaluate(token(0, 1))
    assert.equal(native.batches.length, 0)
    await turn()
    assert.deepEqual(native.batches, [['0@1:7']])
    native.done()
    await turn()
    await turn()
    void own.evaluate(token(0, 2))
    own.leave(1)
    assert.deepEqual(native.batches[1], ['0@2:7'])
  })

  void test('reads a prompt without logits where none are wanted', async () => {
    const { native, lane: own } = lane()
    const chunk = own.evaluate({ sequence: 3, at: 0, tokens: [1, 2, 3], sampler: null })
    assert.deepEqual(native.batches, [['3@0:1,2,3']])
    native.done()
    assert.deepEqual(await chunk, [])
  })

  void test('cuts caches between batches only, and says when that is not possible', async () => {
    const { native, lane: own } = lane()
    const chunk = own.evaluate({ sequence: 0, at: 0, tokens: [1], sampler: null })
    const cut = own.cut(1, 4)
    const impossible = own.cut(1, 5)
    assert.deepEqual(native.cuts, [])
    native.done()
    await chunk
    assert.deepEqual(await Promise.all([cut, impossible]), [true, false])
    assert.deepEqual(native.cuts, ['1@4', '1@5'])
  })

  void test('whose batch cannot be computed fails the streams in it, and goes on with the others', async () => {
    const { native, lane: own } = lane()
    const first = own.evaluate({ sequence: 0, at: 0, tokens: [1], sampler: null })
    const second = own.evaluate({ sequence: 1, at: 0, tokens: [2], sampler: null })
    const failed = assert.rejects(first, /no room/)
    native.done(new Error('no room'))
    await failed
    while (native.batches.length < 2) await turn()
    native.done()
    assert.deepEqual(await second, [])
  })
})
