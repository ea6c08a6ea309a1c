/** `swarmd stop`: asks the running daemon to end, and waits until it is gone. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Command } from 'commander'
import { integer } from '../../daemon/config-kinds.js'
import { codeOf, DaemonError } from '../../daemon/errors.js'
import { isLocked } from '../../daemon/lock.js'
import { optionText } from '../command.js'
import type { CommandCall } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { connectRunning, loadSettings } from '../running.js'

const seconds = integer(1, 3600)
const POLL_MS = 25

export function define(command: Command): void {
  command.option('--timeout <seconds>', 'how long to wait until it is gone', '30').addHelpText(
    'after',
    `
Requests in flight are ended with an error that says so. Exit code 3 when no
daemon runs, 1 when it does not end in time.

Examples:
  swarmd stop
  swarmd stop --data /tmp/b`,
  )
}

export async function run(call: CommandCall): Promise<number> {
  const { io, json } = call
  const given = optionText(call, 'timeout') ?? ''
  const timeout = seconds.parse(given)
  if (timeout === undefined)
    throw DaemonError.CONFIG_INVALID(`--timeout ${given} is not allowed; it must be ${seconds.allowed}.`)
  const loaded = await loadSettings(call)
  const late = AbortSignal.timeout(timeout * 1000)
  const client = await connectRunning(call, loaded).catch((error: unknown) =>
    endedMeanwhile(error, loaded.dataDir, late),
  )
  const { pid } = await client.hello()
  const isThere = (): boolean => isLocked(loaded.dataDir) || isAlive(pid)
  let there = true
  try {
    // Whoever else asked first may have ended it, and the connection with it, before the question or the answer.
    const asked = client
      .stop()
      .catch((error: unknown) => endedMeanwhile(error, loaded.dataDir, late).catch(() => undefined))
    await Promise.race([client.closed, asked, whenAborted(late)])
    await Promise.race([client.closed, whenAborted(late)])
    // The lock is the last thing that a daemon lets go of, and it goes even if the daemon dies; the process ends after it.
    while ((there = isThere()) && !late.aborted) await delay(POLL_MS)
  } finally {
    client.close()
  }
  if (there) {
    throw DaemonError.CONTROL_FAILED(
      `swarmd (pid ${pid}) has not ended within ${timeout} s. Look at its log, or end it with: kill -9 ${pid}`,
    )
  }
  if (json) io.json({ stopped: true, pid })
  else io.out(`swarmd (pid ${pid}) has ended.\n`)
  return EXIT.ok
}

/** A connection that broke: the daemon may be on its way out already. Throws the error again when it stays. */
async function endedMeanwhile(error: unknown, dataDir: string, late: AbortSignal): Promise<never> {
  if (codeOf(error) !== 'CONTROL_FAILED') throw error
  while (isLocked(dataDir)) {
    if (late.aborted) throw error
    await delay(POLL_MS)
  }
  throw DaemonError.NOT_RUNNING(`No swarmd runs on the data folder ${dataDir} any more.`)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
