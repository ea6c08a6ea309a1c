/** The embedded chain over HTTP and websockets, as clients that were not written for it see it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import {
  AddressLookupTableProgram,
  ComputeBudgetProgram,
  Connection,
  Ed25519Program,
  Keypair,
  SYSVAR_CLOCK_PUBKEY,
  SystemProgram,
  Transaction,
  TransactionMessage,
  VersionedTransaction,
} from '@solana/web3.js'
import type { TransactionInstruction } from '@solana/web3.js'
import { startEmbeddedChain } from '../../ledger/chain/embedded/start.js'
import type { EmbeddedChainOptions, RunningChain } from '../../ledger/chain/embedded/start.js'

const SOL = 1_000_000_000
/** A signature of nothing: 64 zeros. */
const NEVER = '1'.repeat(64)

/** A clock that a test moves. */
class Time {
  ms = 1_800_000_000_000
  readonly now = (): number => this.ms
}

async function chainOf(t: TestContext, options: Partial<EmbeddedChainOptions> = {}): Promise<RunningChain> {
  const running = await startEmbeddedChain({ folder: null, port: 0, ...options })
  t.after(() => running.close())
  return running
}

async function fund(connection: Connection, lamports: number = 10 * SOL): Promise<Keypair> {
  const wallet = Keypair.generate()
  const signature = await connection.requestAirdrop(wallet.publicKey, lamports)
  const { value } = await connection.getSignatureStatuses([signature])
  assert.equal(value[0]?.err, null)
  return wallet
}

async function send(
  connection: Connection,
  instructions: readonly TransactionInstruction[],
  signers: readonly [Keypair, ...Keypair[]],
  options: { readonly skipPreflight?: boolean } = {},
): Promise<string> {
  const { blockhash, lastValidBlockHeight } = await connection.getLatestBlockhash()
  const transaction = new Transaction({ feePayer: signers[0].publicKey, blockhash, lastValidBlockHeight })
  transaction.add(...instructions)
  transaction.sign(...signers)
  return connection.sendRawTransaction(transaction.serialize(), options)
}

const transfer = (from: Keypair, to: Keypair, lamports: number): TransactionInstruction =>
  SystemProgram.transfer({ fromPubkey: from.publicKey, toPubkey: to.publicKey, lamports })

/** web3.js has no way of its own to let go of its websocket, and looks for a lost server for ever. */
function hangUp(connection: Connection): void {
  const socket = Reflect.get(connection, '_rpcWebSocket') as { reconnect: boolean; close(): void }
  socket.reconnect = false
  socket.close()
}

test('web3.js: an airdrop, a transfer, its status, its record, the balances to the lamport', async (t) => {
  const { url } = await chainOf(t)
  const connection = new Connection(url, 'confirmed')
  const [alice, bob] = [await fund(connection), Keypair.generate()]
  const signature = await send(connection, [transfer(alice, bob, 3 * SOL)], [alice])
  assert.equal(await connection.getBalance(bob.publicKey), 3 * SOL)
  assert.equal(await connection.getBalance(alice.publicKey), 7 * SOL - 5_000)
  const { value } = await connection.getSignatureStatuses([signature, NEVER])
  assert.deepEqual([value[0]?.confirmationStatus, value[0]?.err, value[1]], ['finalized', null, null])
  const record = await connection.getTransaction(signature, { maxSupportedTransactionVersion: 0 })
  assert.equal(record?.meta?.fee, 5_000)
  assert.deepEqual(record?.meta?.preBalances, [10 * SOL, 0, 1])
  assert.deepEqual(record?.meta?.postBalances, [7 * SOL - 5_000, 3 * SOL, 1])
  assert.equal(record?.transaction.signatures[0], signature)
  const parsed = await connection.getParsedTransaction(signature, { maxSupportedTransactionVersion: 0 })
  assert.deepEqual(
    parsed?.transaction.message.accountKeys.map(({ signer, writable }) => [signer, writable]),
    [
      [true, true],
      [false, true],
      [false, false],
    ],
  )
  const found = await connection.getSignaturesForAddress(alice.publicKey)
  assert.deepEqual([found.length, found[0]?.signature, found[0]?.err], [2, signature, null])
  const older = await connection.getSignaturesForAddress(alice.publicKey, { before: signature })
  assert.deepEqual(older, found.slice(1))
  assert.deepEqual(await connection.getSignaturesForAddress(alice.publicKey, { limit: 1 }), found.slice(0, 1))
})

