/**
 * Everything a node remembers about money and answers, in one folder: the record (four Hypercores), its index, the
 * vouchers and the receipts under way. One process at a time; the daemon's lock comes before this one's.
 *
 *   cores/     Corestore: log, bodies, forgotten, checkpoints, index
 *   vouchers   journal of the highest voucher signed and held per channel
 *   receipts   journal of receipts signed and not yet in the log
 *   evidence/  what is under the token roots of the newest answers (evidence-keeper.ts writes it)
 */
import { join } from 'node:path'
import b4a from 'b4a'
import safetyCatch from 'safety-catch'
import { decodeCheckpoint, encodeCheckpoint, signCheckpoint } from '../checkpoint.js'
import type { SignedCheckpoint } from '../checkpoint.js'
import { openContent, openContentKey } from '../content.js'
import type { Content } from '../content.js'
import type { KeyPair } from '../crypto.js'
import { LedgerError } from '../errors.js'
import { receiptHash } from '../transaction.js'
import type { Transaction } from '../transaction.js'
import { audit } from './audit.js'
import type { Report } from './audit.js'
import { Cores } from './cores.js'
import type { RecordKeys } from './cores.js'
import type { Entry, Role } from './entry.js'
import { pruneEvidence, readEvidence } from './evidence-files.js'
import { Forgotten } from './forgotten.js'
import { TransactionLog } from './log.js'
import type { Appended, NewEntry } from './log.js'
import { ReceiptOutbox } from './outbox.js'
import { chainHead, firstBodyFrom, isLogged } from './look-up.js'
import { restoreRecord } from './restore.js'
import type { Restored, RestoreOptions } from './restore.js'
import { SearchIndex } from './search-index.js'
import type { Filter, Named, Totals } from './index-keys.js'
import type { SharedEntry } from './shared.js'
import { Unfinished } from './unfinished.js'
import { VoucherStore } from './vouchers.js'

/** Entries that a crash left without an index and that opening keeps in memory: two groups of appends, a second's work. */
const HELD = 512
/** Rows of one query. */
export const MAX_ROWS = 1000

/** `folder`: the ledger's. */
export function evidenceFolder(folder: string): string {
  return join(folder, 'evidence')
}

export class LedgerStore {
  readonly vouchers: VoucherStore
  readonly #folder: string
  readonly #outbox: ReceiptOutbox
  readonly #cores: Cores
  readonly #forgotten: Forgotten
  readonly #unfinished: Unfinished
  readonly #log: TransactionLog
  #index: SearchIndex | null = null
  #closing: Promise<void> | null = null

