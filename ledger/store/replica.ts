/**
 * A copy of somebody else's record: kept by a friend or a second machine of one's own, so that a lost disk loses nothing.
 * It holds ciphertext and signed statements; without the owner's seed no content can be read.
 */
import type { RecordKeys } from './cores.js'
import { Cores } from './cores.js'

export class Replica {
  readonly #cores: Cores
  readonly #downloads: { destroy(): void }[]

  private constructor(cores: Cores) {
    this.#cores = cores
    const { log, bodies, forgotten, checkpoints } = cores.record
    this.#downloads = [forgotten, checkpoints, log, bodies].map((core) => core.download({ start: 0, end: -1 }))
  }

  /**
   * `primaryKey`: any 32 bytes of the keeper's own; they give no right to write. null: those that it was made with, also
   * where the folder is a backup.
   */
  static async open(folder: string, primaryKey: Uint8Array | null, keys: RecordKeys): Promise<Replica> {
    return new Replica(await Cores.open(folder, primaryKey, keys))
  }

  /** What is here: transactions from the first on without a hole, and blocks of bodies. */
  async held(): Promise<{ readonly transactions: number; readonly bodyBlocks: number }> {
    const { log, bodies } = this.#cores.record
    let transactions = 0
    let bodyBlocks = 0
    while (await log.has(2 * transactions + 1)) transactions++
    for (let block = 0; block < bodies.length; block++) if (await bodies.has(block)) bodyBlocks++
    return { transactions, bodyBlocks }
  }

  replicate(initiator: boolean): NodeJS.ReadWriteStream & { destroy(): void } {
    return this.#cores.replicate(initiator)
  }

  async close(): Promise<void> {
    for (const download of this.#downloads) download.destroy()
    await this.#cores.disk.sync()
    await this.#cores.close()
  }
}
