/**
 * LiteSVM, spoken to in bytes. Its public wrapper turns every key into text and every transaction into objects of
 * `@solana/kit` and back; the native class below it, which 1.5.0 exports as well, takes both as they travel.
 *
 * Only transactions from `readTransaction` may come here: LiteSVM aborts the process on others.
 */
import type { InnerInstruction, SimulatedTransactionInfo, TransactionMetadata } from 'litesvm/dist/internal.js'
import litesvm from 'litesvm/dist/internal.js'
import { SLOTS_PER_EPOCH } from './clock.js'
import { errorJson } from './vm-errors.js'
import type { TransactionErrorJson } from './vm-errors.js'
import type { WireTransaction } from './wire.js'

/** What this code was read and tested against; the files lie beyond the package's documented entry. */
const { Account, FailedTransactionMetadata, LiteSvm } = litesvm
const RENT_EXEMPT_EPOCH = 2n ** 64n - 1n

export interface VmAccount {
  readonly lamports: bigint
  readonly data: Uint8Array
  readonly owner: Uint8Array
  readonly executable: boolean
}

export interface InnerCall {
  readonly index: number
  readonly calls: readonly {
    readonly program: number
    readonly accounts: Uint8Array
    readonly data: Uint8Array
    readonly stackHeight: number
  }[]
}

export interface Outcome {
  /** null = it did what it should. */
  readonly error: TransactionErrorJson | null
  readonly logs: readonly string[]
  readonly units: number
  readonly inner: readonly InnerCall[]
  readonly returned: { readonly program: Uint8Array; readonly data: Uint8Array } | null
}

export interface Simulated extends Outcome {
  /** Accounts as they would be afterwards, by the hexadecimal key. Empty after a failure. */
  readonly after: ReadonlyMap<string, VmAccount>
}

export class Vm {
  readonly #svm = new LiteSvm()

  constructor() {
    // Blockhashes and duplicates are the chain's business: LiteSVM knows one blockhash at a time.
    this.#svm.setBlockhashCheck(false)
    this.#svm.setTransactionHistory(0n)
  }

  account(key: Uint8Array): VmAccount | null {
    const found = this.#svm.getAccount(key)
    return found && found.lamports() > 0n ? plain(found) : null
  }

  setAccount(key: Uint8Array, { lamports, data, owner, executable }: VmAccount): void {
    this.#svm.setAccount(key, new Account(lamports, data, owner, executable, RENT_EXEMPT_EPOCH))
  }

  accountsOf(owner: Uint8Array): { readonly key: Uint8Array; readonly account: VmAccount }[] {
    return this.#svm
      .getProgramAccounts(owner)
      .map((entry) => ({ key: entry.address, account: plain(entry.account()) }))
      .filter(({ account }) => account.lamports > 0n)
  }

  rent(bytes: number): bigint {
    return this.#svm.minimumBalanceForRentExemption(BigInt(bytes))
  }

  setClock(slot: number, time: number): void {
    const clock = this.#svm.getClock()
    clock.slot = BigInt(slot)
    clock.epoch = BigInt(Math.floor(slot / SLOTS_PER_EPOCH))
    clock.unixTimestamp = BigInt(time)
    this.#svm.setClock(clock)
  }

  setSlotHashes(hashes: readonly { readonly slot: bigint; readonly hash: string }[]): void {
    this.#svm.setSlotHashes([...hashes])
  }

  execute(transaction: WireTransaction): Outcome {
    const result = this.#svm.sendVersionedTransaction(transaction.bytes)
    return result instanceof FailedTransactionMetadata
      ? outcome(result.meta(), errorJson(result))
      : outcome(result, null)
  }

  simulate(transaction: WireTransaction, verifySignatures: boolean): Simulated {
    this.#svm.setSigverify(verifySignatures)
    try {
      const result = this.#svm.simulateVersionedTransaction(transaction.bytes)
      if (result instanceof FailedTransactionMetadata)
        return { ...outcome(result.meta(), errorJson(result)), after: new Map() }
      return { ...outcome(result.meta(), null), after: postAccounts(result) }
    } finally {
      this.#svm.setSigverify(true)
    }
  }
}

function plain(account: InstanceType<typeof Account>): VmAccount {
  return {
    lamports: account.lamports(),
    data: account.data(),
    owner: account.owner(),
    executable: account.executable(),
  }
}

function postAccounts(result: SimulatedTransactionInfo): Map<string, VmAccount> {
  return new Map(
    result.postAccounts().map((entry) => [Buffer.from(entry.address).toString('hex'), plain(entry.account())]),
  )
}

function outcome(meta: TransactionMetadata, error: TransactionErrorJson | null): Outcome {
  const returned = meta.returnData()
  const data = returned.data()
  return {
    error,
    logs: meta.logs(),
    units: Number(meta.computeUnitsConsumed()),
    inner: meta.innerInstructions().flatMap((calls, index) => (calls.length === 0 ? [] : [innerCall(index, calls)])),
    returned: data.byteLength === 0 ? null : { program: returned.programId(), data },
  }
}

function innerCall(index: number, calls: readonly InnerInstruction[]): InnerCall {
  return {
    index,
    calls: calls.map((call) => {
      const instruction = call.instruction()
      return {
        program: instruction.programIdIndex(),
        accounts: instruction.accounts(),
        data: instruction.data(),
        stackHeight: call.stackHeight(),
      }
    }),
  }
}
