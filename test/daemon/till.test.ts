/** The channels that a provider is paid on, and vouchers that come by two ways. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { signKeyPair } from '../../daemon/crypto.js'
import { CreditChannels } from '../../daemon/payment/channels.js'
import { Till } from '../../daemon/payment/till.js'
import { lamports } from '../../ledger/amount.js'
import { LedgerStore } from '../../ledger/store/store.js'
import { signVoucher } from '../../ledger/voucher.js'
import type { SignedPayment } from '../../swarm/port.js'

const PEER = new Uint8Array(32).fill(7)
const SIGNER = signKeyPair(new Uint8Array(32).fill(9))

function voucher(cumulative: bigint): SignedPayment {
  const { voucher: signed, signature } = signVoucher(
    { channel: SIGNER.publicKey, cumulative: lamports(cumulative), expiresAt: 0n },
    SIGNER.secretKey,
  )
  return { channel: signed.channel, cumulative, expires: 0n, signature }
}

async function till(t: TestContext): Promise<Till> {
  const folder = mkdtempSync(join(tmpdir(), 'swarmd-till-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const store = await LedgerStore.open(folder, new Uint8Array(32))
  t.after(() => store.close())
  const channels = new CreditChannels(lamports(100n), () => SIGNER)
  return new Till({
    channels,
    store: () => Promise.resolve(store),
    now: () => 0,
    failed: (error) => assert.fail(String(error)),
  })
}

test('a voucher that an ask with a higher one overtook is no fault; the same one sent again is', async (t) => {
  const here = await till(t)
  const account = await here.open({ channel: SIGNER.publicKey, voucher: voucher(1n) }, PEER)
  await here.open({ channel: SIGNER.publicKey, voucher: voucher(4n) }, PEER)
  await here.accept(voucher(2n), PEER)
  await here.accept(voucher(3n), PEER)
  assert.equal(account.paid, 4n)
  await here.accept(voucher(5n), PEER)
  assert.equal(account.paid, 5n)
  for (const again of [2n, 3n, 4n])
    await assert.rejects(here.accept(voucher(again), PEER), { code: 'VOUCHER_NOT_HIGHER' })
  assert.equal(account.paid, 5n)
})

test('an ask may bring what a voucher in between has overtaken', async (t) => {
  const here = await till(t)
  const account = await here.open({ channel: SIGNER.publicKey, voucher: voucher(1n) }, PEER)
  await here.accept(voucher(3n), PEER)
  assert.equal(await here.open({ channel: SIGNER.publicKey, voucher: voucher(2n) }, PEER), account)
  assert.equal(account.paid, 3n)
})
