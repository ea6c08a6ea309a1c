/**
 * What settling costs: compute units of every instruction, vouchers that fit into a transaction, lamports a request, and
 * how fast vouchers are signed, checked and made durable. Chain figures come from the built program in LiteSVM.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  AddressLookupTableAccount,
  ComputeBudgetProgram,
  Ed25519Program,
  Keypair,
  PublicKey,
  SYSVAR_INSTRUCTIONS_PUBKEY,
  TransactionMessage,
  VersionedTransaction,
} from '@solana/web3.js'
import type { TransactionInstruction } from '@solana/web3.js'
import { FailedTransactionMetadata } from 'litesvm'
import type { LiteSVM } from 'litesvm'
import { lamports } from '../ledger/amount.js'
import { INSTRUCTIONS } from '../ledger/chain/layout/program.js'
import { randomBytes, signingKeyPair } from '../ledger/crypto.js'
import { readProgram } from '../ledger/program/artifacts.js'
import { VoucherStore } from '../ledger/store/vouchers.js'
import { CALLS } from '../test/ledger/program-calls.js'
import { Stage } from '../test/ledger/program-stage.js'
import type { Bench, BenchContext, Figure } from './figure.js'

/** Bytes of a transaction on the wire. */
const MAX_TRANSACTION = 1232
const LOOKUP_TABLES = new PublicKey('AddressLookupTab1e1111111111111111111111111')
const REQUESTS = [1, 10, 1000, 100_000]
const VOUCHERS = 20_480
const CHANNELS = 512

export const bench: Bench = {
  name: 'settlement',
  about: 'compute units, vouchers a transaction, lamports a request, vouchers a second',
  async run(context): Promise<readonly Figure[]> {
    const image = await readProgram()
    return [
      ...units(Stage.ready(image)),
      ...capacity(image, context),
      ...price(Stage.ready(image)),
      await vouchers(context),
    ]
  },
}

/** Accounts that are created search their bump: 1,500 units for each try, so these differ between addresses. */
function units(stage: Stage): Figure[] {
  const saved = stage.world.save()
  return INSTRUCTIONS.map(({ name }) => {
    const outcome = stage.world.send(...(CALLS[name]?.(stage) ?? []))
    if (outcome.error !== null) throw new Error(`${name}: ${outcome.error}`)
    stage.world.restore(saved)
    return { figure: `units.${name}`, value: outcome.units, unit: 'units', goal: null, better: 'lower' }
  })
}

type Shape = 'legacy' | 'v0'

/** The largest settlement that is short enough, sent to see that it also works. */
function capacity(image: Uint8Array, { note }: BenchContext): Figure[] {
  return (['legacy', 'v0'] as const).flatMap((shape) =>
    [false, true].map((withCheckpoint): Figure => {
      let best: { count: number; units: number; bytes: number } | null = null
      for (let count = 1; count <= 8; count++) {
        const sent = send(image, shape, count, withCheckpoint)
        if (sent) best = { count, ...sent }
      }
      if (!best) throw new Error(`no settlement fits into a ${shape} transaction`)
      const name = `settlement.${shape}${withCheckpoint ? '.checkpoint' : ''}`
      note(`${name}: ${best.count} vouchers, ${best.bytes} bytes, ${best.units} units`)
      return { figure: name, value: best.count, unit: 'vouchers', goal: null, better: 'higher' }
    }),
  )
}

/** Null when it is too long. */
function send(
  image: Uint8Array,
  shape: Shape,
  count: number,
  withCheckpoint: boolean,
): { units: number; bytes: number } | null {
  const stage = Stage.ready(image)
  const salts = Array.from({ length: count }, (_, index) => BigInt(index))
  for (const salt of salts) stage.must(stage.open('alice', 'pat', { salt }))
  const instructions: TransactionInstruction[] = [
    // As a real one has it, for the priority fee.
    ComputeBudgetProgram.setComputeUnitLimit({ units: 20_000 }),
    ...stage.settle(salts.map((salt) => ({ salt }))),
    ...(withCheckpoint ? [stage.checkpoint(5n)] : []),
  ]
  const payer = Keypair.fromSecretKey(stage.world.pair('pat').secretKey)
  const message = new TransactionMessage({
    payerKey: payer.publicKey,
    recentBlockhash: PublicKey.default.toBase58(),
    instructions,
  })
  const table = shape === 'v0' ? [lookupTable(stage, instructions, payer.publicKey)] : []
  try {
    const compiled = shape === 'v0' ? message.compileToV0Message(table) : message.compileToLegacyMessage()
    const transaction = new VersionedTransaction(compiled)
    transaction.sign([payer])
    const bytes = transaction.serialize().byteLength
    if (bytes > MAX_TRANSACTION) return null
    const given = { messageBytes: compiled.serialize(), signatures: { [payer.publicKey.toBase58()]: null } }
    const result = stage.world.svm.sendTransaction(given as unknown as Parameters<LiteSVM['sendTransaction']>[0])
    if (result instanceof FailedTransactionMetadata) throw new Error(`a settlement failed: ${result.toString()}`)
    return { units: Number(result.computeUnitsConsumed()), bytes }
  } catch (error) {
    // What web3.js throws when its buffer of 1,232 bytes is full.
    if (error instanceof RangeError) return null
    throw error
  }
}

