/**
 * The seed in the data folder, mode 0600: in the open or under a passphrase, never overwritten.
 *
 *   seed          64 hexadecimal digits and a newline
 *   seed.sealed   "swarmd/1/sealed-seed argon2id OPS MEMORY SALT BOX" and a newline; salt and box in hexadecimal
 *
 * Where both are there, a seal or an unseal was cut short: they hold the same seed, and the open one is used.
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type { SealedSeed } from './crypto.js'
import { codeOf, DaemonError } from './errors.js'
import { makeFolder } from './paths.js'

const SEED = /^[0-9a-f]{64}\n?$/
const SEALED = /^swarmd\/1\/sealed-seed argon2id (\d{1,3}) (\d{1,10}) ([0-9a-f]{32}) ([0-9a-f]{144})\n?$/
const MAX_BYTES = 512
/** More than any seal of ours takes, and less than would stop a small machine. */
const MAX_OPS = 64
const MAX_MEMORY = 2 ** 30

/** null: none yet. Throws `IDENTITY_UNSAFE` and system errors. */
export function readSeed(dataDir: string): Uint8Array | SealedSeed | null {
  const open = readPrivate(join(dataDir, 'seed'))
  if (open !== null) return parseOpen(join(dataDir, 'seed'), open)
  const sealed = readPrivate(join(dataDir, 'seed.sealed'))
  return sealed === null ? null : parseSealed(join(dataDir, 'seed.sealed'), sealed)
}

export function seedState(dataDir: string): 'none' | 'open' | 'sealed' {
  if (existsSync(join(dataDir, 'seed'))) return 'open'
  return existsSync(join(dataDir, 'seed.sealed')) ? 'sealed' : 'none'
}

/** Writes the seed of a folder that has none, and returns it. Throws `IDENTITY_EXISTS`. */
export function createSeed(dataDir: string, seed: Uint8Array): Uint8Array {
  makeFolder(dataDir)
  if (seedState(dataDir) !== 'none') throw DaemonError.IDENTITY_EXISTS(dataDir)
  const path = join(dataDir, 'seed')
  const aside = writeAside(path, `${Buffer.from(seed).toString('hex')}\n`)
  // Linked rather than renamed: that never overwrites.
  linkSync(aside, path)
  rmSync(aside)
  syncFolder(dataDir)
  return seed
}

/** From the open file to the sealed one. What the disk keeps of the open one's bytes is up to the disk. */
export function replaceBySealed(dataDir: string, sealed: SealedSeed): void {
  const { ops, memory, salt, box } = sealed
  const path = join(dataDir, 'seed.sealed')
  const text = `swarmd/1/sealed-seed argon2id ${ops} ${memory} ${hex(salt)} ${hex(box)}\n`
  renameSync(writeAside(path, text), path)
  syncFolder(dataDir)
  wipe(join(dataDir, 'seed'))
  syncFolder(dataDir)
}

/** From the sealed file to the open one. */
export function replaceByOpen(dataDir: string, seed: Uint8Array): void {
  const path = join(dataDir, 'seed')
  renameSync(writeAside(path, `${hex(seed)}\n`), path)
  syncFolder(dataDir)
  rmSync(join(dataDir, 'seed.sealed'), { force: true })
  syncFolder(dataDir)
}

/** null = as it should be. */
export function seedFileComplaint(
  path: string,
  stat: { readonly mode: number; readonly uid: number; isFile(): boolean },
): string | null {
  if (!stat.isFile()) return `The seed ${path} is not a file.`
  const uid = process.getuid?.()
  // Windows has no such bits.
  if (uid === undefined) return null
  if (stat.uid !== uid) return `The seed ${path} belongs to another user.`
  if ((stat.mode & 0o077) !== 0) return `The seed ${path} can be read by other users. Close it with: chmod 600 ${path}`
  return null
}

/** null: there is no such file. */
function readPrivate(path: string): string | null {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw error
  }
  try {
    const stat = fstatSync(fd)
    const complaint = seedFileComplaint(path, stat)
    if (complaint !== null) throw DaemonError.IDENTITY_UNSAFE(complaint)
    return stat.size <= MAX_BYTES ? readFileSync(fd, 'latin1') : ''
  } finally {
    closeSync(fd)
  }
}

function parseOpen(path: string, text: string): Uint8Array {
  if (!SEED.test(text)) throw damaged(path, 'it must be 64 hexadecimal digits')
  return Uint8Array.from(Buffer.from(text.slice(0, 64), 'hex'))
}

function parseSealed(path: string, text: string): SealedSeed {
  const [, ops, memory, salt = '', box = ''] = SEALED.exec(text) ?? []
  const sealed = {
    ops: Number(ops),
    memory: Number(memory),
    salt: Uint8Array.from(Buffer.from(salt, 'hex')),
    box: Uint8Array.from(Buffer.from(box, 'hex')),
  }
  if (salt !== '' && sealed.ops <= MAX_OPS && sealed.memory <= MAX_MEMORY) return sealed
  throw damaged(path, 'it is not as "swarmd keys seal" wrote it')
}

function damaged(path: string, what: string): DaemonError {
  return DaemonError.IDENTITY_UNSAFE(
    `The seed ${path} is damaged: ${what}. Move it away and bring it back with "swarmd keys restore" and its 24 words, or from a backup; without either, a new identity is made.`,
  )
}

/** Whole and durable under another name. */
function writeAside(path: string, text: string): string {
  const aside = `${path}.new`
  rmSync(aside, { force: true })
  const fd = openSync(aside, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600)
  try {
    writeSync(fd, text)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  return aside
}

/** Overwritten before it goes: of use on disks that write in place. */
function wipe(path: string): void {
  if (!existsSync(path)) return
  const fd = openSync(path, 'r+')
  try {
    writeSync(fd, '0'.repeat(fstatSync(fd).size), 0)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  rmSync(path)
}

function syncFolder(folder: string): void {
  // Windows cannot open folders; its file system orders renames and links by itself.
  if (process.platform === 'win32') return
  const fd = openSync(folder, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
