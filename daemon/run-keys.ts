/**
 * The Noise keys of a node that serves nothing: another one at each start, so that peers cannot link its runs, and all of
 * them from the seed, so that whoever holds it can prove later which ones were its own.
 *
 * The key's number is the hour of its first use, or the one after the last where a node starts more often. So a seed alone,
 * without the folder, bounds what there can be: 8,766 numbers a year. The file `runs` holds the last number, in decimal; it
 * is on the disk before its key is used.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { KeyPair } from './crypto.js'
import { codeOf, DaemonError } from './errors.js'
import { freshNodeKeyPair } from './identity.js'
import type { Identity } from './identity.js'

const HOUR_MS = 3_600_000
/** 2026-11-01T00:00Z: no key is older. */
const FIRST_HOUR = 1_793_491_200_000
/** So far numbers may run ahead of the clock: 85 days of a start each half hour. */
export const MOST_AHEAD = 2048
/** A folder that knows no number begins somewhere in the next day: one that was lost may have used this hour's already. */
const BEGINNING = 24

/**
 * The key of this run. `now`: Unix milliseconds; `draw`: a whole number below the given one. A node that is too far ahead
 * of its clock gets a random key: what it signs comes back from a backup alone. Throws `DATA_UNUSABLE`.
 */
export function nextRunKey(dataDir: string, identity: Identity, now: number, draw: (below: number) => number): KeyPair {
  const hour = hourOf(now)
  const last = lastRun(dataDir)
  const number = last === null ? hour + draw(BEGINNING) : Math.max(last + 1, hour)
  if (number > hour + MOST_AHEAD) return freshNodeKeyPair()
  write(join(dataDir, 'runs'), `${number}\n`)
  return identity.run(number)
}

/** Every key that a run of this seed can have had until now, the likeliest (newest) first; the node key before them. */
export function* earlierKeys(dataDir: string, identity: Identity, now: number): Generator<KeyPair> {
  yield identity.node()
  const newest = Math.max(hourOf(now) + MOST_AHEAD, lastRun(dataDir) ?? 0)
  const near = Math.min(newest, Math.max(hourOf(now) + BEGINNING, lastRun(dataDir) ?? 0))
  for (let number = near; number >= 0; number--) yield identity.run(number)
  for (let number = near + 1; number <= newest; number++) yield identity.run(number)
}

function hourOf(now: number): number {
  return Math.max(0, Math.floor((now - FIRST_HOUR) / HOUR_MS))
}

/** null: no run yet, or a file that nobody can read; the hour bounds the next number either way. */
function lastRun(dataDir: string): number | null {
  try {
    const text = readFileSync(join(dataDir, 'runs'), 'latin1').trim()
    return /^\d{1,9}$/.test(text) ? Number(text) : null
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw unusable(dataDir, error)
  }
}

function write(path: string, text: string): void {
  try {
    const fd = openSync(`${path}.new`, 'w', 0o600)
    try {
      writeSync(fd, text)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(`${path}.new`, path)
  } catch (error) {
    throw unusable(path, error)
  }
}

function unusable(path: string, error: unknown): DaemonError {
  return DaemonError.DATA_UNUSABLE(`${path} cannot be read or written (${codeOf(error) ?? 'unknown reason'}).`, error)
}
