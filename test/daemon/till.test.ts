/** The channels that a provider is paid on, and vouchers that come by two ways. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { signKeyPair } from '../../daemon/crypto.js'
import { CreditChannels } from '../../daemon/payment/channels.js'
import type { Channels } from '../../daemon/payment/channels.js'
import { PaymentError } from '../../daemon/payment/errors.js'
import { Proofs } from '../../daemon/payment/proofs.js'
import { Till } from '../../daemon/payment/till.js'
import { lamports } from '../../ledger/amount.js'
import { signRaw } from '../../ledger/crypto.js'
import { LedgerStore } from '../../ledger/store/store.js'
import { signVoucher } from '../../ledger/voucher.js'
import type { ShownPayment, SignedPayment } from '../../swarm/port.js'
import { shownBy } from '../helpers/direct-line.js'

const PEER = new Uint8Array(32).fill(7)
const SESSION = new Uint8Array(64).fill(1)
const SIGNER = signKeyPair(new Uint8Array(32).fill(9))

type ByChannel = Extract<ShownPayment, { readonly kind: 'channel' }>

const THIEF = signKeyPair(new Uint8Array(32).fill(10))

function voucher(cumulative: bigint): SignedPayment {
  const { voucher: signed, signature } = signVoucher(
    { channel: SIGNER.publicKey, cumulative: lamports(cumulative), expiresAt: 0n },
    SIGNER.secretKey,
  )
  return { channel: signed.channel, cumulative, expires: 0n, signature }
}

/** The channel as an ask of `consumer` on the connection `session` shows it; `owner` signs the proof. */
function shown(newest: SignedPayment | null, consumer = PEER, session = SESSION, owner = SIGNER): ByChannel {
  const payment = {
    kind: 'channel',
    channel: SIGNER.publicKey,
    voucher: newest,
    prove: (claim: Uint8Array) => signRaw(owner.secretKey, claim),
  } as const
  const { claim, proof } = shownBy(payment, { consumer, provider: new Uint8Array(32).fill(8) }, session)
  return { kind: 'channel', channel: SIGNER.publicKey, voucher: newest, claim, proof }
}

async function till(t: TestContext, given?: Channels): Promise<Till> {
  const folder = mkdtempSync(join(tmpdir(), 'swarmd-till-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const store = await LedgerStore.open(folder, new Uint8Array(32))
  t.after(() => store.close())
  const channels = given ?? new CreditChannels(lamports(100n), () => SIGNER)
  return new Till({
    channels,
    store: () => Promise.resolve(store),
    now: () => 0,
    failed: (error) => assert.fail(String(error)),
  })
}

test('a voucher that an ask with a higher one overtook is no fault; the same one sent again is', async (t) => {
  const here = await till(t)
  const account = await here.open(shown(voucher(1n)), PEER)
  await here.open(shown(voucher(4n)), PEER)
  await here.accept(voucher(2n))
  await here.accept(voucher(3n))
  assert.equal(account.paid, 4n)
  await here.accept(voucher(5n))
  assert.equal(account.paid, 5n)
  for (const again of [2n, 3n, 4n]) await assert.rejects(here.accept(voucher(again)), { code: 'VOUCHER_NOT_HIGHER' })
  assert.equal(account.paid, 5n)
})

test('an ask may bring what a voucher in between has overtaken', async (t) => {
  const here = await till(t)
  const account = await here.open(shown(voucher(1n)), PEER)
  await here.accept(voucher(3n))
  assert.equal(await here.open(shown(voucher(2n)), PEER), account)
  assert.equal(account.paid, 3n)
})

test('a channel is of use to whoever proves to hold its key, on the connection of the proof alone', async (t) => {
  const here = await till(t)
  const own = shown(voucher(1n))
  const account = await here.open(own, PEER)
  assert.equal(await here.open(own, PEER), account, 'the same proof with the next ask')
  const thief = new Uint8Array(32).fill(6)
  const foreign = { code: 'PAYMENT_REQUIRED', message: /owner/ }
  const elsewhere = new Uint8Array(64).fill(2)
  const stolen: readonly [string, ByChannel][] = [
    ['the newest voucher, which is public, and a key of the thief’s own', shown(voucher(1n), thief, SESSION, THIEF)],
    ['the owner’s proof, shown by another peer', { ...shown(voucher(1n), thief), proof: own.proof }],
    ['the owner’s proof, on another connection', { ...shown(voucher(1n), PEER, elsewhere), proof: own.proof }],
    ['no proof at all', { ...own, proof: new Uint8Array(64) }],
    ['a proof of noise', { ...own, proof: own.proof.map((byte, i) => (i === 9 ? byte ^ 1 : byte)) }],
  ]
  for (const [what, payment] of stolen) await assert.rejects(here.open(payment, thief), foreign, what)
  assert.equal(
    await here.open(shown(null, thief, elsewhere), thief),
    account,
    'a consumer has another key at each start',
  )
})

test('a proof that does not hold takes no voucher with it', async (t) => {
  const here = await till(t)
  const account = await here.open(shown(voucher(1n)), PEER)
  await assert.rejects(here.open({ ...shown(voucher(5n)), proof: new Uint8Array(64) }, PEER), {
    code: 'PAYMENT_REQUIRED',
  })
  assert.equal(account.paid, 1n)
})

test('a proof is verified once for a connection, and what does not hold is never remembered', () => {
  const proofs = new Proofs()
  const { claim, proof } = shown(null)
  assert.equal(proofs.holds({ claim, proof }, THIEF.publicKey), false)
  assert.equal(proofs.holds({ claim, proof }, SIGNER.publicKey), true)
  assert.equal(proofs.holds({ claim, proof }, THIEF.publicKey), false)
  assert.equal(proofs.holds({ claim: THIEF.publicKey, proof }, SIGNER.publicKey), false)
  assert.equal(proofs.holds({ claim, proof }, SIGNER.publicKey), true)
})

test('a larger deposit is looked for when an ask wants more than is left, once, and a look that fails changes nothing', async (t) => {
  const { publicKey: channel } = SIGNER
  let [looks, deposit, ending] = [0, 100n, false]
  const channels: Channels = {
    pays: false,
    outgoing: () => Promise.resolve(null),
    incoming: () => {
      looks++
      if (deposit === 0n) return Promise.reject(PaymentError.PAYMENT_REQUIRED('the chain is away'))
      return Promise.resolve({ channel, deposit: lamports(deposit), signer: channel })
    },
    ending: () => ending,
  }
  const here = await till(t, channels)
  const account = await here.open(shown(null), PEER, 100_000_000n)
  assert.equal(looks, 1)
  deposit = 300n
  const both = [here.open(shown(null), PEER, 100_000_001n), here.open(shown(null), PEER, 200_000_000n)]
  assert.ok((await Promise.all(both)).every((one) => one === account))
  assert.equal(looks, 2)
  assert.equal(account.deposit, 300n)
  deposit = 0n
  await here.open(shown(null), PEER, 400_000_000n)
  assert.equal(account.deposit, 300n)
  deposit = 50n
  await here.open(shown(null), PEER, 400_000_000n)
  assert.equal(account.deposit, 300n, 'a deposit never shrinks')
  assert.equal(here.busy(channel), false)
  ending = true
  await assert.rejects(here.open(shown(null), PEER), { code: 'PAYMENT_REQUIRED', message: /closed/ })
})
