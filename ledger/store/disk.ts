/**
 * What it takes for bytes to survive a power cut.
 *
 * hypercore 11.37 appends with one `write` to RocksDB's write-ahead log and no fsync (read in rocksdb-native's
 * `binding.cc`: `rocksdb_write` gets no options; seen with strace). That survives `kill -9` (the page cache is the
 * kernel's) but not a power cut, and `Corestore.storage.flush()` flushes another column family. So after a group of
 * appends the store syncs the write-ahead log itself: fdatasync acts on the file, whoever wrote it.
 */
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import safetyCatch from 'safety-catch'

/** Makes new, renamed and deleted names of a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open folders; its file system orders renames by itself.
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** What RocksDB may have to read again when it opens after a crash: it keeps up to 64 MiB otherwise, two seconds' worth. */
const REPLAYED_BYTES = 16 * 1024 * 1024

/** Syncs the write-ahead logs of the RocksDB in a Corestore's folder. */
export class WriteAheadLogs {
  readonly #folder: string
  readonly #empty: () => Promise<void>
  #known = new Set<string>()
  #emptying: Promise<void> | null = null

  /** `empty`: makes RocksDB write its memory into tables, after which the logs so far are not needed any more. */
  constructor(corestoreFolder: string, empty: () => Promise<void>) {
    this.#folder = join(corestoreFolder, 'db')
    this.#empty = empty
  }

  /** Everything appended before the call is on the disk when it resolves. */
  async sync(): Promise<void> {
    const names = (await readdir(this.#folder)).filter((name) => /^\d+\.log$/.test(name))
    // RocksDB may have begun a new log between two of our batches: the older one is synced as well while it is there.
    let bytes = 0
    for (const name of names) bytes += await syncFile(join(this.#folder, name))
    if (names.some((name) => !this.#known.has(name))) await syncFolder(this.#folder)
    this.#known = new Set(names)
    if (bytes > REPLAYED_BYTES) this.#emptying ??= this.#emptyLogs()
  }

  /** Work under way ends. */
  async close(): Promise<void> {
    await this.#emptying
  }

  /** In the background: what is synced is safe either way, and a failure shows at the next append. */
  async #emptyLogs(): Promise<void> {
    await this.#empty().catch(safetyCatch)
    this.#emptying = null
  }
}

/** Resolves with its size. */
async function syncFile(path: string): Promise<number> {
  let handle
  try {
    handle = await open(path, 'r+')
  } catch (error) {
    // Deleted since it was listed: RocksDB has written its contents elsewhere and synced them.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0
    throw error
  }
  try {
    await handle.datasync()
    return (await handle.stat()).size
  } finally {
    await handle.close()
  }
}
