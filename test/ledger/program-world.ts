/**
 * A chain in memory for the program's tests: named parties, instructions sent without signing (the machine checks who
 * signs by the message, and Ed25519 instructions for real), time under control, and everything put back after a case.
 */
import { createHash } from 'node:crypto'
import { PublicKey } from '@solana/web3.js'
import type { TransactionInstruction } from '@solana/web3.js'
import { FailedTransactionMetadata, LiteSVM, Rent } from 'litesvm'
import { lamports } from '../../ledger/amount.js'
import { programDataAddress, UPGRADEABLE_LOADER } from '../../ledger/chain/layout/addresses.js'
import type { AccountLayout, Header } from '../../ledger/chain/layout/accounts.js'
import { programErrorName } from '../../ledger/chain/layout/errors.js'
import { signingKeyPair } from '../../ledger/crypto.js'
import type { KeyPair } from '../../ledger/crypto.js'
import { messageBytes } from './program-message.js'

export const SOL = 1_000_000_000n
/** Far from zero, so that nothing passes because the clock is young. */
export const START = { slot: 10_000n, time: 1_800_000_000n }

/** A name of ours, `Custom(n)` of another program, or what the runtime itself says. */
export interface Outcome {
  readonly error: string | null
  readonly units: number
}

export interface StoredAccount {
  readonly lamports: bigint
  readonly data: Uint8Array
  readonly owner: PublicKey
}

type Snapshot = ReadonlyMap<string, StoredAccount | null>
type SvmAddress = Parameters<LiteSVM['getBalance']>[0]
type SvmTransaction = Parameters<LiteSVM['sendTransaction']>[0]

export class World {
  readonly program: PublicKey
  readonly svm: LiteSVM
  /** Pays all transaction fees and takes no part otherwise. */
  readonly relay: PublicKey
  /** Everyone who ever was in a transaction, but the relay. */
  readonly #known = new Map<string, PublicKey>()
  readonly #keys = new Map<string, KeyPair>()
  #isRentChanged = false

  /** `svm`: one with special features; without, everything is as on a cluster, but that signatures are not checked. */
  constructor(image: Uint8Array, svm = new LiteSVM()) {
    this.svm = svm.withSigverify(false).withBlockhashCheck(false).withTransactionHistory(0n)
    // Behind the data of an instruction lies the program's key: read as data, this one would be a real instruction.
    this.program = new PublicKey(this.pair('program').publicKey.with(0, 0x33))
    this.relay = this.key('relay')
    this.svm.addProgram(address(this.program), image)
    this.put(this.relay, { lamports: 1_000_000n * SOL, data: new Uint8Array(), owner: PublicKey.default })
    this.setUpgradeAuthority(this.key('deployer'))
    this.setClock(START.slot, START.time)
  }

  /** The pair of a party: what it signs vouchers with. */
  pair(name: string): KeyPair {
    let pair = this.#keys.get(name)
    if (!pair) this.#keys.set(name, (pair = signingKeyPair(createHash('sha256').update(name).digest())))
    return pair
  }

  key(name: string): PublicKey {
    return new PublicKey(this.pair(name).publicKey)
  }

  fund(name: string, amount: bigint): PublicKey {
    const key = this.key(name)
    this.put(key, { lamports: amount, data: new Uint8Array(), owner: PublicKey.default })
    return key
  }

  /** All or nothing; who is marked as a signer has signed. */
  send(...instructions: readonly TransactionInstruction[]): Outcome {
    for (const { keys } of instructions) for (const { pubkey } of keys) this.#known.set(address(pubkey), pubkey)
    const messageAndSignatures = messageBytes(this.relay, instructions)
    const result = this.svm.sendTransaction(messageAndSignatures as unknown as SvmTransaction)
    if (!(result instanceof FailedTransactionMetadata))
      return { error: null, units: Number(result.computeUnitsConsumed()) }
    return { error: errorName(result.err()), units: Number(result.meta().computeUnitsConsumed()) }
  }

