import assert from 'node:assert/strict'
import test from 'node:test'
import { newContentKey, sealContent, sealContentKey } from '../../ledger/content.js'
import { issueReceipt, CHAIN_START } from '../../ledger/receipt.js'
import { assertShared, isProven } from '../../ledger/store/shared-checks.js'
import type { SharedEntry } from '../../ledger/store/shared.js'
import { withoutKeys } from '../../ledger/transaction.js'
import { entries } from './entries.js'
import { agreed, CONSUMER, CONSUMER_BOX, CONTENT, draft, filled, PROVIDER, PROVIDER_BOX, STRANGER } from './sample.js'

function told(changes: Partial<SharedEntry> = {}): SharedEntry {
  const { transaction, ciphertext } = entries('provider').next().value
  return { role: 'provider', transaction, ciphertext, ...changes }
}

test('what a peer has no business to tell is refused with its code', () => {
  const { transaction } = agreed()
  const good = { role: 'provider', transaction, ciphertext: null } as const
  assertShared(good, CONSUMER.publicKey, PROVIDER.publicKey)
  assertShared({ ...good, role: 'consumer' }, PROVIDER.publicKey, CONSUMER.publicKey)
  const signed = (changes: Partial<typeof transaction>): SharedEntry => ({
    ...good,
    transaction: { ...transaction, ...changes },
  })
  const cases = [
    [good, STRANGER.publicKey, PROVIDER.publicKey, 'BAD_ENCODING'],
    [good, CONSUMER.publicKey, STRANGER.publicKey, 'BAD_ENCODING'],
    [{ ...good, role: 'consumer' }, CONSUMER.publicKey, PROVIDER.publicKey, 'BAD_ENCODING'],
    [{ ...good, ciphertext: filled(9, 1) }, CONSUMER.publicKey, PROVIDER.publicKey, 'STORE_CORRUPT'],
    [signed({ providerSignature: filled(64, 1) }), CONSUMER.publicKey, PROVIDER.publicKey, 'RECEIPT_BAD_SIGNATURE'],
    [signed({ providerSignature: null }), CONSUMER.publicKey, PROVIDER.publicKey, 'RECEIPT_BAD_SIGNATURE'],
    [signed({ consumerSignature: filled(64, 1) }), CONSUMER.publicKey, PROVIDER.publicKey, 'RECEIPT_BAD_SIGNATURE'],
  ] as const
  for (const [entry, own, peer, code] of cases) assert.throws(() => assertShared(entry, own, peer), { code })
})

test('a record is proven by this side’s own signature, or by a content that its box key opens', () => {
  const entry = told()
  assert.ok(isProven(entry, CONSUMER_BOX))
  assert.ok(isProven({ ...entry, ciphertext: null }, CONSUMER_BOX), 'a pruned one bears the signature')
  const half = { ...entry, transaction: { ...entry.transaction, consumerSignature: null } }
  assert.ok(isProven(half, CONSUMER_BOX), 'nobody else could have sealed that to this box')
  assert.ok(!isProven({ ...half, ciphertext: null }, CONSUMER_BOX))
})

test('a forged record does not open: sealed to another box, or a seal that was taken from another record', () => {
  assert.throws(() => isProven(told(), PROVIDER_BOX), { code: 'BAD_SEAL' })
  const key = newContentKey()
  const stolen = sealContentKey(key, CONSUMER_BOX.publicKey)
  const forgedKey = newContentKey()
  const { ciphertext, body } = sealContent(forgedKey, draft(5).id, CONTENT)
  const statement = draft(5, { body, sealedForConsumer: stolen })
  const { transaction } = issueReceipt(statement, CHAIN_START, PROVIDER.secretKey)
  assert.throws(() => isProven({ role: 'provider', transaction, ciphertext }, CONSUMER_BOX), { code: 'BAD_SEAL' })
})

test('a record that the other side has forgotten comes back as what both signed', () => {
  const { transaction } = told()
  const forgotten = withoutKeys(transaction)
  assert.ok(isProven({ role: 'provider', transaction: forgotten, ciphertext: null }, CONSUMER_BOX))
  const half = { ...forgotten, consumerSignature: null }
  assert.ok(!isProven({ role: 'provider', transaction: half, ciphertext: null }, CONSUMER_BOX))
})
