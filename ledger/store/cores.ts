/**
 * The Corestore of a data folder and the cores in it. Their keys follow from the primary key, so a seed alone finds them
 * again on a peer.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import Corestore from 'corestore'
import safetyCatch from 'safety-catch'
import Hyperbee from 'hyperbee'
import type Hypercore from 'hypercore'
import { LedgerError } from '../errors.js'
import { WriteAheadLogs } from './disk.js'

const RECORD = ['log', 'bodies', 'forgotten', 'checkpoints'] as const

/** The cores that are the record; the index is derived and stays here. */
export type RecordCores = { readonly [K in (typeof RECORD)[number]]: Hypercore }

/** Core keys of a record: what a peer needs to keep a copy. */
export type RecordKeys = { readonly [K in (typeof RECORD)[number]]: Uint8Array }

export class Cores {
  readonly record: RecordCores
  readonly disk: WriteAheadLogs
  readonly #store: Corestore

  private constructor(store: Corestore, record: RecordCores, disk: WriteAheadLogs) {
    this.#store = store
    this.record = record
    this.disk = disk
  }

  /**
   * Opens or makes the cores under `folder` (0700). `keys` null: our own, writable; else copies of somebody else's, and
   * `primaryKey` null: whatever key the folder was made with, also where it was copied.
   * Throws `STORE_FORKED` for a folder that was copied or moved, `STORE_WRITE_FAILED` when another process holds the folder or the disk says no.
   */
  static async open(folder: string, primaryKey: Uint8Array | null, keys: RecordKeys | null = null): Promise<Cores> {
    const path = join(folder, 'cores')
    let store: Corestore | null = null
    try {
      await mkdir(path, { recursive: true, mode: 0o700 })
      store = new Corestore(path, primaryKey ? { primaryKey, unsafe: true } : { allowBackup: true })
      await store.ready()
      const opened = store
      const core = async (name: keyof RecordCores): Promise<Hypercore> => {
        const one = opened.get(keys ? { key: keys[name] } : { name: `swarmd/1/${name}` })
        await one.ready()
        return one
      }
      const record: RecordCores = {
        log: await core('log'),
        bodies: await core('bodies'),
        forgotten: await core('forgotten'),
        checkpoints: await core('checkpoints'),
      }
      return new Cores(store, record, new WriteAheadLogs(path, () => opened.storage.db.flush()))
    } catch (error) {
      await store?.close().catch(safetyCatch)
      if (error instanceof Error && 'code' in error && error.code === 'DEVICE_FILE') {
        throw LedgerError.STORE_FORKED(
          `the ledger in ${folder} was copied or moved here: two copies that both go on would contradict each other. Move it aside, then "swarmd history restore --from" that folder brings it back`,
        )
      }
      throw LedgerError.STORE_WRITE_FAILED(folder, error)
    }
  }

  get keys(): RecordKeys {
    const { log, bodies, forgotten, checkpoints } = this.record
    return { log: log.key, bodies: bodies.key, forgotten: forgotten.key, checkpoints: checkpoints.key }
  }

  /** A Hyperbee under a name; `empty`: without what was in it. */
  async bee(name: string, empty: boolean): Promise<Hyperbee> {
    if (empty) {
      const core = this.#store.get({ name: `swarmd/1/${name}` })
      await core.ready()
      if (core.length > 0) await core.truncate(0)
      await core.close()
    }
    const core = this.#store.get({ name: `swarmd/1/${name}` })
    return new Hyperbee(core, { keyEncoding: 'binary', valueEncoding: 'binary', extension: false })
  }

  /**
   * One end of the replication of the record, to be piped into the other end's. `initiator`: one side true, the other
   * false. Only a peer that knows a core's key can ask for its blocks.
   */
  replicate(initiator: boolean): NodeJS.ReadWriteStream & { destroy(): void } {
    const { log, bodies, forgotten, checkpoints } = this.record
    const stream = forgotten.replicate(initiator)
    for (const core of [checkpoints, log, bodies]) core.replicate(stream)
    return stream
  }

  async close(): Promise<void> {
    await this.disk.close()
    await this.#store.close()
  }
}
