/**
 * A node's identity: one 32-byte seed in the data folder, and every key derived from it by BLAKE2b with a namespace per use
 * (docs/protocol.md). The file is 64 hexadecimal digits and a newline, mode 0600, written once and never again.
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { boxKeyPair, hash32, randomBytes, signKeyPair } from './crypto.js'
import type { KeyPair } from './crypto.js'
import { codeOf, DaemonError } from './errors.js'

const SEED_FILE = /^[0-9a-f]{64}\n?$/

/** 32-byte id of the network `name`: mixed into every topic, and said in every hello. */
export function networkId(name: string): Uint8Array {
  return hash32('swarmd/1/network', Buffer.from(name, 'utf8'))
}

/** A Noise key for one run of a node that serves nothing: peers cannot link its runs. */
export function freshNodeKeyPair(): KeyPair {
  return signKeyPair(randomBytes(32))
}

export class Identity {
  readonly #seed: Uint8Array

  constructor(seed: Uint8Array) {
    if (seed.byteLength !== 32) throw DaemonError.IDENTITY_UNSAFE(`A seed has 32 bytes, not ${seed.byteLength}.`)
    this.#seed = seed
  }

  /** Ed25519: Noise identity of a provider, signer of offers and receipts. */
  node(): KeyPair {
    return signKeyPair(this.#derive('node'))
  }

  /** Ed25519: fee payer and owner of deposits. */
  wallet(): KeyPair {
    return signKeyPair(this.#derive('wallet'))
  }

  /** Ed25519: another signer for each provider (its 32-byte node key), so that providers cannot link a consumer. */
  voucher(provider: Uint8Array): KeyPair {
    if (provider.byteLength !== 32) throw DaemonError.IDENTITY_UNSAFE('A voucher key belongs to a 32-byte node key.')
    return signKeyPair(this.#derive('voucher', provider))
  }

  /** X25519: content keys are sealed to it. */
  box(): KeyPair {
    return boxKeyPair(this.#derive('box'))
  }

  /** 32 bytes: primary key of the stores, key for data at rest. */
  store(): Uint8Array {
    return this.#derive('store')
  }

  /** Secrets stay out of logs and JSON, however an identity gets there. */
  toJSON(): string {
    return '[identity]'
  }

  [inspect.custom](): string {
    return '[identity]'
  }

  #derive(use: string, data: Uint8Array = new Uint8Array(0)): Uint8Array {
    return hash32(`swarmd/1/key/${use}`, data, this.#seed)
  }
}

/**
 * Reads the seed of `dataDir`, or makes one when there is none. The caller holds the folder's lock. Throws `IDENTITY_UNSAFE`
 * when the file is malformed, belongs to somebody else or is open to others: it is never repaired or replaced by itself.
 */
export function openIdentity(dataDir: string): Identity {
  const path = join(dataDir, 'seed')
  try {
    return new Identity(readSeed(path) ?? createSeed(dataDir, path))
  } catch (error) {
    if (error instanceof DaemonError) throw error
    throw DaemonError.DATA_UNUSABLE(
      `The seed ${path} cannot be read or written (${codeOf(error) ?? 'unknown reason'}).`,
      error,
    )
  }
}

function readSeed(path: string): Uint8Array | null {
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
    const text = stat.size <= 65 ? readFileSync(fd, 'latin1') : ''
    if (!SEED_FILE.test(text)) {
      throw DaemonError.IDENTITY_UNSAFE(
        `The seed ${path} is damaged: it must be 64 hexadecimal digits. Restore it from a backup; without one, move it away and a new identity is made.`,
      )
    }
    return Uint8Array.from(Buffer.from(text.slice(0, 64), 'hex'))
  } finally {
    closeSync(fd)
  }
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

/** Whole and durable under its name, or not there at all: written aside, synced, then linked, which never overwrites. */
function createSeed(dataDir: string, path: string): Uint8Array {
  const seed = randomBytes(32)
  const aside = `${path}.new`
  rmSync(aside, { force: true })
  const fd = openSync(aside, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600)
  try {
    writeSync(fd, `${Buffer.from(seed).toString('hex')}\n`)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  linkSync(aside, path)
  rmSync(aside)
  syncFolder(dataDir)
  return seed
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
