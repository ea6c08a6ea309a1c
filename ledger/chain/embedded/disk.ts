/**
 * What the embedded chain keeps, as changes of a durable map. One change set per transaction: its accounts and its record
 * are on the disk together or not at all.
 *
 *   chain          JSON: format, genesis hash and time, faucet seed
 *   clock          slot u64 LE | Unix seconds u64 LE of the newest change
 *   a/KEY          lamports u64 LE | data length u32 LE | executable u8 | owner 32
 *   p/KEY/N        page N of the data (4 KiB) without its trailing zeros; absent = zeros
 *   t/SIGNATURE    record of a transaction (history.ts)
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { LedgerError } from '../../errors.js'
import type { Change } from '../../store/journal-frames.js'
import { Journal } from '../../store/journal.js'
import { fromBase58, toBase58 } from '../base58.js'
import type { VmAccount } from './vm.js'

const PAGE_BYTES = 4096
const HEADER_BYTES = 45

export interface ChainDisk {
  get(key: string): Uint8Array | null
  entries(): Iterable<[string, Uint8Array]>
  /** All or nothing, in the order of the calls; resolves once it is durable. Without changes: after those before. */
  write(changes: readonly Change[]): Promise<void>
  close(): Promise<void>
}

/** In `folder` (made, 0700), or in memory alone. Throws `STORE_CORRUPT` or `STORE_WRITE_FAILED`. */
export async function openDisk(folder: string | null): Promise<ChainDisk> {
  if (folder === null) return new MemoryDisk()
  await mkdir(folder, { recursive: true, mode: 0o700 })
  return Journal.open(join(folder, 'chain'))
}

class MemoryDisk implements ChainDisk {
  readonly #map = new Map<string, Uint8Array>()

  get(key: string): Uint8Array | null {
    return this.#map.get(key) ?? null
  }

  entries(): Iterable<[string, Uint8Array]> {
    return this.#map.entries()
  }

  write(changes: readonly Change[]): Promise<void> {
    for (const [key, value] of changes) {
      if (value) this.#map.set(key, value)
      else this.#map.delete(key)
    }
    return Promise.resolve()
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

/** What has to be written so that `after` follows on `before`; empty when they are the same. */
export function accountChanges(key: Uint8Array, before: VmAccount | null, after: VmAccount | null): Change[] {
  const name = toBase58(key)
  const changes: Change[] = []
  const header = after ? encodeHeader(after) : null
  const old = before ? encodeHeader(before) : null
  if (!same(header, old)) changes.push([`a/${name}`, header])
  const pages = Math.ceil(Math.max(before?.data.byteLength ?? 0, after?.data.byteLength ?? 0) / PAGE_BYTES)
  for (let page = 0; page < pages; page++) {
    const [from, to] = [pageOf(before, page), pageOf(after, page)]
    if (!same(from, to)) changes.push([`p/${name}/${page}`, to ? to.slice() : null])
  }
  return changes
}

/** Every account on the disk. Throws `STORE_CORRUPT` for what no version writes. */
export function readAccounts(disk: ChainDisk): { readonly key: Uint8Array; readonly account: VmAccount }[] {
  const accounts: { key: Uint8Array; account: VmAccount }[] = []
  for (const [name, header] of disk.entries()) {
    if (!name.startsWith('a/')) continue
    const text = name.slice(2)
    const key = fromBase58(text, 32)
    if (!key || header.byteLength !== HEADER_BYTES) throw LedgerError.STORE_CORRUPT(`the chain's account ${text}`)
    const view = Buffer.from(header.buffer, header.byteOffset, HEADER_BYTES)
    const data = new Uint8Array(view.readUInt32LE(8))
    for (let page = 0; page * PAGE_BYTES < data.byteLength; page++)
      data.set(disk.get(`p/${text}/${page}`) ?? [], page * PAGE_BYTES)
    const owner = Uint8Array.from(header.subarray(13))
    accounts.push({ key, account: { lamports: view.readBigUInt64LE(0), data, owner, executable: view[12] === 1 } })
  }
  return accounts
}

function encodeHeader({ lamports, data, owner, executable }: VmAccount): Uint8Array {
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeBigUInt64LE(lamports, 0)
  header.writeUInt32LE(data.byteLength, 8)
  header[12] = executable ? 1 : 0
  header.set(owner, 13)
  return header
}

/** null for a page of zeros, or beyond the end. */
function pageOf(account: VmAccount | null, page: number): Uint8Array | null {
  const bytes = account?.data.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES)
  let end = bytes?.byteLength ?? 0
  while (end > 0 && bytes?.[end - 1] === 0) end--
  return bytes && end > 0 ? bytes.subarray(0, end) : null
}

function same(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : Buffer.compare(a, b) === 0
}
