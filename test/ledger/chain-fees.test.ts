/** What a transaction costs, read from its bytes, is what the chain took; and what an address is told to have lost. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lamports } from '../../ledger/amount.js'
import { landedAt, signaturesOf } from '../../ledger/chain/account-history.js'
import { fromBase58, toBase58 } from '../../ledger/chain/base58.js'
import { balanceOf, outboxChain } from '../../ledger/chain/calls.js'
import { ChainClient } from '../../ledger/chain/client.js'
import { EMBEDDED_PROGRAM, startSwarmdChain } from '../../ledger/chain/embedded/swarmd-chain.js'
import { isKey } from '../../ledger/chain/layout/addresses.js'
import { Outbox } from '../../ledger/chain/outbox.js'
import { Rpc } from '../../ledger/chain/rpc.js'
import { feeOf } from '../../ledger/chain/transaction-fee.js'
import { Transactor } from '../../ledger/chain/transactor.js'
import { signingKeyPair } from '../../ledger/crypto.js'
import { Journal } from '../../ledger/store/journal.js'
import { signVoucher } from '../../ledger/voucher.js'
import { folderOf } from './folder.js'
import { filled } from './sample.js'

const SOL = 1_000_000_000n

test('fees of signatures, vouchers and priority are told to the lamport, and changes add up to the balance', async (t) => {
  const chain = await startSwarmdChain({ folder: null, port: 0 })
  t.after(() => chain.close())
  const rpc = new Rpc({ urls: [chain.url], genesisHash: chain.genesisHash })
  const outbox = new Outbox({
    journal: await Journal.open(`${folderOf(t)}/outbox`),
    chain: outboxChain(rpc),
    now: Date.now,
  })
  t.after(() => outbox.close())
  const [wallet, node, signer] = [7, 8, 9].map((byte) => signingKeyPair(filled(32, byte)))
  assert.ok(wallet && node && signer)
  chain.chain.airdrop(wallet.publicKey, SOL)
  const clientWith = (priorityFee: bigint): ChainClient =>
    new ChainClient({
      rpc,
      transactor: new Transactor({ rpc, outbox, priorityFee }),
      program: EMBEDDED_PROGRAM,
      wallet,
    })
  const [plain, quick] = [clientWith(0n), clientWith(50_001n)]
  await quick.register(node, filled(32, 1), plain.address, '1')
  const terms = { provider: plain.provider, signer: signer.publicKey, model: filled(32, 0), grace: 86_400n }
  const { channel } = await plain.open({ ...terms, deposit: lamports(1_000_000n) }, '1')
  const found = await plain.channel(channel)
  const id = fromBase58(channel, 32)
  assert.ok(found && id)
  const voucher = { channel: id, cumulative: lamports(100_000n), expiresAt: 0n }
  await quick.settle([{ channel: found, signed: signVoucher(voucher, signer.secretKey) }])
  await plain.transfer(toBase58(filled(32, 3)), lamports(2_000_000n), '1')

  const fees: bigint[] = []
  for (const { signature, wire } of outbox.list()) {
    const landed = await landedAt(rpc, signature, plain.address)
    const fee = feeOf(Buffer.from(wire, 'base64'))
    assert.equal(landed?.fee, fee)
    assert.equal(landed.payer, plain.address)
    fees.push(fee)
  }
  assert.deepEqual([fees[1], fees[3]], [5_000n, 5_000n])
  assert.ok((fees[0] ?? 0n) > 10_000n && (fees[2] ?? 0n) > 10_000n, 'two signatures and a priority each')

  const all = await signaturesOf(rpc, plain.address, 1_000)
  assert.equal(all.length, 5, 'the airdrop as well')
  let sum = 0n
  for (const { signature } of all) sum += (await landedAt(rpc, signature, plain.address))?.change ?? 0n
  assert.equal(sum, await balanceOf(rpc, plain.address))
  assert.deepEqual(await signaturesOf(rpc, plain.address, 2), all.slice(0, 2), 'newest first')
  assert.equal(await landedAt(rpc, toBase58(filled(64, 1)), plain.address), null)
})

test('an address of a key is told from one that no key has', () => {
  const { publicKey } = signingKeyPair(filled(32, 7))
  assert.equal(isKey(toBase58(publicKey)), true)
  let points = 0
  for (let n = 0; n < 64; n++) {
    // About half of what a mistyped address could be is no point of the curve.
    const address = Uint8Array.from(publicKey)
    address[0] = n
    if (isKey(toBase58(address))) points++
  }
  assert.ok(points > 10 && points < 54, `${points} of 64`)
})
