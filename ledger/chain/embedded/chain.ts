/**
 * The embedded chain without its server: LiteSVM, a clock, the disk. Calls act at once, in the order they come;
 * `durable()` resolves when everything done so far would survive a `kill -9`, and the server lets no answer out before.
 */
import { LedgerError } from '../../errors.js'
import { toBase58 } from '../base58.js'
import { airdropBytes } from './airdrop.js'
import { ChainClock } from './clock.js'
import { accountChanges, openDisk, readAccounts } from './disk.js'
import type { ChainDisk } from './disk.js'
import { firstAccounts, openIdentity } from './genesis.js'
import type { ChainIdentity, GenesisProgram } from './genesis.js'
import { DEFAULT_HISTORY, History } from './history.js'
import type { Landed } from './history.js'
import { failed, preflightData, recordOf } from './record.js'
import { RpcError } from './rpc-error.js'
import { errorWords } from './vm-errors.js'
import { Vm } from './vm.js'
import type { Simulated, VmAccount } from './vm.js'
import { isWritable, readTransaction } from './wire.js'
import type { WireMessage, WireTransaction } from './wire.js'

const LOOKUP_TABLE_PROGRAM = 'AddressLookupTab1e1111111111111111111111111'
const LOOKUP_TABLE_HEADER = 56
const SLOT_HASHES = 512

export interface ChainOptions {
  /** Where the chain is kept; null = in memory, gone with the process. */
  readonly folder: string | null
  /** Deployed at genesis of a new chain. */
  readonly programs?: readonly GenesisProgram[]
  /** Unix milliseconds. */
  readonly now?: () => number
  /** Transactions that are kept. */
  readonly history?: number
}

/** A transaction that landed, successful or not, with the accounts it may have changed. */
export interface LandedEvent extends Landed {
  readonly keys: readonly string[]
  readonly changed: readonly Uint8Array[]
  readonly logs: readonly string[]
}

export class EmbeddedChain {
  readonly identity: ChainIdentity
  readonly clock: ChainClock
  readonly history: History
  readonly #vm: Vm
  readonly #disk: ChainDisk
  readonly #listeners = new Set<(event: LandedEvent) => void>()
  #airdrops = 0
  #failure: Error | null = null

  private constructor(identity: ChainIdentity, clock: ChainClock, vm: Vm, disk: ChainDisk, history: History) {
    this.identity = identity
    this.clock = clock
    this.#vm = vm
    this.#disk = disk
    this.history = history
  }

  /** Throws `STORE_CORRUPT` or `STORE_WRITE_FAILED`. */
  static async open(options: ChainOptions): Promise<EmbeddedChain> {
    const now = options.now ?? Date.now
    const disk = await openDisk(options.folder)
    try {
      const { fresh, ...identity } = await openIdentity(disk, now)
      const kept = Buffer.from(disk.get('clock') ?? new Uint8Array(16))
      const start = { ...identity, slot: Number(kept.readBigUInt64LE(0)), time: Number(kept.readBigUInt64LE(8)) }
      const clock = new ChainClock(start, now)
      const vm = new Vm()
      vm.setClock(clock.slot(), clock.time())
      if (fresh) {
        const first = await firstAccounts(identity.faucet.publicKey, options.programs ?? [], (bytes) => vm.rent(bytes))
        const changes = first.flatMap(({ key, account }) => accountChanges(key, null, account))
        await disk.write([...changes, ['clock', clockBytes(clock.slot(), clock.time())]])
      }
      // LiteSVM loads a program when it is given its account: everything else has to be there before.
      for (const { key, account } of readAccounts(disk).toSorted(
        (a, b) => Number(a.account.executable) - Number(b.account.executable),
      ))
        vm.setAccount(key, account)
      const history = new History(disk, options.history ?? DEFAULT_HISTORY)
      return new EmbeddedChain(identity, clock, vm, disk, history)
    } catch (error) {
      await disk.close()
      throw error
    }
  }

