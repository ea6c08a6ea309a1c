/**
 * Transactions that landed: the record of each lies on the disk, here are only the indexes by signature and by address.
 * The newest are kept; none is forgotten while its blockhash would let it land a second time.
 */
import { LedgerError } from '../../errors.js'
import type { Change } from '../../store/journal-frames.js'
import { BLOCKHASH_SLOTS } from './clock.js'
import type { ChainDisk } from './disk.js'
import type { TransactionErrorJson } from './vm-errors.js'

export const DEFAULT_HISTORY = 20_000
const VERSION = 1

/** What getTransaction tells; bytes in base64, keys in base58. Lamports stay below 2^53 on this chain (genesis.ts). */
export interface TransactionRecord {
  readonly version: typeof VERSION
  readonly signature: string
  readonly slot: number
  /** Unix seconds. */
  readonly time: number
  readonly wire: string
  readonly error: TransactionErrorJson | null
  readonly fee: number
  /** All accounts in the order of the message: its own keys, loaded writable ones, loaded read-only ones. */
  readonly keys: readonly string[]
  readonly loaded: { readonly writable: readonly string[]; readonly readonly: readonly string[] }
  readonly before: readonly number[]
  readonly after: readonly number[]
  readonly logs: readonly string[]
  readonly inner: readonly {
    readonly index: number
    readonly calls: readonly {
      readonly program: number
      readonly accounts: readonly number[]
      readonly data: string
      readonly stackHeight: number
    }[]
  }[]
  readonly returned: { readonly program: string; readonly data: string } | null
  readonly units: number
}

export interface Landed {
  readonly signature: string
  readonly slot: number
  readonly time: number
  readonly error: TransactionErrorJson | null
}

export class History {
  readonly #disk: ChainDisk
  readonly #limit: number
  /** Oldest first. */
  readonly #landed = new Map<string, Landed & { readonly keys: readonly string[] }>()
  readonly #byAddress = new Map<string, Set<string>>()

  constructor(disk: ChainDisk, limit: number) {
    this.#disk = disk
    this.#limit = limit
    for (const [key, bytes] of disk.entries()) if (key.startsWith('t/')) this.#add(decode(bytes))
  }

  get size(): number {
    return this.#landed.size
  }

  landed(signature: string): Landed | null {
    return this.#landed.get(signature) ?? null
  }

  record(signature: string): TransactionRecord | null {
    const bytes = this.#landed.has(signature) ? this.#disk.get(`t/${signature}`) : null
    return bytes ? decode(bytes) : null
  }

  /** Newest first; `before` and `until` are exclusive, as in getSignaturesForAddress. */
  of(address: string, limit: number, before: string | null, until: string | null): Landed[] {
    const found: Landed[] = []
    let started = before === null
    for (const signature of [...(this.#byAddress.get(address) ?? [])].toReversed()) {
      if (signature === until || found.length >= limit) break
      const landed = this.#landed.get(signature)
      if (started && landed) found.push(landed)
      if (signature === before) started = true
    }
    return found
  }

  /** Takes a record in, and says what has to be written for it. */
  add(record: TransactionRecord): Change[] {
    this.#add(record)
    const changes: Change[] = [[`t/${record.signature}`, Buffer.from(JSON.stringify(record))]]
    for (const [signature, { slot }] of this.#landed) {
      if (this.#landed.size <= this.#limit || slot >= record.slot - BLOCKHASH_SLOTS) break
      this.#remove(signature)
      changes.push([`t/${signature}`, null])
    }
    return changes
  }

  #add({ signature, slot, time, error, keys }: TransactionRecord): void {
    this.#landed.set(signature, { signature, slot, time, error, keys })
    for (const key of keys) {
      const signatures = this.#byAddress.get(key)
      if (signatures) signatures.add(signature)
      else this.#byAddress.set(key, new Set([signature]))
    }
  }

  #remove(signature: string): void {
    for (const key of this.#landed.get(signature)?.keys ?? []) {
      const signatures = this.#byAddress.get(key)
      signatures?.delete(signature)
      if (signatures?.size === 0) this.#byAddress.delete(key)
    }
    this.#landed.delete(signature)
  }
}

function decode(bytes: Uint8Array): TransactionRecord {
  const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
  if (typeof value === 'object' && value !== null && 'version' in value && value.version === VERSION)
    return value as TransactionRecord
  throw LedgerError.STORE_CORRUPT('a transaction record of the chain that this version cannot read')
}