/** Everything that does not sign, kept on chain beforehand. */
function lookupTable(
  stage: Stage,
  instructions: readonly TransactionInstruction[],
  payer: PublicKey,
): AddressLookupTableAccount {
  const all = [...instructions.flatMap(({ keys }) => keys.map(({ pubkey }) => pubkey)), SYSVAR_INSTRUCTIONS_PUBKEY]
  const named = new Map(all.map((key) => [key.toBase58(), key]))
  named.delete(payer.toBase58())
  named.delete(Ed25519Program.programId.toBase58())
  const addresses = [...named.values()]
  // State u32 (1 = table) | deactivated u64 (never) | extended at slot u64, from u8 | has authority u8, 32 | 0 0 | keys
  const head = Buffer.alloc(56)
  head.writeUInt32LE(1)
  head.writeBigUInt64LE(2n ** 64n - 1n, 4)
  const data = Buffer.concat([head, ...addresses.map((key) => key.toBytes())])
  const key = stage.key('table')
  stage.world.put(key, { lamports: 10n ** 9n, data, owner: LOOKUP_TABLES })
  return new AddressLookupTableAccount({ key, state: AddressLookupTableAccount.deserialize(data) })
}

/** One channel in one transaction, as a provider with one customer settles: both signatures, over the requests it pays. */
function price(stage: Stage): Figure[] {
  stage.must(stage.open())
  const before = stage.world.balance(stage.world.relay)
  stage.must(...stage.settle())
  const cost = Number(before - stage.world.balance(stage.world.relay))
  return REQUESTS.map((requests) => ({
    figure: `settlement.lamports.${requests}`,
    value: cost / requests,
    unit: 'lamports',
    goal: requests === 1000 ? 10 : null,
    better: 'lower',
  }))
}

/** Both sides in one process, each with its own journal. */
async function vouchers({ note }: BenchContext): Promise<Figure> {
  const folder = await mkdtemp(join(tmpdir(), 'swarmd-bench-'))
  const [consumer, provider] = [
    await VoucherStore.open(join(folder, 'consumer')),
    await VoucherStore.open(join(folder, 'provider')),
  ]
  try {
    const { publicKey: signer, secretKey } = signingKeyPair(randomBytes(32))
    const deposit = lamports(BigInt(VOUCHERS))
    const begun = performance.now()
    const computed = process.cpuUsage()
    const pay = async (channel: Uint8Array): Promise<void> => {
      for (let cumulative = 1n; cumulative <= BigInt(VOUCHERS / CHANNELS); cumulative++) {
        const voucher = { channel, cumulative: lamports(cumulative), expiresAt: 0n }
        const signed = await consumer.sign(voucher, deposit, secretKey)
        await provider.accept(signed, { channel, signer, deposit, now: 0n })
      }
    }
    await Promise.all(Array.from({ length: CHANNELS }, () => pay(randomBytes(32))))
    const seconds = (performance.now() - begun) / 1000
    const { user, system } = process.cpuUsage(computed)
    const busy = ((user + system) / 1e6).toFixed(1)
    note(`${VOUCHERS} vouchers on ${CHANNELS} channels in ${seconds.toFixed(1)} s, ${busy} s of them computing`)
    return {
      figure: 'settlement.vouchers',
      value: VOUCHERS / seconds,
      unit: 'per second',
      goal: 5000,
      better: 'higher',
    }
  } finally {
    await consumer.close()
    await provider.close()
    await rm(folder, { recursive: true, force: true })
  }
}
