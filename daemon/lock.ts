/**
 * One running node per data folder, by flock: the kernel lets go of it however the process ends, so a lock never outlives
 * its holder. Who holds it is written beside it (not into it: Windows locks keep readers out).
 */
import { closeSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { tryLock } from 'fs-native-extensions'
import { codeOf, DaemonError } from './errors.js'
import { makeFolder } from './paths.js'

/** Whoever looks whether a folder is locked holds the lock for an instant; that must not keep a node from starting. */
const ATTEMPTS = 5
const PAUSE_MS = 10
const PAUSE = new Int32Array(new SharedArrayBuffer(4))

export interface Holder {
  readonly pid: number
  /** Unix milliseconds. */
  readonly since: number
  readonly version: string
  /** null until the API listens, or without one. */
  readonly apiUrl: string | null
}

export interface DataLock {
  /** Tells others more about the holder. */
  describe(holder: Holder): void
  /** Idempotent. */
  release(): void
}

/**
 * Creates the folder (0700) when it is missing. Throws `DATA_LOCKED` with who holds it, `DATA_UNUSABLE` when the folder
 * cannot be used.
 */
export function acquireLock(dataDir: string, holder: Holder): DataLock {
  const fd = openLockFile(dataDir)
  let granted = false
  try {
    for (let attempt = 0; !granted && attempt < ATTEMPTS; attempt++) {
      if (attempt > 0) Atomics.wait(PAUSE, 0, 0, PAUSE_MS)
      granted = tryLock(fd)
    }
  } catch (error) {
    closeSync(fd)
    throw DaemonError.DATA_UNUSABLE(
      `The file system of ${dataDir} cannot lock files (${codeOf(error) ?? 'unknown reason'}): choose another folder with --data.`,
      error,
    )
  }
  if (!granted) {
    closeSync(fd)
    throw DaemonError.DATA_LOCKED(lockedBy(dataDir, readHolder(dataDir)))
  }

  let released = false
  const describe = (now: Holder): void => {
    if (!released) writeHolder(dataDir, now)
  }
  try {
    describe(holder)
  } catch (error) {
    closeSync(fd)
    throw DaemonError.DATA_UNUSABLE(
      `The data folder ${dataDir} cannot be written (${codeOf(error) ?? 'unknown reason'}).`,
      error,
    )
  }
  return {
    describe,
    release() {
      if (released) return
      released = true
      // Before the lock goes: the next holder's file must not be removed.
      rmSync(join(dataDir, 'holder.json'), { force: true })
      closeSync(fd)
    },
  }
}

/** Whether some process holds the lock now. A folder that does not exist is not locked. Those who look are not in each other's way. */
export function isLocked(dataDir: string): boolean {
  let fd: number
  try {
    fd = openSync(join(dataDir, 'lock'), 'r+')
  } catch {
    return false
  }
  try {
    return !tryLock(fd, { shared: true })
  } finally {
    closeSync(fd)
  }
}

/** Who wrote itself down last; meaningful only while the folder is locked. null when unreadable. */
export function readHolder(dataDir: string): Holder | null {
  try {
    const value: unknown = JSON.parse(readFileSync(join(dataDir, 'holder.json'), 'utf8'))
    return isHolder(value) ? value : null
  } catch {
    return null
  }
}

function isHolder(value: unknown): value is Holder {
  if (typeof value !== 'object' || value === null) return false
  const { pid, since, version, apiUrl } = value as Partial<Record<keyof Holder, unknown>>
  return (
    typeof pid === 'number' &&
    typeof since === 'number' &&
    typeof version === 'string' &&
    (apiUrl === null || typeof apiUrl === 'string')
  )
}

function openLockFile(dataDir: string): number {
  try {
    makeFolder(dataDir)
    return openSync(join(dataDir, 'lock'), 'a+', 0o600)
  } catch (error) {
    throw DaemonError.DATA_UNUSABLE(
      `The data folder ${dataDir} cannot be used (${codeOf(error) ?? 'unknown reason'}): choose another with --data.`,
      error,
    )
  }
}

function writeHolder(dataDir: string, holder: Holder): void {
  const path = join(dataDir, 'holder.json')
  writeFileSync(`${path}.new`, `${JSON.stringify(holder)}\n`, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

function lockedBy(dataDir: string, holder: Holder | null): string {
  const who =
    holder === null
      ? 'Another process'
      : `Another swarmd (pid ${holder.pid}, since ${new Date(holder.since).toISOString()}, ${holder.apiUrl === null ? 'no API' : `API at ${holder.apiUrl}`})`
  return `${who} uses the data folder ${dataDir}. Stop it with "swarmd stop --data ${dataDir}", or give this node a folder of its own with --data DIR.`
}
