import assert from 'node:assert/strict'
import { test } from 'node:test'
import b4a from 'b4a'
import { decode, encode } from '../../swarm/wire/codec.js'
import { SAMPLES } from '../fixtures/wire-samples.js'

for (const { title, hex, message, value } of SAMPLES) {
  test(`the bytes of ${title} are these and no others`, () => {
    assert.equal(b4a.toString(encode(message, value), 'hex'), hex)
    assert.deepEqual(plain(decode(message, b4a.from(hex, 'hex'))), plain(value))
  })

  test(`${title} is refused when cut short, at every length`, () => {
    const bytes = b4a.from(hex, 'hex')
    for (let length = 0; length < bytes.byteLength; length++) {
      assert.throws(() => decode(message, bytes.subarray(0, length)), { code: 'BAD_MESSAGE' }, `cut to ${length} bytes`)
    }
  })

  test(`${title} is refused with a byte too many`, () => {
    assert.throws(() => decode(message, b4a.concat([b4a.from(hex, 'hex'), b4a.from([0])])), { code: 'BAD_MESSAGE' })
  })

  test(`${title} of a version to come is refused with the code for that`, () => {
    const bytes = b4a.from(hex, 'hex')
    bytes[0] = 2
    assert.throws(() => decode(message, bytes), { code: 'UNKNOWN_VERSION' })
  })

  test(`${title} over its size limit is refused before it is read`, () => {
    assert.throws(() => decode(message, new Uint8Array(message.maxBytes + 1)), { code: 'MESSAGE_TOO_LARGE' })
  })
}

/** Buffers and plain byte arrays compare as their bytes. */
function plain(value: unknown): unknown {
  if (value instanceof Float32Array) return { floats: [...value] }
  if (value instanceof Uint8Array) return { bytes: b4a.toString(value, 'hex') }
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]))
}
