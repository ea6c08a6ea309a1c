/** What lies on a disk after a crash, read by the ledger itself and put into plain values. */
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import b4a from 'b4a'
import { openIdentity } from '../../daemon/identity.js'
import type { Identity } from '../../daemon/identity.js'
import type { Entry } from '../../ledger/store/entry.js'
import { LedgerStore } from '../../ledger/store/store.js'
import { VoucherStore } from '../../ledger/store/vouchers.js'
import { receiptHash } from '../../ledger/transaction.js'
import { isSignedBy } from '../../ledger/voucher.js'

/** One entry of a log. Keys, ids and hashes in hex. */
export interface Kept {
  readonly id: string
  readonly role: 'consumer' | 'provider'
  readonly signed: 'both' | 'provider' | 'consumer'
  /** The receipt's hash: what both signatures are over. */
  readonly name: string
  readonly provider: string
  readonly counter: number
  readonly previous: string
  readonly channel: string
  /** Microlamports. */
  readonly cost: bigint
}

/** A channel and the key that signs its vouchers: on credit the same bytes. */
export interface Line {
  readonly channel: Uint8Array
  readonly signer: Uint8Array
}

/** The vouchers of one channel, lamports. */
export interface Promised {
  /** The newest that this side has signed. */
  readonly signed: bigint
  /** The highest that this side holds. */
  readonly held: bigint
  /** The held one carries the signature of the channel's key. */
  readonly genuine: boolean
}

export interface Books {
  readonly kept: readonly Kept[]
  readonly vouchers: Promised
  /** What `verify` finds. */
  readonly faults: readonly string[]
  /** Of the newest transactions: how many contents were looked at, and how many could not be decrypted. */
  readonly contents: { readonly read: number; readonly unreadable: number }
}

export const NOTHING: Promised = { signed: 0n, held: 0n, genuine: true }
const CONTENTS = 20

export function ledgerFolder(dataDir: string): string {
  return join(dataDir, 'ledger')
}

/** null before the first start has made one. */
export function identityOf(dataDir: string): Identity | null {
  return existsSync(join(dataDir, 'seed')) ? openIdentity(dataDir) : null
}

/** Everything, as the next start would find it; what a start repairs by itself is repaired by this. The daemon must not run. */
export async function readBooks(dataDir: string, line: Line | null): Promise<Books> {
  const identity = identityOf(dataDir)
  if (!identity) return { kept: [], vouchers: NOTHING, faults: [], contents: { read: 0, unreadable: 0 } }
  const store = await LedgerStore.open(ledgerFolder(dataDir), identity.store())
  try {
    const kept: Kept[] = []
    const contents = { read: 0, unreadable: 0 }
    for (let position = 0; position < store.length; position++) {
      const entry = await store.get(position)
      kept.push(keptOf(entry))
      if (position < store.length - CONTENTS || !entry.body) continue
      contents.read++
      const content = await store.content(entry, identity.box()).catch(() => null)
      if (!content) contents.unreadable++
    }
    const { faults, faultCount } = await store.verify(identity.node().publicKey)
    const told = faults.map(({ position, what, detail }) => `${what} at ${position ?? 'the log'}: ${detail}`)
    if (faultCount > told.length) told.push(`${faultCount - told.length} more`)
    return { kept, vouchers: line ? promised(store.vouchers, line) : NOTHING, faults: told, contents }
  } finally {
    await store.close()
  }
}

/**
 * The vouchers of these channels alone, from a copy of their journal: cheap enough for every crash. With a daemon that runs,
 * what is read is what was durable at that moment, up to a torn end.
 */
export async function readVouchers(dataDir: string, lines: readonly Line[]): Promise<Promised[]> {
  const journal = join(ledgerFolder(dataDir), 'vouchers')
  if (!existsSync(journal)) return lines.map(() => NOTHING)
  const folder = mkdtempSync(join(tmpdir(), 'swarmd-evidence-'))
  try {
    const copy = join(folder, 'vouchers')
    copyFileSync(journal, copy)
    const store = await VoucherStore.open(copy)
    const found = lines.map((line) => promised(store, line))
    await store.close()
    return found
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Files below the folder that hold these bytes: nobody's words lie on a disk unencrypted. */
export function filesWith(folder: string, needle: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => {
    const path = join(folder, name)
    return statSync(path).isFile() && readFileSync(path).includes(needle)
  })
}

function promised(vouchers: VoucherStore, { channel, signer }: Line): Promised {
  const held = vouchers.held(channel)
  return {
    signed: vouchers.lastSigned(channel)?.cumulative ?? 0n,
    held: held?.voucher.cumulative ?? 0n,
    genuine: held === null || isSignedBy(held, signer),
  }
}

function keptOf({ role, transaction }: Entry): Kept {
  const { statement, providerSignature, consumerSignature } = transaction
  const hex = (bytes: Uint8Array): string => b4a.toString(bytes, 'hex')
  return {
    id: hex(statement.id),
    role,
    signed: providerSignature ? (consumerSignature ? 'both' : 'provider') : 'consumer',
    name: hex(receiptHash(statement)),
    provider: hex(statement.provider),
    counter: statement.counter,
    previous: hex(statement.previous),
    channel: hex(statement.channel),
    cost: statement.cost,
  }
}
