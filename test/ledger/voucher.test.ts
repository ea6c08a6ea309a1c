import assert from 'node:assert/strict'
import { createPublicKey, verify } from 'node:crypto'
import test from 'node:test'
import fc from 'fast-check'
import { lamports } from '../../ledger/amount.js'
import { checkVoucher, decodeVoucher, encodeVoucher, signVoucher } from '../../ledger/voucher.js'
import type { Voucher, VoucherRule } from '../../ledger/voucher.js'
import { CHANNEL, CONSUMER, filled, STRANGER } from './sample.js'

const VOUCHER: Voucher = { channel: CHANNEL, cumulative: lamports(0x0102030405060708n), expiresAt: 0x11121314n }
const RULE: VoucherRule = {
  channel: CHANNEL,
  signer: CONSUMER.publicKey,
  deposit: lamports(8n),
  held: null,
  now: 100n,
}

function voucher(cumulative: bigint, changes: Partial<Voucher> = {}): Voucher {
  return { channel: CHANNEL, cumulative: lamports(cumulative), expiresAt: 0n, ...changes }
}

function signed(cumulative: bigint, changes: Partial<Voucher> = {}): ReturnType<typeof signVoucher> {
  return signVoucher(voucher(cumulative, changes), CONSUMER.secretKey)
}

test('a voucher has exactly these 50 bytes, and ed25519 signs exactly them', () => {
  const bytes = encodeVoucher(VOUCHER)
  assert.equal(Buffer.from(bytes).toString('hex'), `5601${'07'.repeat(32)}${'0807060504030201'}${'1413121100000000'}`)
  assert.equal(
    Buffer.from(signVoucher(VOUCHER, CONSUMER.secretKey).signature).toString('hex'),
    '70136aae17b49e13956abe4a47c0f3c41724c1f0c9ee25cfb0dbe369cb3f03487cbce8a569c3e99f331a7f5d625c8968a0ec1b886cb8a4e4e2609241f1939b07',
  )
  assert.deepEqual(decodeVoucher(bytes), VOUCHER)
})

test('any other ed25519 takes the signature: there is nothing of ours in it', () => {
  const { signature } = signVoucher(VOUCHER, CONSUMER.secretKey)
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), CONSUMER.publicKey])
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' })
  assert.ok(verify(null, encodeVoucher(VOUCHER), key, signature))
})

test('what is no voucher is refused', () => {
  const bytes = encodeVoucher(VOUCHER)
  const otherMagic = Uint8Array.from(bytes)
  otherMagic[1] = 2
  const beforeTime = Uint8Array.from(bytes)
  beforeTime[49] = 0x80
  for (const wrong of [bytes.subarray(1), filled(51, 0), otherMagic, beforeTime]) {
    assert.throws(() => decodeVoucher(wrong), { code: 'BAD_ENCODING' })
  }
  assert.throws(() => encodeVoucher(voucher(1n, { channel: filled(31, 7) })), { code: 'BAD_ENCODING' })
  assert.throws(() => encodeVoucher(voucher(1n, { expiresAt: 2n ** 63n })), { code: 'BAD_ENCODING' })
})

test('a higher voucher is taken, the same one again is known, a lower one is refused', () => {
  const held = voucher(4n)
  assert.equal(checkVoucher(signed(5n), { ...RULE, held }), 'higher')
  assert.equal(checkVoucher(signed(4n), { ...RULE, held }), 'known')
  assert.throws(() => checkVoucher(signed(3n), { ...RULE, held }), { code: 'VOUCHER_NOT_HIGHER' })
  assert.throws(() => checkVoucher(signed(4n, { expiresAt: 200n }), { ...RULE, held }), { code: 'VOUCHER_NOT_HIGHER' })
  assert.throws(() => checkVoucher(signed(0n), RULE), { code: 'VOUCHER_NOT_HIGHER' })
})

test('a voucher of another channel, key or time, or over the deposit, is refused with its code', () => {
  const elsewhere = signed(5n, { channel: filled(32, 8) })
  const forged = signVoucher(voucher(5n), STRANGER.secretKey)
  const changed = { ...signed(5n), voucher: voucher(6n) }
  assert.throws(() => checkVoucher(elsewhere, RULE), { code: 'VOUCHER_OTHER_CHANNEL' })
  assert.throws(() => checkVoucher(forged, RULE), { code: 'VOUCHER_BAD_SIGNATURE' })
  assert.throws(() => checkVoucher(changed, RULE), { code: 'VOUCHER_BAD_SIGNATURE' })
  assert.throws(() => checkVoucher(signed(5n, { expiresAt: 100n }), RULE), { code: 'VOUCHER_EXPIRED' })
  assert.equal(checkVoucher(signed(5n, { expiresAt: 101n }), RULE), 'higher')
  assert.throws(() => checkVoucher(signed(9n), RULE), { code: 'VOUCHER_OVER_DEPOSIT' })
  assert.throws(() => checkVoucher({ ...signed(5n), signature: filled(3, 0) }, RULE), { code: 'VOUCHER_BAD_SIGNATURE' })
})

test('whatever comes in whatever order, what is held only grows and ends at the highest within the deposit', () => {
  const amounts = fc.array(fc.bigInt(0n, 10n), { maxLength: 12 })
  fc.assert(
    fc.property(amounts, (order) => {
      let held: Voucher | null = null
      for (const amount of order) {
        const before: Voucher | null = held
        try {
          const one = signed(amount)
          if (checkVoucher(one, { ...RULE, held }) === 'higher') held = one.voucher
        } catch {
          assert.equal(held, before)
        }
        assert.ok((held?.cumulative ?? 0n) >= (before?.cumulative ?? 0n))
      }
      const best = order.filter((amount) => amount <= RULE.deposit).reduce((a, b) => (a > b ? a : b), 0n)
      assert.equal(held?.cumulative ?? 0n, best)
    }),
    { numRuns: 50 },
  )
})

test('every bit of a voucher is signed', () => {
  const one = signed(5n)
  const bytes = encodeVoucher(one.voucher)
  fc.assert(
    fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
      const copy = Uint8Array.from(bytes)
      copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      assert.throws(() => checkVoucher({ voucher: decodeVoucher(copy), signature: one.signature }, RULE))
    }),
    { numRuns: 100 },
  )
})
