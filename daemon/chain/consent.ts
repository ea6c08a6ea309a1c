/**
 * Whether this node may put coins into deposits. A setting decides; where it says `ask`, a person in a terminal is asked
 * once, and the answer lies in the data folder. Nobody to ask and nothing answered means yes: whoever gave a chain's address
 * wants to pay on it.
 *
 *   deposit-consent      "yes" or "no", a blank, and the deposit in lamports that the question named
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf, DaemonError } from '../errors.js'
import type { ChainSettings } from '../node-options.js'

const FILE = 'deposit-consent'

export interface Answer {
  readonly allowed: boolean
  /** Lamports. */
  readonly deposit: bigint
}

/** null = nobody was asked yet. Throws `DATA_UNUSABLE`, and `CONFIG_INVALID` for a file that no version wrote. */
export function answered(dataDir: string): Answer | null {
  const path = join(dataDir, FILE)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw DaemonError.DATA_UNUSABLE(`${path} cannot be read (${codeOf(error) ?? 'unknown reason'}).`, error)
  }
  const [, word, deposit] = /^(yes|no) (\d{1,20})\n?$/.exec(text) ?? []
  if (word === undefined || deposit === undefined)
    throw DaemonError.CONFIG_INVALID(`${path} holds no answer. Remove it, and you are asked again.`)
  return { allowed: word === 'yes', deposit: BigInt(deposit) }
}

/** Throws `DATA_UNUSABLE`. */
export function remember(dataDir: string, { allowed, deposit }: Answer): void {
  const path = join(dataDir, FILE)
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    writeFileSync(`${path}.new`, `${allowed ? 'yes' : 'no'} ${deposit}\n`, { mode: 0o600 })
    renameSync(`${path}.new`, path)
  } catch (error) {
    throw DaemonError.DATA_UNUSABLE(`${path} cannot be written (${codeOf(error) ?? 'unknown reason'}).`, error)
  }
}

/** Lamports to ask a person about; null = there is nothing to ask. A larger deposit than was allowed is asked about again. */
export function openQuestion({ consent = 'yes', deposit }: ChainSettings, dataDir: string): bigint | null {
  if (consent !== 'ask') return null
  const known = answered(dataDir)
  return known === null || (known.allowed && known.deposit < deposit) ? deposit : null
}

/** Why no deposit may be made, for whoever asks a paid provider; null = it may. Read each time: the answer may come later. */
export function objection({ consent = 'yes' }: ChainSettings, dataDir: string): string | null {
  if (consent === 'no')
    return 'This node makes no deposits (chain.consent = "no"), so providers on the chain cannot be paid. Set chain.consent to "yes" to allow them.'
  if (consent === 'yes' || (answered(dataDir)?.allowed ?? true)) return null
  return `This node makes no deposits, because its owner said no when asked. Remove ${join(dataDir, FILE)} to be asked again, or set chain.consent to "yes".`
}
