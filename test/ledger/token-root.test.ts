import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { decodeWindow, quantiseLogprob, TokenLog, tokensOf, verifyWindow } from '../../ledger/token-root.js'
import { CONTENT_KEY, filled, tokens } from './sample.js'

const outOfRange = { code: 'TOKENS_OUT_OF_RANGE' }

test('every window of every answer verifies under its root, in its own place alone', () => {
  for (const count of [1, 31, 32, 33, 64, 65, 96, 97, 200, 8 * 32 + 1]) {
    const log = tokens(count)
    const root = log.root()
    const windows = Math.ceil(count / 32)
    for (let window = 0; window < windows; window++) {
      const proof = log.prove(window)
      assert.ok(verifyWindow(root, 8, count, proof), `${count} positions, window ${window}`)
      assert.ok(!verifyWindow(root, 8, count + 1, proof))
      assert.ok(!verifyWindow(root, 0, count, proof))
      for (let other = 0; other < windows; other++) {
        if (other !== window) assert.ok(!verifyWindow(root, 8, count, { ...proof, window: other }))
      }
    }
  }
})

test('a shown window holds the tokens and their best eight in 1/1024 nat', () => {
  const { bytes } = tokens(40).prove(1)
  const shown = decodeWindow(bytes, 8)
  assert.equal(bytes.byteLength, 8 * 52)
  assert.equal(shown.length, 8)
  assert.equal(shown[0]?.token, 132)
  assert.deepEqual(shown[0]?.top[3], { token: 135, logprob: -0.75 })
  assert.throws(() => decodeWindow(bytes.subarray(1), 8), { code: 'BAD_ENCODING' })
})

test('logprobs are rounded to the nearest step and clamped', () => {
  assert.deepEqual(
    [0, -1, -0.0004, -0.0005, -100, -Infinity, 40].map(quantiseLogprob),
    [0, -1024, -0, -1, -32768, -32768, 32767],
  )
})

test('a changed bit, salt, sibling or length shows', () => {
  const log = tokens(100)
  const root = log.root()
  const proof = log.prove(2)
  const flipped = (bytes: Uint8Array, at: number): Uint8Array => bytes.map((byte, i) => (i === at ? byte ^ 1 : byte))
  fc.assert(
    fc.property(fc.nat(proof.bytes.byteLength - 1), fc.nat(31), (at, small) => {
      assert.ok(!verifyWindow(root, 8, 100, { ...proof, bytes: flipped(proof.bytes, at) }))
      assert.ok(!verifyWindow(root, 8, 100, { ...proof, salt: flipped(proof.salt, small) }))
      const path = proof.path.map((sibling, i) => (i === 0 ? flipped(sibling, small) : sibling))
      assert.ok(!verifyWindow(root, 8, 100, { ...proof, path }))
    }),
    { numRuns: 50 },
  )
  assert.ok(!verifyWindow(root, 8, 100, { ...proof, path: [...proof.path, filled(32, 0)] }))
  assert.ok(!verifyWindow(root, 8, 100, { ...proof, path: proof.path.slice(1) }))
  assert.ok(!verifyWindow(root, 8, 100, { ...proof, window: -1 }))
  assert.ok(!verifyWindow(root, 8, 2 ** 60, { ...proof, window: 2 ** 50 }))
})

test('the root tells lengths and widths apart, and needs the content key', () => {
  const roots = [tokens(0), tokens(1), tokens(2), tokens(32), tokens(33), tokens(2, filled(32, 99))].map((log) =>
    Buffer.from(log.root()).toString('hex'),
  )
  const bare = new TokenLog(CONTENT_KEY, 0)
  roots.push(Buffer.from(bare.root()).toString('hex'))
  bare.push({ token: 100, top: [] })
  roots.push(Buffer.from(bare.root()).toString('hex'))
  assert.equal(new Set(roots).size, roots.length)
})

test('the root of a streamed answer can be asked for at any time and goes on growing', () => {
  const log = tokens(70)
  const early = log.root()
  assert.deepEqual(log.root(), early)
  log.push({ token: 1, top: Array.from({ length: 8 }, () => ({ token: 1, logprob: -1 })) })
  assert.equal(log.positions, 71)
  assert.ok(verifyWindow(log.root(), 8, 71, log.prove(2)))
})

test('a position needs exactly eight candidates, numbers that fit and a window that exists', () => {
  const log = new TokenLog(CONTENT_KEY, 8)
  const eight = Array.from({ length: 8 }, (_, i) => ({ token: i, logprob: -1 }))
  for (const top of [[], eight.slice(1), [...eight, { token: 9, logprob: -1 }]]) {
    assert.throws(() => log.push({ token: 1, top }), outOfRange)
  }
  for (const token of [-1, 0.5, 2 ** 32]) assert.throws(() => log.push({ token, top: eight }), outOfRange)
  assert.throws(() => log.push({ token: 1, top: eight.with(0, { token: 1, logprob: NaN }) }), outOfRange)
  assert.throws(() => log.prove(0), outOfRange)
  assert.equal(log.positions, 0)
})

test('encoded positions give the log that pushing them one by one gives, and half a one is refused', () => {
  for (const count of [0, 1, 31, 32, 33, 64, 100]) {
    const pushed = tokens(count)
    const windows = Array.from({ length: pushed.windows }, (_, window) => pushed.prove(window).bytes)
    const read = TokenLog.from(CONTENT_KEY, 8, Buffer.concat(windows))
    assert.deepEqual([read.positions, read.windows, read.root()], [count, Math.ceil(count / 32), pushed.root()])
    assert.deepEqual(
      tokensOf(Buffer.concat(windows), 8),
      Array.from({ length: count }, (_, i) => 100 + i),
    )
    const [next] = decodeWindow(tokens(1).prove(0).bytes, 8)
    assert.ok(next)
    read.push(next)
    pushed.push(next)
    assert.deepEqual(read.root(), pushed.root(), 'and it goes on growing')
  }
  assert.throws(() => TokenLog.from(CONTENT_KEY, 8, new Uint8Array(53)), { code: 'BAD_ENCODING' })
  assert.throws(() => tokensOf(new Uint8Array(3), 0), { code: 'BAD_ENCODING' })
  assert.throws(() => TokenLog.from(CONTENT_KEY, 0, { byteLength: 4 * (2 ** 20 + 1) } as Uint8Array), {
    code: 'TOKENS_OUT_OF_RANGE',
  })
})

test('the root is pinned', () => {
  assert.equal(
    Buffer.from(tokens(40).root()).toString('hex'),
    'a73b77d720255c28d73a8aaf603186fefdeed76f34ce97cfe9972276b15b79ee',
  )
})
