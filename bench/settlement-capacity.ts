/**
 * How many vouchers a settlement holds, legacy and version 0 with a lookup table: built, signed, sent over JSON-RPC to the
 * embedded chain and accepted there, with real channels, real vouchers and a table made by its own transactions.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  AddressLookupTableAccount,
  AddressLookupTableProgram,
  ComputeBudgetProgram,
  Keypair,
  PublicKey,
  SYSVAR_INSTRUCTIONS_PUBKEY,
  TransactionMessage,
  VersionedTransaction,
} from '@solana/web3.js'
import type { TransactionInstruction } from '@solana/web3.js'
import { lamports } from '../ledger/amount.js'
import { accountOf, balanceOf, latestBlockhash, outboxChain, slotOf } from '../ledger/chain/calls.js'
import { ChainClient } from '../ledger/chain/client.js'
import { EMBEDDED_PROGRAM, startSwarmdChain } from '../ledger/chain/embedded/swarmd-chain.js'
import { settleChannels } from '../ledger/chain/layout/channel-instructions.js'
import { anchorCheckpoint } from '../ledger/chain/layout/provider-instructions.js'
import { voucherSignatures } from '../ledger/chain/layout/voucher-signatures.js'
import { Outbox } from '../ledger/chain/outbox.js'
import { Rpc } from '../ledger/chain/rpc.js'
import { MAX_TRANSACTION_BYTES } from '../ledger/chain/sign.js'
import { Transactor } from '../ledger/chain/transactor.js'
import { randomBytes, signingKeyPair } from '../ledger/crypto.js'
import type { KeyPair } from '../ledger/crypto.js'
import { signVoucher } from '../ledger/voucher.js'
import type { BenchContext, Figure } from './figure.js'

const MOST = 8
const SOL = 1_000_000_000n
const PROGRAM = new PublicKey(EMBEDDED_PROGRAM)

/** `fixed`: the accounts of every settlement of a provider; `all`: its channels as well. */
type Shape = 'legacy' | 'v0 fixed' | 'v0 all'

interface Stage {
  readonly rpc: Rpc
  readonly provider: KeyPair
  readonly signer: KeyPair
  readonly channels: readonly PublicKey[]
  readonly keys: { provider: PublicKey; payout: PublicKey; treasury: PublicKey; pool: PublicKey }
  readonly tables: Readonly<Record<Shape, AddressLookupTableAccount | null>>
}

interface Sent {
  readonly count: number
  readonly bytes: number
  /** What the payer of the fee paid. */
  readonly lamports: bigint
}

export async function capacity({ note }: BenchContext): Promise<Figure[]> {
  const chain = await startSwarmdChain({ folder: null, port: 0 })
  try {
    const fund = (to: Uint8Array): void => void chain.chain.airdrop(to, 10n * SOL)
    const stage = await open(new Rpc({ urls: [chain.url], genesisHash: chain.genesisHash }), fund, note)
    const figures: Figure[] = []
    // Each settlement pays more than the one before it.
    let cumulative = 1n
    for (const withCheckpoint of [false, true]) {
      for (const shape of ['legacy', 'v0 fixed', 'v0 all'] as const) {
        const best = await largest(stage, shape, withCheckpoint, () => (cumulative += 1n))
        const name = `settlement.${shape.replace(' ', '.')}${withCheckpoint ? '.checkpoint' : ''}`
        const each = Number(best.lamports) / best.count
        note(`${name}: ${best.count} vouchers, ${best.bytes} bytes, ${best.lamports} lamports, ${each} a voucher`)
        figures.push({ figure: name, value: best.count, unit: 'vouchers', goal: null, better: 'higher' })
      }
    }
    return figures
  } finally {
    await chain.close()
  }
}

/** The largest settlement that is short enough and that the chain takes. */
async function largest(stage: Stage, shape: Shape, withCheckpoint: boolean, next: () => bigint): Promise<Sent> {
  let best: Sent | null = null
  for (let count = 1; count <= MOST; count++) {
    const sent = await settle(stage, shape, count, withCheckpoint, next())
    if (!sent) break
    best = sent
  }
  if (!best) throw new Error(`no settlement fits into a ${shape} transaction`)
  return best
}

/** null when it is too long. Throws what the chain says. */
async function settle(
  { rpc, provider, signer, channels, keys, tables }: Stage,
  shape: Shape,
  count: number,
  withCheckpoint: boolean,
  cumulative: bigint,
): Promise<Sent | null> {
  const some = channels.slice(0, count)
  const signed = some.map((channel) =>
    signVoucher({ channel: channel.toBytes(), cumulative: lamports(cumulative), expiresAt: 0n }, signer.secretKey),
  )
  const authority = new PublicKey(provider.publicKey)
  const checkpoint = { authority, log: randomBytes(32), treeHash: randomBytes(32), length: cumulative }
  const instructions = [
    // As a real one has them: the second costs a lamport here.
    ComputeBudgetProgram.setComputeUnitLimit({ units: 20_000 }),
    ComputeBudgetProgram.setComputeUnitPrice({ microLamports: 1 }),
    voucherSignatures(signed.map((one) => ({ signed: one, signer: signer.publicKey }))),
    settleChannels(PROGRAM, { ...keys, channels: some }),
    ...(withCheckpoint ? [anchorCheckpoint(PROGRAM, checkpoint)] : []),
  ]
  const before = await balanceOf(rpc, authority.toBase58())
  const bytes = await send(rpc, provider, instructions, tables[shape])
  if (bytes === null) return null
  return { count, bytes, lamports: before - (await balanceOf(rpc, authority.toBase58())) }
}

