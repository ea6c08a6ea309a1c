/**
 * Which chain this data folder belongs to. Its genesis hash goes into the network id, so it has to be known before the swarm
 * is joined: the first start asks the RPC node and writes the answer down, later starts wait for nobody.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf, DaemonError } from '../errors.js'
import type { ChainSettings } from '../node-options.js'

/** Base58, one line. */
const FILE = 'chain-genesis'
/** A start waits for this answer: not long. */
const TIMEOUT_MS = 5_000
const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 30_000

export function genesisFile(dataDir: string): string {
  return join(dataDir, FILE)
}

/**
 * 32 bytes. Throws `RPC_*` when it is not written down yet and no node answers, `DATA_UNUSABLE`, and `CONFIG_INVALID` when
 * what is written down is no hash. `remember` false: a look that ties the folder to no chain.
 */
export async function chainGenesis(
  dataDir: string,
  { urls }: Pick<ChainSettings, 'urls'>,
  remember = true,
): Promise<Uint8Array> {
  const path = genesisFile(dataDir)
  const { fromBase58 } = await import('../../ledger/chain/base58.js')
  const known = read(path)
  if (known !== null) {
    const bytes = fromBase58(known, 32)
    if (bytes) return bytes
    throw DaemonError.CONFIG_INVALID(
      `${path} holds no genesis hash. Remove it, and the next start asks the chain again.`,
    )
  }
  const { Rpc } = await import('../../ledger/chain/rpc.js')
  const answer = await new Rpc({ urls, genesisHash: null, timeoutMs: TIMEOUT_MS, rounds: 1 }).call('getGenesisHash')
  const bytes = typeof answer === 'string' ? fromBase58(answer, 32) : null
  if (!bytes) throw DaemonError.CONFIG_INVALID('What --chain names is no Solana RPC node: it told no genesis hash.')
  if (remember) write(path, String(answer))
  return bytes
}

/** Asks again and again until it is known, or `signal` aborts; then it throws an `AbortError`. Throws as `chainGenesis` does, but not `RPC_*`. */
export async function awaitGenesis(
  dataDir: string,
  settings: Pick<ChainSettings, 'urls'>,
  signal: AbortSignal,
): Promise<Uint8Array> {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    await sleep(pause, null, { signal, ref: false })
    try {
      return await chainGenesis(dataDir, settings)
    } catch (error) {
      if (!codeOf(error)?.startsWith('RPC_')) throw error
    }
  }
}

/** For an RPC node that has turned out to be on another chain than the one that is written down. */
export function otherChain(dataDir: string, error: Error): string {
  return `${error.message} This data folder belongs to the first chain (${genesisFile(dataDir)}): give another folder with --data, or the address of that chain with --chain.`
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw DaemonError.DATA_UNUSABLE(`${path} cannot be read (${codeOf(error) ?? 'unknown reason'}).`, error)
  }
}

function write(path: string, text: string): void {
  try {
    writeFileSync(`${path}.new`, `${text}\n`, { mode: 0o600 })
    renameSync(`${path}.new`, path)
  } catch (error) {
    throw DaemonError.DATA_UNUSABLE(`${path} cannot be written (${codeOf(error) ?? 'unknown reason'}).`, error)
  }
}
