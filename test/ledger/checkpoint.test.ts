import assert from 'node:assert/strict'
import test from 'node:test'
import { microLamports } from '../../ledger/amount.js'
import { decodeCheckpoint, encodeCheckpoint, signCheckpoint, verifyCheckpoint } from '../../ledger/checkpoint.js'
import { filled, PROVIDER, STRANGER } from './sample.js'

const CHECKPOINT = {
  log: filled(32, 21),
  length: 300,
  treeHash: filled(32, 22),
  transactions: 299,
  cumulative: microLamports(123_456_789_000n),
}

test('a checkpoint of version 1 has exactly these bytes', () => {
  const signed = signCheckpoint(CHECKPOINT, PROVIDER.secretKey)
  const bytes = encodeCheckpoint(signed)
  assert.equal(
    Buffer.from(bytes).toString('hex'),
    '011515151515151515151515151515151515151515151515151515151515151515fd2c011616161616161616161616161616161616161616161616161616161616161616fd2b0105081a99be1c76cbc26338b3c75b465f935d15e0eb35d87d29084ca9760a7d287e1130c8b764c49943b567465f292f9ed3e034572bf2dc8bc284731749a8b5ea403b0e6dde0f',
  )
  assert.deepEqual(decodeCheckpoint(bytes).checkpoint, {
    ...CHECKPOINT,
    log: bytes.subarray(1, 33),
    treeHash: bytes.subarray(36, 68),
  })
  assert.ok(verifyCheckpoint(decodeCheckpoint(bytes), PROVIDER.publicKey))
})

test('a checkpoint of another signer or with a changed field does not verify', () => {
  const signed = signCheckpoint(CHECKPOINT, PROVIDER.secretKey)
  assert.ok(!verifyCheckpoint(signed, STRANGER.publicKey))
  const changes = [
    { log: filled(32, 1) },
    { length: 301 },
    { treeHash: filled(32, 1) },
    { transactions: 300 },
    { cumulative: microLamports(1n) },
  ]
  for (const change of changes) {
    assert.ok(!verifyCheckpoint({ ...signed, checkpoint: { ...CHECKPOINT, ...change } }, PROVIDER.publicKey))
  }
})
