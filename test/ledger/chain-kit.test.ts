/** The embedded chain as @solana/kit sees it: confirmed over a websocket on the same port. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  appendTransactionMessageInstruction,
  createSolanaRpc,
  createSolanaRpcSubscriptions,
  createTransactionMessage,
  generateKeyPairSigner,
  getSignatureFromTransaction,
  lamports,
  pipe,
  sendAndConfirmTransactionFactory,
  setTransactionMessageFeePayerSigner,
  setTransactionMessageLifetimeUsingBlockhash,
  signTransactionMessageWithSigners,
  AccountRole,
  assertIsTransactionWithBlockhashLifetime,
} from '@solana/kit'
import type { Address, Instruction, KeyPairSigner } from '@solana/kit'
import { startEmbeddedChain } from '../../ledger/chain/embedded/start.js'

const SYSTEM = '11111111111111111111111111111111' as Address

function transfer(from: KeyPairSigner, to: Address, amount: bigint): Instruction {
  const data = Buffer.alloc(12)
  data.writeUInt32LE(2)
  data.writeBigUInt64LE(amount, 4)
  const accounts = [
    { address: from.address, role: AccountRole.WRITABLE_SIGNER, signer: from },
    { address: to, role: AccountRole.WRITABLE },
  ]
  return { programAddress: SYSTEM, accounts, data }
}

test('kit: airdrop, send and confirm over the websocket, balances as bigints', async (t) => {
  const running = await startEmbeddedChain({ folder: null, port: 0 })
  t.after(() => running.close())
  const rpc = createSolanaRpc(running.url)
  const rpcSubscriptions = createSolanaRpcSubscriptions(running.url.replace('http', 'ws'))
  const [alice, bob] = await Promise.all([generateKeyPairSigner(), generateKeyPairSigner()])
  await rpc.requestAirdrop(alice.address, lamports(5_000_000_000n)).send()
  const { value: latest } = await rpc.getLatestBlockhash().send()
  const message = pipe(
    createTransactionMessage({ version: 0 }),
    (empty) => setTransactionMessageFeePayerSigner(alice, empty),
    (paid) => setTransactionMessageLifetimeUsingBlockhash(latest, paid),
    (timed) => appendTransactionMessageInstruction(transfer(alice, bob.address, 1_000_000_000n), timed),
  )
  const transaction = await signTransactionMessageWithSigners(message)
  assertIsTransactionWithBlockhashLifetime(transaction)
  await sendAndConfirmTransactionFactory({ rpc, rpcSubscriptions })(transaction, { commitment: 'confirmed' })
  assert.equal((await rpc.getBalance(bob.address).send()).value, 1_000_000_000n)
  assert.equal((await rpc.getBalance(alice.address).send()).value, 3_999_995_000n)
  const signature = getSignatureFromTransaction(transaction)
  const record = await rpc.getTransaction(signature, { maxSupportedTransactionVersion: 0, encoding: 'json' }).send()
  assert.equal(record?.meta?.fee, 5_000n)
  const account = await rpc.getAccountInfo(bob.address, { encoding: 'base64' }).send()
  assert.deepEqual([account.value?.owner, account.value?.data[0]], [SYSTEM, ''])
  assert.equal((await rpc.getEpochInfo().send()).epoch, 0n)
})