  /** Everything up to now is on the disk when it resolves. Throws `STORE_WRITE_FAILED` for good once a write has failed. */
  async durable(): Promise<void> {
    if (this.#failure) throw this.#failure
    await this.#disk.write([])
  }

  /** Called after the transaction is durable, in the order of the chain. */
  onLanded(listener: (event: LandedEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  account(key: Uint8Array): VmAccount | null {
    this.#vm.setClock(this.clock.slot(), this.clock.time())
    return this.#vm.account(key)
  }

  accountsOf(owner: Uint8Array): { readonly key: Uint8Array; readonly account: VmAccount }[] {
    return this.#vm.accountsOf(owner)
  }

  rent(bytes: number): bigint {
    return this.#vm.rent(bytes)
  }

  /** Runs a transaction and returns its signature. With `preflight`, throws what a node's simulation would. */
  send(bytes: Uint8Array, preflight: boolean): string {
    const transaction = readTransaction(bytes)
    const signature = toBase58(transaction.signatures[0] ?? new Uint8Array(64))
    const early = this.#earlyError(transaction, signature)
    if (preflight) {
      const simulated = early === null ? this.#simulate(transaction, true) : failed(early)
      if (simulated.error === 'SignatureFailure') throw RpcError.SIGNATURE_VERIFICATION_FAILURE()
      if (simulated.error !== null)
        throw RpcError.PREFLIGHT_FAILURE(errorWords(simulated.error), preflightData(simulated))
    }
    // Without preflight a node takes it, and it just never lands.
    if (early === null) this.#execute(transaction, signature)
    return signature
  }

  simulate(
    transaction: WireTransaction,
    options: { readonly verify: boolean; readonly anyBlockhash: boolean },
  ): Simulated {
    if (!options.anyBlockhash && this.clock.slotOf(transaction.message.blockhash) === null)
      return failed('BlockhashNotFound')
    return this.#simulate(transaction, options.verify)
  }

  /** Lamports from the faucet; returns the signature. Throws `-32603` when the faucet cannot. */
  airdrop(to: Uint8Array, lamports: bigint): string {
    const blockhash = this.clock.blockhash(this.clock.slot())
    const next = (): Uint8Array => airdropBytes(this.identity.faucet, to, lamports, blockhash, this.#airdrops++)
    let bytes = next()
    // Opened again within a slot, the chain has some of these already.
    while (this.history.landed(toBase58(bytes.subarray(1, 65)))) bytes = next()
    try {
      return this.send(bytes, true)
    } catch (error) {
      throw RpcError.INTERNAL(`the faucet cannot send: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  async close(): Promise<void> {
    this.#listeners.clear()
    this.#failure ??= LedgerError.STORE_CLOSED('the embedded chain')
    await this.#disk.close()
  }

  /** All accounts of a message in its order; those of lookup tables that are not there are left out. */
  resolve(message: WireMessage): { keys: Uint8Array[]; writable: Uint8Array[]; loaded: [Uint8Array[], Uint8Array[]] } {
    const loaded: [Uint8Array[], Uint8Array[]] = [[], []]
    for (const lookup of message.lookups) {
      const table = this.#vm.account(lookup.table)?.data.subarray(LOOKUP_TABLE_HEADER) ?? new Uint8Array(0)
      for (const [which, indexes] of [lookup.writable, lookup.readonly].entries())
        for (const index of indexes) {
          const key = table.slice(index * 32, (index + 1) * 32)
          if (key.byteLength === 32) loaded[which === 0 ? 0 : 1].push(key)
        }
    }
    const writable = [...message.keys.filter((_, index) => isWritable(message, index)), ...loaded[0]]
    return { keys: [...message.keys, ...loaded[0], ...loaded[1]], writable, loaded }
  }

  #earlyError(transaction: WireTransaction, signature: string): string | null {
    if (this.#failure) throw RpcError.INTERNAL(this.#failure.message)
    if (this.history.landed(signature)) return 'AlreadyProcessed'
    return this.clock.slotOf(transaction.message.blockhash) === null ? 'BlockhashNotFound' : null
  }

  #simulate(transaction: WireTransaction, verify: boolean): Simulated {
    this.#prepare(transaction.message)
    return this.#vm.simulate(transaction, verify)
  }

  #prepare(message: WireMessage): number {
    const slot = this.clock.slot()
    this.#vm.setClock(slot, this.clock.time())
    // Only the lookup table program reads them, and they are 512 hashes.
    if (message.keys.some((key) => toBase58(key) === LOOKUP_TABLE_PROGRAM)) {
      const slots = Array.from({ length: Math.min(SLOT_HASHES, slot) }, (_, back) => slot - 1 - back)
      this.#vm.setSlotHashes(slots.map((at) => ({ slot: BigInt(at), hash: toBase58(this.clock.blockhash(at)) })))
    }
    return slot
  }

  #execute(transaction: WireTransaction, signature: string): void {
    const { keys, writable, loaded } = this.resolve(transaction.message)
    const before = keys.map((key) => this.#vm.account(key))
    const slot = this.#prepare(transaction.message)
    const time = this.clock.time()
    const outcome = this.#vm.execute(transaction)
    const after = keys.map((key) => this.#vm.account(key))
    const record = recordOf({ transaction, signature, slot, time, outcome, keys, loaded, before, after })
    if (record === null) return
    const accounts = keys.flatMap((key, index) => accountChanges(key, before[index] ?? null, after[index] ?? null))
    this.#write([...accounts, ...this.history.add(record), ['clock', clockBytes(slot, time)]], {
      signature,
      slot,
      time,
      error: outcome.error,
      keys: record.keys,
      changed: writable,
      logs: record.logs,
    })
  }

  #write(changes: Parameters<ChainDisk['write']>[0], event: LandedEvent): void {
    this.#disk.write(changes).then(
      () => {
        for (const listener of this.#listeners) listener(event)
      },
      (error: unknown) => {
        // What runs in memory is ahead of the disk now: nothing more is said or done until it is opened again.
        this.#failure ??= error instanceof Error ? error : new Error(String(error))
      },
    )
  }
}

function clockBytes(slot: number, time: number): Uint8Array {
  const bytes = Buffer.alloc(16)
  bytes.writeBigUInt64LE(BigInt(slot), 0)
  bytes.writeBigUInt64LE(BigInt(time), 8)
  return bytes
}
