/** A watchtower on a data folder of its own: its wallet pays the fees, its outbox remembers what was sent. */
import { readFile, stat } from 'node:fs/promises'
import { toBase58 } from '../../ledger/chain/base58.js'
import { codeOf, DaemonError } from '../errors.js'
import type { Identity } from '../identity.js'
import type { ChainSettings } from '../node-options.js'
import { chainGenesis } from './genesis.js'
import { openLink } from './link.js'
import { readVouchers } from './voucher-lines.js'
import type { ReadVouchers } from './voucher-lines.js'
import { Watcher } from './watch.js'
import type { WatchEvent } from './watch.js'

const MAX_BYTES = 64 * 1024 * 1024

export interface WatchOptions {
  readonly dataDir: string
  readonly identity: Identity
  readonly settings: ChainSettings
  /** Seconds that a provider gets to act by itself. */
  readonly wait: bigint
  readonly tell: (event: WatchEvent) => void
}

export interface Watchtower {
  readonly watcher: Watcher
  /** Base58: has to hold what the fees take. */
  readonly address: string
  /** What the text of a voucher file says. */
  read(text: string): ReadVouchers
  close(): Promise<void>
}

/** The caller holds the folder's lock. Throws what the chain and the disk throw. */
export async function openWatchtower(options: WatchOptions): Promise<Watchtower> {
  const { dataDir, identity, settings, wait, tell } = options
  const genesis = await chainGenesis(dataDir, settings)
  const link = await openLink({ dataDir, settings, genesis, wallet: identity.wallet(), now: Date.now })
  return {
    watcher: new Watcher({ link, wait, tell, now: Date.now }),
    address: link.client.address,
    read: (text) => readVouchers(text, toBase58(genesis), settings.program),
    close: () => link.outbox.close(),
  }
}

/** A file that is read again when it has changed. */
export class WatchedFile {
  readonly #path: string
  #seen = ''

  constructor(path: string) {
    this.#path = path
  }

  /** Its text when it is another one than before, else null. Throws `CONFIG_UNREADABLE`. */
  async changed(): Promise<string | null> {
    try {
      const { ino, size, mtimeMs } = await stat(this.#path)
      const look = `${ino} ${size} ${mtimeMs}`
      if (look === this.#seen) return null
      if (size > MAX_BYTES)
        throw DaemonError.CONFIG_UNREADABLE(`The voucher file ${this.#path} is larger than ${MAX_BYTES} bytes.`)
      const text = await readFile(this.#path, 'utf8')
      this.#seen = look
      return text
    } catch (error) {
      if (error instanceof DaemonError) throw error
      throw DaemonError.CONFIG_UNREADABLE(
        `The voucher file ${this.#path} cannot be read (${codeOf(error) ?? 'unknown reason'}).`,
        error,
      )
    }
  }
}