  account(key: PublicKey): StoredAccount | null {
    const found = this.svm.getAccount(address(key))
    if (!found.exists || found.lamports === 0n) return null
    return { lamports: found.lamports, data: new Uint8Array(found.data), owner: new PublicKey(found.programAddress) }
  }

  read<T extends Header>(layout: AccountLayout<T>, key: PublicKey): T {
    return layout.decode(this.account(key)?.data ?? new Uint8Array())
  }

  balance(key: PublicKey): bigint {
    return this.svm.getBalance(address(key)) ?? 0n
  }

  /** Writes an account as no transaction could. */
  put(key: PublicKey, account: StoredAccount | null): void {
    this.#known.set(address(key), key)
    const {
      lamports: amount,
      data,
      owner,
    } = account ?? { lamports: 0n, data: new Uint8Array(), owner: PublicKey.default }
    const value = { address: address(key), lamports: lamports(amount), data, programAddress: address(owner) }
    type Stored = Parameters<LiteSVM['setAccount']>[0]
    this.svm.setAccount({ ...value, executable: false, space: BigInt(data.length) } as unknown as Stored)
  }

  setClock(slot: bigint, time: bigint): void {
    const clock = this.svm.getClock()
    clock.slot = slot
    clock.unixTimestamp = time
    this.svm.setClock(clock)
  }

  get slot(): bigint {
    return this.svm.getClock().slot
  }

  get now(): bigint {
    return this.svm.getClock().unixTimestamp
  }

  wait(seconds: bigint, slots = 0n): void {
    this.setClock(this.slot + slots, this.now + seconds)
  }

  rent(bytes: number): bigint {
    return this.svm.minimumBalanceForRentExemption(BigInt(bytes))
  }

  /** Lamports of everybody but the relay. */
  total(): bigint {
    let sum = 0n
    for (const [text, key] of this.#known) if (text !== address(this.relay)) sum += this.balance(key)
    return sum
  }

  save(): Snapshot {
    return new Map([...this.#known].map(([text, key]) => [text, this.account(key)]))
  }

  restore(saved: Snapshot): void {
    for (const [text, key] of this.#known) {
      if (text !== address(this.program) && !isFixed(key)) this.put(key, saved.get(text) ?? null)
    }
    this.setClock(START.slot, START.time)
    if (this.#isRentChanged) this.setRent(6960n, 1)
    this.#isRentChanged = false
  }

  /** `threshold` 1: per byte; 2: per byte and year, as before. */
  setRent(perByte: bigint, threshold: number): void {
    this.svm.setRent(new Rent(perByte, threshold, 50))
    this.#isRentChanged = true
  }

  setUpgradeAuthority(authority: PublicKey | null, state = 3): void {
    const data = new Uint8Array(64)
    data[0] = state
    data[12] = authority ? 1 : 0
    data.set(authority?.toBytes() ?? [], 13)
    this.put(programDataAddress(this.program), { lamports: SOL, data, owner: UPGRADEABLE_LOADER })
  }
}

export function address(key: PublicKey): SvmAddress {
  let text = TEXTS.get(key)
  if (text === undefined) TEXTS.set(key, (text = key.toBase58()))
  return text as SvmAddress
}

const TEXTS = new WeakMap<PublicKey, string>()

/** Sysvars and native programs are not ours to put back. */
function isFixed(key: PublicKey): boolean {
  return key.equals(PublicKey.default) || address(key).startsWith('Sysvar') || address(key).startsWith('Ed25519')
}

function errorName(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'err' in error && typeof error.err === 'function') {
    const inner: unknown = (error as { err: () => unknown }).err()
    if (typeof inner === 'object' && inner !== null && 'code' in inner && typeof inner.code === 'number') {
      return programErrorName(inner.code) ?? `Custom(${inner.code})`
    }
    return `runtime ${String(inner)}`
  }
  return `runtime ${String(error)}`
}