  private constructor(
    folder: string,
    cores: Cores,
    vouchers: VoucherStore,
    outbox: ReceiptOutbox,
    forgotten: Forgotten,
  ) {
    this.#folder = folder
    this.#cores = cores
    this.vouchers = vouchers
    this.#outbox = outbox
    this.#forgotten = forgotten
    this.#unfinished = new Unfinished(folder)
    this.#log = new TransactionLog(cores.record, forgotten, cores.disk, {
      durable: (appended) => this.#indexed().add(appended.map(({ entry }) => entry)),
      acknowledged: (appended) => this.#onAppended(appended),
    })
  }

  /**
   * Opens or makes the store and finishes what a crash has left: half a forgetting, receipts that were sent and never
   * logged (they are appended half-signed). Where a restore was cut short, everything but going on with it throws
   * `STORE_INCOMPLETE`. `primaryKey`: 32 bytes derived from the seed. Throws `STORE_*`.
   */
  static async open(folder: string, primaryKey: Uint8Array): Promise<LedgerStore> {
    const opened: { close(): Promise<void> }[] = []
    try {
      const cores = await Cores.open(folder, primaryKey)
      opened.push(cores)
      const forgotten = await Forgotten.open(cores.record.forgotten)
      const vouchers = await VoucherStore.open(join(folder, 'vouchers'))
      opened.push(vouchers)
      const outbox = await ReceiptOutbox.open(join(folder, 'receipts'))
      opened.push(outbox)
      const store = new LedgerStore(folder, cores, vouchers, outbox, forgotten)
      await store.#recover()
      return store
    } catch (error) {
      for (const one of opened.reverse()) await one.close()
      throw error
    }
  }

  /** Transactions in the log. */
  get length(): number {
    return this.#log.length
  }

  get totals(): Totals {
    return this.#indexed().totals
  }

  /** What a peer needs to keep a copy, and this node to ask for it: its own follow from the seed. */
  get keys(): RecordKeys {
    return this.#cores.keys
  }

  /** Signs the next receipt; resolves when it is durable and may be sent. Appending it (by whatever end) takes it over. */
  async issue(
    statement: Omit<Transaction['statement'], 'counter' | 'previous'>,
    secretKey: Uint8Array,
  ): Promise<Transaction> {
    return this.#outbox.issue(statement, secretKey)
  }

  /** Resolves with the position when it is durable. Throws `STORE_WRITE_FAILED`, `STORE_CLOSED`. */
  async append(entry: NewEntry): Promise<number> {
    return (await this.#log.append(entry)).position
  }

  /** Throws `STORE_CORRUPT` for a position that is not there. */
  async get(position: number): Promise<Entry> {
    return this.#log.get(position)
  }

  /** The same without content keys: half the reads, for whoever only adds up. */
  async bare(position: number): Promise<Entry> {
    return this.#log.bare(position)
  }

  /** Positions with this transaction id. */
  async find(id: Uint8Array): Promise<number[]> {
    return this.#indexed().byId(id)
  }

  /** Newest first, by position in the log; at most `limit`, itself at most 1,000. */
  async query(filter: Filter, limit: number): Promise<{ position: number; entry: Entry }[]> {
    return this.#indexed().query(filter, Math.min(limit, MAX_ROWS), (position) => this.#log.get(position))
  }

  /** Oldest first, behind a position (null: from the first on). The filter names a counterparty, model, channel or kind. */
  async forward(filter: Filter, after: number | null, limit: number): Promise<{ position: number; entry: Entry }[]> {
    return this.#indexed().forward(filter, after, Math.min(limit, MAX_ROWS), (position) => this.#log.get(position))
  }

  /** Up to `limit` different models, counterparties or ids that begin with these lower-case hexadecimal digits. */
  async beginningWith(what: Named, digits: string, limit: number): Promise<Uint8Array[]> {
    return this.#indexed().beginningWith(what, digits, limit)
  }

  /** Why there is, or is no, content to decrypt. */
  async contentState(entry: Entry): Promise<'kept' | 'forgotten' | 'pruned' | 'never kept'> {
    const { sealedForConsumer, sealedForProvider } = entry.transaction.statement
    const sealed = entry.role === 'consumer' ? sealedForConsumer : sealedForProvider
    if (sealed.kind === 'destroyed') return 'forgotten'
    if (!entry.body) return 'never kept'
    const { first, blocks } = entry.body
    return (await this.#cores.record.bodies.has(first, first + blocks)) ? 'kept' : 'pruned'
  }

  /**
   * Request and response, decrypted with this node's box key; null when the content was forgotten, pruned or never kept.
   * Throws `BAD_SEAL` for another key pair, `STORE_CORRUPT` for a changed body.
   */
  async content(entry: Entry, box: KeyPair): Promise<Content | null> {
    const { statement } = entry.transaction
    const sealed = entry.role === 'consumer' ? statement.sealedForConsumer : statement.sealedForProvider
    const body = await this.#log.body(entry)
    if (!body || sealed.kind === 'destroyed') return null
    return openContent(openContentKey(sealed, box), statement.id, body)
  }

  /** The ciphertext of an entry; null when it was not kept, was forgotten or is pruned. */
  async ciphertext(entry: Entry): Promise<Uint8Array | null> {
    return this.#log.body(entry)
  }

  /** Sealed evidence of an answer (evidence.ts); null when it was not kept or is too old. */
  async evidence({ transaction, times }: Entry): Promise<Uint8Array | null> {
    return readEvidence(evidenceFolder(this.#folder), receiptHash(transaction.statement), times.done)
  }

  /**
   * Takes back what counterparties kept (shared.ts) and this log has lost, in the order given; resolves with how many those
   * are, once they are durable. The caller has checked them (shared-checks.ts). Receipts of ours move the chain on, so that
   * no counter is used twice.
   */
  async adopt(entries: readonly SharedEntry[]): Promise<number> {
    const missing = new Map<string, SharedEntry>()
    for (const entry of entries) if (!(await this.#has(entry))) missing.set(nameOf(entry), entry)
    await Promise.all(
      [...missing.values()].map(async ({ role, transaction, ciphertext }) => {
        await this.append({ role: otherThan(role), times: transaction.statement.times, transaction, ciphertext })
        if (role === 'provider' || !transaction.providerSignature) return
        const { statement } = transaction
        await this.#outbox.advance({ counter: statement.counter + 1, previous: receiptHash(statement) })
      }),
    )
    return missing.size
  }

  async #has({ role, transaction }: SharedEntry): Promise<boolean> {
    for (const position of await this.find(transaction.statement.id)) {
      if ((await this.#log.get(position)).role === otherThan(role)) return true
    }
    return false
  }

  /** Destroys content keys and bodies; statements and signatures stay. */
  async forget(positions: readonly number[]): Promise<void> {
    await this.#log.forget(positions)
  }

  /**
   * Clears bodies by age (Unix milliseconds, own clock) or so that the newest `keepBytes` stay. Keys and log stay. Resolves
   * with the number of blocks that are gone now, and were not before. Evidence goes by age alone.
   */
  async prune(what: { readonly before: number } | { readonly keepBytes: number }): Promise<number> {
    const { bodies } = this.#cores.record
    if ('before' in what) await pruneEvidence(evidenceFolder(this.#folder), what.before)
    if (!('keepBytes' in what)) return this.#log.clearBodies((await firstBodyFrom(this, what.before)) ?? bodies.length)
    const excess = bodies.byteLength - what.keepBytes
    if (excess <= 0) return 0
    const [block, offset] = what.keepBytes <= 0 ? [bodies.length, 0] : await bodies.seek(excess)
    return this.#log.clearBodies(offset === 0 ? block : block + 1)
  }

  /** Signs where the log stands and keeps it: for the chain, and for a restore to measure a copy by. */
  async checkpoint(secretKey: Uint8Array): Promise<SignedCheckpoint> {
    const { log, checkpoints } = this.#cores.record
    const { transactions, cost } = this.totals
    const length = transactions * 2
    const treeHash = await log.treeHash(length)
    const signed = signCheckpoint({ log: log.key, length, treeHash, transactions, cumulative: cost }, secretKey)
    await checkpoints.append([encodeCheckpoint(signed)])
    await this.#cores.disk.sync()
    return signed
  }

  async latestCheckpoint(): Promise<SignedCheckpoint | null> {
    const { checkpoints } = this.#cores.record
    const block = checkpoints.length === 0 ? null : await checkpoints.get(checkpoints.length - 1, { wait: false })
    return block && decodeCheckpoint(block)
  }

  /** Checks everything against everything. `signer`: the node key that signs checkpoints. Reads the whole log. */
  async verify(
    signer: Uint8Array,
    onProgress: (done: number, total: number) => void = () => undefined,
    signal?: AbortSignal,
  ): Promise<Report> {
    const { log, checkpoints } = this.#cores.record
    const { length } = this.#indexed()
    const signed: SignedCheckpoint[] = []
    for (let i = 0; i < checkpoints.length; i++) {
      const block = await checkpoints.get(i, { wait: false })
      if (block) signed.push(decodeCheckpoint(block))
    }
    return audit({
      log,
      transactions: length,
      forgotten: this.#forgotten.size,
      read: (position) => this.#log.get(position),
      body: (entry) => this.#log.body(entry),
      checkpoints: signed,
      signer,
      onProgress,
      signal,
      indexHolds: (onDone) => this.#indexed().holds((position) => this.#log.get(position), onDone, signal),
    })
  }

  /** Throws the index away and derives it again from the log. */
  async rebuildIndex(): Promise<void> {
    this.#index = await this.#openIndex('index', true)
  }

  /** One end of a replication of the record, for a peer that keeps a copy or has one. */
  replicate(initiator: boolean): NodeJS.ReadWriteStream & { destroy(): void } {
    return this.#cores.replicate(initiator)
  }

  /**
   * Fills an empty store from the peers that `replicate` is connected to, or goes on where a restore was cut short. No
   * append is taken meanwhile. Throws `STORE_FORKED`, and `STORE_INCOMPLETE` where the copy has holes; once anything of the
   * copy is here, the store takes no appends until all of it is, also when it is opened again.
   */
  async restore(options: Omit<RestoreOptions, 'forgotten' | 'read'>): Promise<Restored> {
    const read = (position: number): Promise<Entry> => this.#log.get(position)
    if (this.length > 0 && !this.#unfinished.is) throw LedgerError.STORE_FORKED('only an empty log can be restored')
    this.#log.refuse(LedgerError.STORE_FORKED('the log is being restored'))
    await this.#unfinished.begin()
    let restored: Restored
    try {
      restored = await restoreRecord(this.#cores.record, { ...options, forgotten: this.#forgotten, read })
    } catch (error) {
      if (this.length === 0) await this.#unfinished.end()
      if (this.length === 0) this.#log.refuse(null)
      throw error
    }
    await this.#cores.disk.sync()
    await this.rebuildIndex()
    await this.#outbox.advance(await chainHead(this))
    await this.#unfinished.end()
    this.#log.refuse(null)
    return restored
  }

  /** Idempotent; appends under way are finished first. */
  async close(): Promise<void> {
    this.#closing ??= this.#close()
    await this.#closing
  }

  async #close(): Promise<void> {
    await this.#log.close()
    await this.#outbox.close()
    await this.vouchers.close()
    await this.#cores.close()
  }

  async #recover(): Promise<void> {
    if (this.#unfinished.is) return this.#log.refuse(LedgerError.STORE_INCOMPLETE())
    await this.#log.finishForgetting()
    this.#index = await this.#openIndex('index', false, HELD)
    if (!this.#outbox.knowsHead) await this.#outbox.advance(await chainHead(this))
    for (const transaction of this.#outbox.pending()) {
      if (await isLogged(this, transaction)) await this.#outbox.settled([transaction])
      else await this.append({ role: 'provider', times: transaction.statement.times, transaction, ciphertext: null })
    }
  }

  async #onAppended(appended: readonly Appended[]): Promise<void> {
    const receipts = appended
      .map(({ entry }) => entry)
      .filter(({ role, transaction }) => role === 'provider' && transaction.providerSignature)
    // Not waited for: a receipt that stays in the outbox is found in the log at the next start, and an outbox that cannot
    // write says so when the next receipt is issued.
    if (receipts.length > 0)
      void this.#outbox.settled(receipts.map(({ transaction }) => transaction)).catch(safetyCatch)
    await this.#indexed().settle()
  }

  async #openIndex(name: string, empty: boolean, held = 0): Promise<SearchIndex> {
    const bee = await this.#cores.bee(name, empty)
    return SearchIndex.open(bee, this.length, (position) => this.#log.get(position), held)
  }

  #indexed(): SearchIndex {
    if (!this.#index && this.#unfinished.is) throw LedgerError.STORE_INCOMPLETE()
    if (!this.#index) throw LedgerError.STORE_CLOSED('the index')
    return this.#index
  }
}

/** A transaction of one side: its id is the consumer's choice, and both sides may be this node. */
function nameOf({ role, transaction }: SharedEntry): string {
  return `${role}/${b4a.toString(transaction.statement.id, 'hex')}`
}

function otherThan(role: Role): Role {
  return role === 'consumer' ? 'provider' : 'consumer'
}
