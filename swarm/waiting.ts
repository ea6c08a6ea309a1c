/** Bounded waits: for a promise, no longer than so long, or until somebody changes their mind. */
import { SwarmError } from './errors.js'

/** Resolves when `promise` settles or `ms` have passed, whichever is first; never rejects. */
export async function within(promise: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | null = null
  const bound = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([promise.then(noop, noop), bound])
  if (timer) clearTimeout(timer)
}

/** The promise, or `CANCELLED` as soon as the signal says so; the promise goes on for others. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) throw SwarmError.CANCELLED()
  let onAbort = noop
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(SwarmError.CANCELLED())
  })
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

function noop(): void {}
