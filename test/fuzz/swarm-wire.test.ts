/**
 * Every decoder against bytes nobody meant: it gives a value or an error with a code, never anything else; what it
 * accepts encodes to the same bytes; what it makes is bounded by what it read.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import b4a from 'b4a'
import fc from 'fast-check'
import { SwarmError } from '../../swarm/errors.js'
import { decode, encode } from '../../swarm/wire/codec.js'
import type { WireMessage } from '../../swarm/wire/codec.js'
import { SAMPLES } from '../fixtures/wire-samples.js'

const CODES = new Set(['BAD_MESSAGE', 'UNKNOWN_VERSION', 'UNKNOWN_TAG', 'MESSAGE_TOO_LARGE'])

/** Things made per byte read: an optional field or a list entry is at least one byte, and makes a few objects at most. */
const MADE_PER_BYTE = 8
const MADE_AT_LEAST = 256

function check(message: WireMessage<unknown>, bytes: Uint8Array): void {
  let value: unknown
  try {
    value = decode(message, bytes)
  } catch (error) {
    assert.ok(error instanceof SwarmError, `not a SwarmError: ${String(error)}`)
    assert.ok(CODES.has(error.code), `unexpected code ${error.code}`)
    return
  }
  assert.equal(b4a.toString(encode(message, value), 'hex'), b4a.toString(bytes, 'hex'), 'another encoding of one value')
  assert.ok(size(value) <= MADE_AT_LEAST + MADE_PER_BYTE * bytes.byteLength, 'made more than it read')
}

/** Roughly how many values hang on this one; buffers and strings count by length. */
function size(value: unknown): number {
  if (typeof value === 'string') return 1 + value.length
  if (value instanceof Uint8Array || value instanceof Float32Array) return 1 + value.byteLength
  if (typeof value !== 'object' || value === null) return 1
  return Object.values(value).reduce((sum: number, one) => sum + size(one), 1)
}

/** Lengths that lie: every prefix form of compact-encoding at its largest. */
const BOMBS = ['fc', 'fdffff', 'feffffffff', 'ffffffffffffffffff', 'ffffffffffffff1f00', 'fe00000100', 'fd0001'].map(
  (hex) => b4a.from(hex, 'hex'),
)

const messages = new Map(SAMPLES.map(({ message }) => [message.name, message]))

for (const [name, message] of messages) {
  test(`${name}: random bytes behind a right version`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.integer({ min: 0, max: 3 }), (rest, version) => {
        check(message, b4a.concat([b4a.from([version]), rest]))
      }),
      { numRuns: 500 },
    )
  })
}

for (const { title, hex, message } of SAMPLES) {
  const bytes = b4a.from(hex, 'hex')

  test(`${title}: changed, cut, repeated and spliced`, () => {
    const at = fc.nat({ max: bytes.byteLength })
    const splice = fc.record({ at, drop: fc.nat({ max: 8 }), put: fc.uint8Array({ maxLength: 12 }) })
    fc.assert(
      fc.property(fc.array(splice, { minLength: 1, maxLength: 4 }), (splices) => {
        let mutant: Uint8Array = bytes
        for (const { at: from, drop, put } of splices) {
          mutant = b4a.concat([mutant.subarray(0, from), put, mutant.subarray(from + drop)])
        }
        check(message, mutant)
      }),
      { numRuns: 500 },
    )
  })

  test(`${title}: every bit turned, and a lying length at every place`, () => {
    for (let i = 0; i < bytes.byteLength; i++) {
      for (let bit = 0; bit < 8; bit++) {
        const mutant = b4a.from(bytes)
        mutant[i] = (mutant[i] ?? 0) ^ (1 << bit)
        check(message, mutant)
      }
      for (const bomb of BOMBS) {
        check(message, b4a.concat([bytes.subarray(0, i), bomb, bytes.subarray(i + 1)]))
        check(message, b4a.concat([bytes.subarray(0, i), bomb]))
      }
    }
  })
}