test('web3.js: sendAndConfirm over the websocket; accounts and slots are told as they change', async (t) => {
  const { url } = await chainOf(t)
  const connection = new Connection(url, 'confirmed')
  const [alice, bob] = [await fund(connection), Keypair.generate()]
  let watching = 0
  const told = new Promise<number>((resolve) => {
    watching = connection.onAccountChange(bob.publicKey, ({ lamports }) => resolve(lamports))
  })
  const slot = new Promise<number>((resolve) => {
    const id = connection.onSlotChange((info) => {
      resolve(info.slot)
      void connection.removeSlotChangeListener(id)
    })
  })
  await slot
  const signature = await send(connection, [transfer(alice, bob, 2 * SOL)], [alice])
  const latest = await connection.getLatestBlockhash()
  const confirmed = await connection.confirmTransaction({ signature, ...latest }, 'confirmed')
  assert.equal(confirmed.value.err, null)
  assert.equal(await told, 2 * SOL)
  await connection.removeAccountChangeListener(watching)
  hangUp(connection)
})

test('web3.js: accounts with filters, slices, several at once, and rent', async (t) => {
  const { url } = await chainOf(t)
  const connection = new Connection(url, 'confirmed')
  const wallet = await fund(connection)
  const owner = Keypair.generate().publicKey
  const spaces = [64, 64, 80]
  const accounts = spaces.map(() => Keypair.generate())
  for (const [index, account] of accounts.entries()) {
    const space = spaces[index] ?? 0
    const lamports = await connection.getMinimumBalanceForRentExemption(space)
    const place = {
      fromPubkey: wallet.publicKey,
      newAccountPubkey: account.publicKey,
      lamports,
      space,
      programId: owner,
    }
    await send(connection, [SystemProgram.createAccount(place)], [wallet, account])
  }
  assert.equal((await connection.getProgramAccounts(owner)).length, 3)
  assert.equal((await connection.getProgramAccounts(owner, { filters: [{ dataSize: 64 }] })).length, 2)
  const memcmp = (bytes: string) =>
    connection.getProgramAccounts(owner, { filters: [{ memcmp: { offset: 8, bytes } }] })
  assert.equal((await memcmp('1111')).length, 3)
  assert.equal((await memcmp('2')).length, 0)
  const [first] = accounts
  assert.ok(first)
  const sliced = await connection.getAccountInfo(first.publicKey, { dataSlice: { offset: 0, length: 10 } })
  assert.deepEqual([sliced?.data.length, sliced?.owner.equals(owner)], [10, true])
  const several = await connection.getMultipleAccountsInfo([first.publicKey, Keypair.generate().publicKey])
  assert.deepEqual([several[0]?.data.length, several[1]], [64, null])
  assert.equal(await connection.getMinimumBalanceForRentExemption(0), 890_880)
})

test('what a preflight refuses did not happen; without one it costs its fee and keeps its error', async (t) => {
  const { url } = await chainOf(t)
  const connection = new Connection(url, 'confirmed')
  const [alice, bob] = [await fund(connection, SOL), Keypair.generate()]
  const tooMuch = [transfer(alice, bob, 2 * SOL)]
  await assert.rejects(send(connection, tooMuch, [alice]), /custom program error: 0x1/)
  assert.equal(await connection.getBalance(alice.publicKey), SOL)
  const signature = await send(connection, tooMuch, [alice], { skipPreflight: true })
  assert.equal(await connection.getBalance(alice.publicKey), SOL - 5_000)
  const { value } = await connection.getSignatureStatuses([signature])
  assert.deepEqual(value[0]?.err, { InstructionError: [0, { Custom: 1 }] })
  const record = await connection.getTransaction(signature, { maxSupportedTransactionVersion: 0 })
  assert.ok(record?.meta?.logMessages?.some((line) => line.includes('insufficient lamports')))
  await assert.rejects(send(connection, [transfer(bob, alice, 1)], [bob]), /no record of a prior credit/)
})

test('a transaction lands once; an old blockhash lands never', async (t) => {
  const time = new Time()
  const { url } = await chainOf(t, { now: time.now })
  const connection = new Connection(url, 'confirmed')
  const [alice, bob] = [await fund(connection), Keypair.generate()]
  const { blockhash, lastValidBlockHeight } = await connection.getLatestBlockhash()
  const signed = (lamports: number): Buffer => {
    const transaction = new Transaction({ feePayer: alice.publicKey, blockhash, lastValidBlockHeight })
    transaction.add(transfer(alice, bob, lamports))
    transaction.sign(alice)
    return transaction.serialize()
  }
  const first = await connection.sendRawTransaction(signed(SOL))
  await assert.rejects(connection.sendRawTransaction(signed(SOL)), /already been processed/)
  assert.equal(await connection.sendRawTransaction(signed(SOL), { skipPreflight: true }), first)
  assert.equal(await connection.getBalance(bob.publicKey), SOL)
  time.ms += 150 * 400
  assert.equal((await connection.isBlockhashValid(blockhash)).value, true)
  await connection.sendRawTransaction(signed(SOL + 1))
  time.ms += 400
  assert.equal((await connection.isBlockhashValid(blockhash)).value, false)
  await assert.rejects(connection.sendRawTransaction(signed(SOL + 2)), /Blockhash not found/)
  assert.equal(await connection.getBalance(bob.publicKey), 2 * SOL + 1)
  assert.ok((await connection.getBlockHeight()) > lastValidBlockHeight)
})

