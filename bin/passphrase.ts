/**
 * The passphrase of a sealed seed: from a file (SWARMD_PASSPHRASE_FILE, also /dev/fd/3), from systemd's credentials, or typed.
 * Never from the command line, which every user of the machine can read.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { LoadedConfig } from '../daemon/config.js'
import { codeOf, DaemonError } from '../daemon/errors.js'
import type { Identity } from '../daemon/identity.js'
import type { CommandCall } from './command.js'
import { loadSettings } from './running.js'
import { askHidden } from './prompt.js'

/** The name under which systemd hands it over: LoadCredential=swarmd-passphrase:FILE. */
const CREDENTIAL = 'swarmd-passphrase'
const MAX_BYTES = 4096
const ATTEMPTS = 3

/**
 * The identity of a data folder whose seed is sealed; null when it is not, which costs a look at the folder. Throws
 * `PASSPHRASE_NEEDED` or `PASSPHRASE_WRONG`; a terminal asks three times.
 */
export async function unlocked(call: CommandCall, dataDir: string): Promise<Identity | null> {
  if (existsSync(join(dataDir, 'seed')) || !existsSync(join(dataDir, 'seed.sealed'))) return null
  const { openIdentity } = await import('../daemon/identity.js')
  const given = storedPassphrase(await loadSettings(call), call.io.env)
  if (given !== null) return openIdentity(dataDir, given)
  if (!call.io.stdin.isTTY) throw DaemonError.PASSPHRASE_NEEDED()
  for (let attempt = 1; ; attempt++) {
    const typed = Buffer.from(await askHidden(call.io, 'Passphrase of the seed: '))
    try {
      return openIdentity(dataDir, typed)
    } catch (error) {
      if (codeOf(error) !== 'PASSPHRASE_WRONG' || attempt === ATTEMPTS) throw error
      call.io.err('This is not it.\n')
    }
  }
}

/** From a file or a credential; null when nobody named one. Throws `CONFIG_UNREADABLE`. */
export function storedPassphrase(
  { config }: LoadedConfig,
  env: Readonly<Record<string, string | undefined>>,
): Uint8Array | null {
  if (config.passphraseFile !== null) return readFirstLine(config.passphraseFile, true)
  const folder = env['CREDENTIALS_DIRECTORY']
  const credential = folder === undefined || folder === '' ? null : join(folder, CREDENTIAL)
  // systemd guards its own folder, and shows other bits there.
  return credential !== null && existsSync(credential) ? readFirstLine(credential, false) : null
}

function readFirstLine(path: string, guarded: boolean): Uint8Array {
  let bytes: Buffer
  try {
    const { mode, size } = statSync(path)
    if (guarded && process.platform !== 'win32' && (mode & 0o170000) === 0o100000 && (mode & 0o007) !== 0) {
      throw DaemonError.CONFIG_UNREADABLE(
        `The passphrase file ${path} can be read by all users. Close it with: chmod 600 ${path}`,
      )
    }
    if (size > MAX_BYTES)
      throw DaemonError.CONFIG_UNREADABLE(`The passphrase file ${path} is larger than ${MAX_BYTES} bytes.`)
    bytes = readFileSync(path)
  } catch (error) {
    if (error instanceof DaemonError) throw error
    throw DaemonError.CONFIG_UNREADABLE(
      `The passphrase file ${path} cannot be read (${codeOf(error) ?? 'unknown reason'}).`,
    )
  }
  const end = bytes.indexOf(10)
  const line = end < 0 ? bytes : bytes.subarray(0, end)
  const passphrase = line.at(-1) === 13 ? line.subarray(0, -1) : line
  if (passphrase.length === 0)
    throw DaemonError.CONFIG_UNREADABLE(`The first line of the passphrase file ${path} is empty.`)
  return passphrase
}
