import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { decodeCheckpoint, encodeCheckpoint, signCheckpoint } from '../../ledger/checkpoint.js'
import { microLamports } from '../../ledger/amount.js'
import { openContent, sealContent } from '../../ledger/content.js'
import { LedgerError } from '../../ledger/errors.js'
import { parseExport, exportTransaction, verifyExport } from '../../ledger/proof.js'
import { decodeWindow } from '../../ledger/token-root.js'
import { decodeTransaction, encodeTransaction, withoutKeys } from '../../ledger/transaction.js'
import { decodeVoucher, encodeVoucher, signVoucher } from '../../ledger/voucher.js'
import { lamports } from '../../ledger/amount.js'
import { agreed, CHANNEL, CONSUMER, CONTENT, CONTENT_KEY, filled, PROVIDER } from './sample.js'

const { transaction } = agreed()
const checkpoint = signCheckpoint(
  {
    log: filled(32, 1),
    length: 70_000,
    treeHash: filled(32, 2),
    transactions: 9,
    cumulative: microLamports(2n ** 70n),
  },
  PROVIDER.secretKey,
)
const { voucher } = signVoucher({ channel: CHANNEL, cumulative: lamports(7n), expiresAt: 9n }, CONSUMER.secretKey)

/** `again`: what the decoder makes of bytes, encoded once more. */
const DECODERS: readonly { name: string; seeds: readonly Uint8Array[]; again: (bytes: Uint8Array) => Uint8Array }[] = [
  {
    name: 'transaction',
    seeds: [transaction, withoutKeys(transaction), { ...transaction, consumerSignature: null }].map(encodeTransaction),
    again: (bytes) => encodeTransaction(decodeTransaction(bytes)),
  },
  {
    name: 'checkpoint',
    seeds: [encodeCheckpoint(checkpoint)],
    again: (bytes) => encodeCheckpoint(decodeCheckpoint(bytes)),
  },
  { name: 'voucher', seeds: [encodeVoucher(voucher)], again: (bytes) => encodeVoucher(decodeVoucher(bytes)) },
]

function mutated(seeds: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({ at: fc.nat(2000), byte: fc.nat(255), cut: fc.nat(20) })
  return fc
    .tuple(fc.constantFrom(...seeds), fc.array(edit, { minLength: 1, maxLength: 4 }), fc.nat(9))
    .map(([seed, edits, how]) => {
      const out = Uint8Array.from(seed)
      for (const { at, byte } of edits) out[at % out.length] = byte
      return how === 0
        ? out.subarray(0, (edits[0]?.at ?? 0) % out.length)
        : how === 1
          ? Uint8Array.from([...out, 0])
          : out
    })
}

for (const { name, seeds, again } of DECODERS) {
  test(`any bytes are a ${name} in its one encoding, or a coded error`, () => {
    const anything = fc.oneof(mutated(seeds), fc.uint8Array({ maxLength: 300 }))
    let read = 0
    fc.assert(
      fc.property(anything, (bytes) => {
        let encoded
        try {
          encoded = again(bytes)
        } catch (error) {
          assert.ok(error instanceof LedgerError, String(error))
          return
        }
        read++
        assert.ok(Buffer.from(encoded).equals(bytes), 'one value, one encoding')
      }),
      { numRuns: 3000 },
    )
    assert.ok(read > 0, 'some mutations are still readable')
  })
}

test('a body of any bytes opens or fails with its code', () => {
  const { ciphertext } = sealContent(CONTENT_KEY, filled(16, 8), CONTENT)
  fc.assert(
    fc.property(fc.oneof(mutated([ciphertext]), fc.uint8Array({ maxLength: 64 })), (bytes) => {
      if (Buffer.from(bytes).equals(ciphertext)) return
      assert.throws(() => openContent(CONTENT_KEY, filled(16, 8), bytes), { code: 'BAD_SEAL' })
    }),
  )
})

test('a window of any bytes decodes to whole positions or fails with its code', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 160 }), fc.constantFrom(0 as const, 8 as const), (bytes, width) => {
      const size = width === 0 ? 4 : 52
      if (bytes.length % size === 0) assert.equal(decodeWindow(bytes, width).length, bytes.length / size)
      else assert.throws(() => decodeWindow(bytes, width), { code: 'BAD_ENCODING' })
    }),
  )
})

test('any JSON is an export or a coded error, and a verdict never throws', () => {
  const file = JSON.parse(exportTransaction({ transaction, disclosure: null, windows: [] })) as object
  const field = fc.constantFrom('format', 'transaction', 'content', 'windows', 'other')
  fc.assert(
    fc.property(
      fc.oneof(
        fc.json(),
        fc.tuple(field, fc.jsonValue()).map(([k, v]) => JSON.stringify({ ...file, [k]: v })),
      ),
      (text) => {
        try {
          verifyExport(parseExport(text))
        } catch (error) {
          assert.ok(error instanceof LedgerError, String(error))
        }
      },
    ),
    { numRuns: 500 },
  )
})
