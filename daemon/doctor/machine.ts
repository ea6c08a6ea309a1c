/** What the machine brings: Node, memory, processors, disk, clock. Figures come in as arguments, so that tests can choose them. */
import { fail, ok, warn } from './check.js'
import type { Finding } from './check.js'

const FLOOR = [20, 20] as const
const RECOMMENDED = 24
const GB = 1e9

/** `version` without the `v`. */
export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major < FLOOR[0] || (major === FLOOR[0] && minor < FLOOR[1])) {
    return fail(
      'node',
      `Node.js ${version} is too old.`,
      `Install Node.js ${RECOMMENDED} (at least ${FLOOR.join('.')}).`,
    )
  }
  if (major < 22)
    return warn(
      'node',
      `Node.js ${version} works, but gets no security fixes any more.`,
      `Install Node.js ${RECOMMENDED}.`,
    )
  return ok('node', `Node.js ${version}`)
}

export function checkMemory(memory: { readonly total: number; readonly available: number }): Finding {
  const { total, available } = memory
  const has = `${gigabytes(available)} of ${gigabytes(total)} available`
  if (available >= GB) return ok('memory', has)
  return warn(
    'memory',
    `Only ${has}.`,
    'That is enough to ask, and for small models. Close other programs to serve larger ones.',
  )
}

/** `configured` null = the default, physical cores minus one. */
export function checkThreads(
  cores: { readonly physical: number; readonly logical: number },
  configured: number | null,
): Finding {
  const threads = configured ?? Math.max(1, cores.physical - 1)
  const detail = `${threads} compute ${threads === 1 ? 'thread' : 'threads'} on ${cores.physical} physical cores (${cores.logical} logical)`
  if (threads > cores.physical) {
    return warn(
      'threads',
      `${detail}.`,
      `Set engine.threads to ${Math.max(1, cores.physical - 1)}: threads that share a core slow each other down badly.`,
    )
  }
  if (threads === cores.physical && cores.physical > 1) {
    return warn(
      'threads',
      `${detail}.`,
      `Leave one core free (engine.threads = ${cores.physical - 1}): waiting threads spin, and anything else that runs slows decoding down.`,
    )
  }
  return ok('threads', detail)
}

export function checkDisk(folder: string, free: number, purpose: 'data' | 'models'): Finding {
  const name = `disk (${purpose})`
  const detail = `${gigabytes(free)} free at ${folder}`
  if (purpose === 'data') {
    if (free < 0.1 * GB) return fail(name, `Only ${detail}.`, 'Free some space, or move the data folder with --data.')
    return ok(name, detail)
  }
  if (free < 5 * GB)
    return warn(
      name,
      `Only ${detail}.`,
      'Models take gigabytes: free some space, or move the cache folder (SWARMD_CACHE).',
    )
  return ok(name, detail)
}

/** `newest`: Unix milliseconds of something that certainly happened before now. */
export function checkClock(now: number, newest: number): Finding {
  if (now + 60_000 < newest) {
    return fail(
      'clock',
      `The clock says ${new Date(now).toISOString()}, which is in the past.`,
      'Set the clock (NTP): offers are dated, and peers refuse what is too old.',
    )
  }
  return ok('clock', new Date(now).toISOString())
}

function gigabytes(bytes: number): string {
  const value = bytes / GB
  return `${value >= 10 ? Math.round(value) : value.toFixed(1)} GB`
}