test('the clock is the real one, in the chain as well; set back, it waits', async (t) => {
  const time = new Time()
  const { url } = await chainOf(t, { now: time.now })
  const connection = new Connection(url, 'confirmed')
  const sysvar = async (): Promise<readonly [slot: number, unix: number]> => {
    const account = await connection.getAccountInfo(SYSVAR_CLOCK_PUBKEY)
    assert.ok(account)
    return [Number(account.data.readBigUInt64LE(0)), Number(account.data.readBigInt64LE(32))]
  }
  const [slot, unix] = await sysvar()
  assert.deepEqual([slot, unix], [await connection.getSlot(), 1_800_000_000])
  time.ms += 3_600_000
  assert.deepEqual(await sysvar(), [slot + 9_000, unix + 3_600])
  time.ms -= 60_000
  assert.deepEqual(await sysvar(), [slot + 9_000, unix + 3_600])
  assert.equal(await connection.getBlockTime(slot), unix)
  const epoch = await connection.getEpochInfo()
  assert.equal(epoch.absoluteSlot, slot + 9_000)
})

test('version 0 with a lookup table, made on this chain', async (t) => {
  const time = new Time()
  const { url } = await chainOf(t, { now: time.now })
  const connection = new Connection(url, 'confirmed')
  const [alice, bob] = [await fund(connection), Keypair.generate()]
  const [create, table] = AddressLookupTableProgram.createLookupTable({
    authority: alice.publicKey,
    payer: alice.publicKey,
    recentSlot: (await connection.getSlot()) - 1,
  })
  const extend = AddressLookupTableProgram.extendLookupTable({
    lookupTable: table,
    authority: alice.publicKey,
    payer: alice.publicKey,
    addresses: [bob.publicKey],
  })
  await send(connection, [create, extend], [alice])
  time.ms += 800
  const { value: account } = await connection.getAddressLookupTable(table)
  assert.ok(account)
  const { blockhash } = await connection.getLatestBlockhash()
  const message = new TransactionMessage({
    payerKey: alice.publicKey,
    recentBlockhash: blockhash,
    instructions: [transfer(alice, bob, SOL)],
  }).compileToV0Message([account])
  assert.equal(message.addressTableLookups.length, 1)
  const transaction = new VersionedTransaction(message)
  transaction.sign([alice])
  const signature = await connection.sendTransaction(transaction)
  assert.equal(await connection.getBalance(bob.publicKey), SOL)
  const record = await connection.getTransaction(signature, { maxSupportedTransactionVersion: 0 })
  assert.deepEqual(record?.meta?.loadedAddresses?.writable.map(String), [bob.publicKey.toBase58()])
  await assert.rejects(connection.getTransaction(signature, {}), /version \(0\) is not supported/)
})

test('simulation shows errors, logs and accounts, and changes nothing; fees are those really taken', async (t) => {
  const { url } = await chainOf(t)
  const connection = new Connection(url, 'confirmed')
  const [alice, bob] = [await fund(connection), Keypair.generate()]
  const { blockhash } = await connection.getLatestBlockhash()
  const voucher = Ed25519Program.createInstructionWithPrivateKey({
    privateKey: bob.secretKey,
    message: Buffer.from('ok'),
  })
  const message = new TransactionMessage({
    payerKey: alice.publicKey,
    recentBlockhash: blockhash,
    instructions: [
      ComputeBudgetProgram.setComputeUnitLimit({ units: 10_001 }),
      ComputeBudgetProgram.setComputeUnitPrice({ microLamports: 1_001 }),
      voucher,
      transfer(alice, bob, SOL),
    ],
  }).compileToV0Message()
  const transaction = new VersionedTransaction(message)
  const { value } = await connection.simulateTransaction(transaction, {
    accounts: { encoding: 'base64', addresses: [bob.publicKey.toBase58()] },
  })
  assert.deepEqual([value.err, value.accounts?.[0]?.lamports], [null, SOL])
  assert.ok((value.unitsConsumed ?? 0) > 0 && (value.logs ?? []).length > 0)
  assert.equal(await connection.getBalance(bob.publicKey), 0)
  const { value: fee } = await connection.getFeeForMessage(message)
  transaction.sign([alice])
  await connection.sendTransaction(transaction)
  assert.equal(await connection.getBalance(alice.publicKey), 10 * SOL - SOL - Number(fee))
  assert.equal(fee, 2 * 5_000 + 11)
})

test('two equal airdrops in one slot are two', async (t) => {
  const time = new Time()
  const { url, faucet } = await chainOf(t, { now: time.now })
  const connection = new Connection(url, 'confirmed')
  const wallet = Keypair.generate().publicKey
  await connection.requestAirdrop(wallet, SOL)
  await connection.requestAirdrop(wallet, SOL)
  assert.equal(await connection.getBalance(wallet), 2 * SOL)
  assert.equal(Buffer.from(faucet.publicKey).length, 32)
})
