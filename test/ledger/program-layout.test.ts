import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import test from 'node:test'
import { PublicKey } from '@solana/web3.js'
import fc from 'fast-check'
import { lamports } from '../../ledger/amount.js'
import { CHANNEL, OFFER, ORDER, PROVIDER } from '../../ledger/chain/layout/accounts.js'
import type { OfferAccount } from '../../ledger/chain/layout/accounts.js'
import { channelAddress, configAddress, providerAddress } from '../../ledger/chain/layout/addresses.js'
import { PROGRAM_ERROR_TEXTS, PROGRAM_ERRORS, programErrorName } from '../../ledger/chain/layout/errors.js'
import { openChannel } from '../../ledger/chain/layout/channel-instructions.js'
import { ACCOUNTS, INSTRUCTIONS } from '../../ledger/chain/layout/program.js'
import { voucherSignatures } from '../../ledger/chain/layout/voucher-signatures.js'
import { LedgerError } from '../../ledger/errors.js'

const KEY = new PublicKey(new Uint8Array(32).fill(5))
const PROGRAM = new PublicKey(new Uint8Array(32).fill(6))
const BYTES = new Uint8Array(32).fill(7)
const OFFERED: OfferAccount = {
  bump: 254,
  phase: 0,
  provider: KEY,
  model: BYTES,
  input: 1n,
  cached: 2n,
  output: 2n ** 64n - 1n,
  context: 0x01020304,
  flags: 5,
  updatedAt: -1n,
}

test('an account has exactly these bytes', () => {
  const words = `0100000000000000${'0200000000000000'}${'ff'.repeat(8)}0403020105000000${'ff'.repeat(8)}`
  const expected = `0301fe0000000000${'05'.repeat(32)}${'07'.repeat(32)}${words}`
  assert.equal(Buffer.from(OFFER.encode(OFFERED)).toString('hex'), expected)
  const decoded = OFFER.decode(OFFER.encode(OFFERED))
  assert.deepEqual({ ...decoded, provider: decoded.provider.toBase58() }, { ...OFFERED, provider: KEY.toBase58() })
})

test('an account of another kind, version or length is refused, and so is any other garbage', () => {
  const bytes = OFFER.encode(OFFERED)
  assert.throws(() => CHANNEL.decode(bytes), { code: 'BAD_ENCODING' })
  assert.throws(() => OFFER.decode(bytes.with(1, 2)), { code: 'UNKNOWN_VERSION' })
  assert.throws(() => OFFER.decode(bytes.subarray(1)), { code: 'BAD_ENCODING' })
  assert.throws(() => OFFER.decode(Uint8Array.of(...bytes, 0)), { code: 'BAD_ENCODING' })
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 111 }), (garbage) => {
      for (const layout of ACCOUNTS) assert.throws(() => layout.decode(garbage), LedgerError)
    }),
  )
})

test('a value that its field cannot hold is refused', () => {
  for (const wrong of [{ context: -1 }, { context: 2 ** 32 }, { context: 1.5 }, { input: -1n }, { input: 2n ** 64n }]) {
    assert.throws(() => OFFER.encode({ ...OFFERED, ...wrong }), { code: 'BAD_ENCODING' })
  }
  assert.throws(() => OFFER.encode({ ...OFFERED, model: BYTES.subarray(1) }), { code: 'BAD_ENCODING' })
  assert.throws(() => OFFER.encode({ ...OFFERED, updatedAt: 2n ** 63n }), { code: 'BAD_ENCODING' })
})

test('filters find what the documents say they find', () => {
  assert.deepEqual([OFFER.offsetOf('model'), ORDER.offsetOf('model')], [40, 40])
  assert.deepEqual([CHANNEL.offsetOf('payer'), CHANNEL.offsetOf('provider')], [8, 40])
  assert.deepEqual(
    ACCOUNTS.map(({ size }) => size),
    [144, 320, 112, 200, 488, 144],
  )
  assert.equal(PROVIDER.offsetOf('node'), 40)
})

test('addresses follow from the seeds alone', () => {
  const seeds = { payer: KEY, provider: KEY, signer: BYTES, salt: 1n, openSlot: 2n }
  const all = [
    configAddress(PROGRAM),
    providerAddress(PROGRAM, KEY),
    channelAddress(PROGRAM, seeds),
    channelAddress(PROGRAM, { ...seeds, salt: 2n }),
    channelAddress(PROGRAM, { ...seeds, openSlot: 3n }),
  ].map((key) => key.toBase58())
  assert.equal(new Set(all).size, all.length)
  const digest = createHash('sha256').update(all.join()).digest('hex')
  assert.equal(digest, '5af854dfa7167851c67804e43b6365db079cdaf54a8199e914ff41b800f9cc15')
})

test('an instruction is its number and its arguments', () => {
  const terms = { signer: BYTES, model: BYTES, salt: 1n, openSlot: 2n, deposit: lamports(3n), grace: 4n }
  const { data, keys } = openChannel(PROGRAM, { payer: KEY, provider: KEY, ...terms })
  const words = [1, 2, 3, 4].map((value) => `0${value}${'00'.repeat(7)}`).join('')
  assert.equal(data.toString('hex'), `30${'07'.repeat(64)}${words}`)
  assert.deepEqual(
    keys.map(({ isSigner, isWritable }) => Number(isSigner) * 2 + Number(isWritable)),
    [3, 1, 1, 0, 0],
  )
  assert.equal(new Set(INSTRUCTIONS.map(({ number }) => number)).size, INSTRUCTIONS.length)
})

test('a transaction carries between one and eight vouchers', () => {
  const voucher = { channel: BYTES, cumulative: lamports(1n), expiresAt: 0n }
  const one = { signed: { voucher, signature: new Uint8Array(64) }, signer: BYTES }
  for (const count of [0, 9]) {
    assert.throws(() => voucherSignatures(Array.from({ length: count }, () => one)), { code: 'BAD_ENCODING' })
  }
  assert.equal(voucherSignatures(Array.from({ length: 8 }, () => one)).data.length, 2 + 8 * 160)
})

test('every error has a name, a number of its own and words', () => {
  const codes = Object.values(PROGRAM_ERRORS)
  assert.equal(new Set(codes).size, codes.length)
  assert.deepEqual(Object.keys(PROGRAM_ERROR_TEXTS), Object.keys(PROGRAM_ERRORS))
  assert.equal(programErrorName(6059), 'VOUCHER_EXPIRED')
  assert.equal(programErrorName(1), null)
})
