import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from './random.js'

test('a seed repeats its draws, another one does not, and all of a range is drawn', () => {
  const draw = (seed: number): readonly number[] => {
    const random = new Random(seed)
    return Array.from({ length: 200 }, () => random.below(6))
  }
  assert.deepEqual(draw(1), draw(1))
  assert.notDeepEqual(draw(1), draw(2))
  assert.deepEqual(new Set(draw(3)), new Set([0, 1, 2, 3, 4, 5]))
  const picks = new Set(Array.from({ length: 100 }, (_, i) => new Random(i).pick('a', 'b', 'c')))
  assert.deepEqual([...picks].toSorted(), ['a', 'b', 'c'])
})
