/**
 * Where swarmd keeps its files: the XDG places (env-paths), each of which a flag or an environment variable can move.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, statSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import envPaths from 'env-paths'

/** Unix socket addresses end at 108 bytes on Linux and 104 on macOS, the closing NUL included. */
const SOCKET_PATH_LIMIT = 103

export interface Places {
  readonly data: string
  readonly cache: string
  /** The config file, not its folder. */
  readonly config: string
}

export function defaultPlaces(): Places {
  const places = envPaths('swarmd', { suffix: '' })
  return { data: places.data, cache: places.cache, config: join(places.config, 'config.toml') }
}

/** Absolute form of what a person wrote; `base` is the folder it is relative to. */
export function absolute(path: string, base: string): string {
  if (path === '~') return homedir()
  if (path.startsWith('~/')) return join(homedir(), path.slice(2))
  return isAbsolute(path) ? path : resolve(base, path)
}

/**
 * Makes a folder for this user alone (0700), and those above it. Node's own `recursive` never returns where the kernel denies a
 * new folder with ENOENT, as in /proc. Throws system errors.
 */
export function makeFolder(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return
  if (dirname(path) !== path) makeFolder(dirname(path))
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    // Another process may have been faster.
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw error
  }
}

/** For people: the home folder as `~`. */
export function tilde(path: string): string {
  const home = homedir()
  return home !== '/' && (path === home || path.startsWith(`${home}/`)) ? `~${path.slice(home.length)}` : path
}

/**
 * The control socket of a data folder: inside it, or, where that is too long for a socket address, in a private folder
 * below XDG_RUNTIME_DIR or the temporary folder under a name hashed from the data folder. A named pipe on Windows.
 * `folder` has to be private to this user; null when it is the data folder itself.
 */
export function controlAddress(
  dataDir: string,
  runtimeDir: string | undefined,
  platform: NodeJS.Platform = process.platform,
): { readonly path: string; readonly folder: string | null } {
  const name = createHash('sha256').update(`swarmd/1/control\0${dataDir}`).digest('hex').slice(0, 16)
  if (platform === 'win32') return { path: `\\\\.\\pipe\\swarmd-${name}`, folder: null }
  const inside = join(dataDir, 'control.sock')
  if (Buffer.byteLength(inside) <= SOCKET_PATH_LIMIT) return { path: inside, folder: null }
  const folder = join(runtimeDir ?? tmpdir(), `swarmd-${process.getuid?.() ?? 0}`)
  return { path: join(folder, `${name}.sock`), folder }
}