/** Bytes on the wire; null when they are too many. Resolves when the chain has run it. */
async function send(
  rpc: Rpc,
  payer: KeyPair,
  instructions: TransactionInstruction[],
  table: AddressLookupTableAccount | null,
): Promise<number | null> {
  const { blockhash } = await latestBlockhash(rpc)
  const payerKey = new PublicKey(payer.publicKey)
  const message = new TransactionMessage({ payerKey, recentBlockhash: blockhash, instructions })
  let wire: Uint8Array
  try {
    const compiled = table ? message.compileToV0Message([table]) : message.compileToLegacyMessage()
    const transaction = new VersionedTransaction(compiled)
    transaction.sign([Keypair.fromSecretKey(payer.secretKey)])
    wire = transaction.serialize()
  } catch (error) {
    // What web3.js throws when its buffer of 1,232 bytes is full.
    if (error instanceof RangeError) return null
    throw error
  }
  if (wire.byteLength > MAX_TRANSACTION_BYTES) return null
  // The embedded chain answers when it has landed, and refuses what would fail.
  await rpc.once('sendTransaction', [Buffer.from(wire).toString('base64'), { encoding: 'base64' }])
  return wire.byteLength
}

async function open(rpc: Rpc, fund: (to: Uint8Array) => void, note: BenchContext['note']): Promise<Stage> {
  const [provider, payer, payout, signer] = [1, 2, 3, 4].map(() => signingKeyPair(randomBytes(32)))
  if (!provider || !payer || !payout || !signer) throw new Error('four keys')
  for (const { publicKey } of [provider, payer, payout]) fund(publicKey)
  const seller = clientOf(rpc, provider)
  const to = new PublicKey(payout.publicKey)
  await seller.register(signingKeyPair(randomBytes(32)), randomBytes(32), to.toBase58(), 'bench')
  const buyer = clientOf(rpc, payer)
  const channels: PublicKey[] = []
  for (let index = 0; index < MOST; index++) {
    const terms = { provider: seller.provider, signer: signer.publicKey, model: new Uint8Array(32), grace: 86_400n }
    const { channel } = await buyer.open({ ...terms, deposit: lamports(1_000_000n) }, String(index))
    channels.push(new PublicKey(channel))
  }
  const { treasury, pool } = await seller.config()
  const keys = { provider: new PublicKey(seller.provider), payout: to, treasury, pool }
  const fixed = [...new Set([keys.provider, to, treasury, pool, SYSVAR_INSTRUCTIONS_PUBKEY, PROGRAM])]
  const before = await balanceOf(rpc, seller.address)
  const small = await tableOf(rpc, provider, fixed)
  const cost = before - (await balanceOf(rpc, seller.address))
  const all = await tableOf(rpc, provider, [...fixed, ...channels])
  note(`a table of ${fixed.length} accounts takes two transactions and ${cost} lamports, most of them rent`)
  return { rpc, provider, signer, channels, keys, tables: { legacy: null, 'v0 fixed': small, 'v0 all': all } }
}

function clientOf(rpc: Rpc, wallet: KeyPair): ChainClient {
  const journal = { entries: () => new Map<string, Uint8Array>().entries(), write: nothing, close: nothing }
  const outbox = new Outbox({ journal, chain: outboxChain(rpc), now: Date.now })
  return new ChainClient({ rpc, transactor: new Transactor({ rpc, outbox }), program: EMBEDDED_PROGRAM, wallet })
}

/** Resolves when it may be used: a slot after its last change. */
async function tableOf(rpc: Rpc, payer: KeyPair, addresses: PublicKey[]): Promise<AddressLookupTableAccount> {
  const authority = new PublicKey(payer.publicKey)
  const recentSlot = (await slotOf(rpc)) - 1
  const [create, key] = AddressLookupTableProgram.createLookupTable({ authority, payer: authority, recentSlot })
  const extend = AddressLookupTableProgram.extendLookupTable({
    authority,
    payer: authority,
    lookupTable: key,
    addresses,
  })
  await send(rpc, payer, [create], null)
  await send(rpc, payer, [extend], null)
  const extended = await slotOf(rpc)
  while ((await slotOf(rpc)) <= extended + 1) await sleep(100)
  const account = await accountOf(rpc, key.toBase58())
  if (!account) throw new Error('the lookup table is not there')
  return new AddressLookupTableAccount({ key, state: AddressLookupTableAccount.deserialize(account.data) })
}

function nothing(): Promise<void> {
  return Promise.resolve()
}
