/**
 * Where `swarmd history` reads: from the running node through its control socket, or, when none runs, from the data folder
 * itself under its lock. The answers are the same.
 */
import { connectControl } from '../daemon/control/client.js'
import { codeOf } from '../daemon/errors.js'
import { HistoryError } from '../daemon/history/errors.js'
import type { HistoryItem } from '../daemon/history/items.js'
import type { HistoryRequest } from '../daemon/history/request.js'
import type { CommandCall } from './command.js'
import { unlocked } from './passphrase.js'
import { loadSettings } from './running.js'

/** Answers one question after the other, in order. */
export type AskHistory = (request: HistoryRequest, signal: AbortSignal) => AsyncIterable<HistoryItem>

/** Runs `use` with the history and closes it again, whatever happens. Throws `DATA_LOCKED`, `STORE_*`, `HISTORY_*`. */
export async function withHistory<T>(call: CommandCall, use: (ask: AskHistory) => Promise<T>): Promise<T> {
  const { dataDir } = await loadSettings(call)
  try {
    return await throughNode(call, dataDir, use)
  } catch (error) {
    if (codeOf(error) !== 'NOT_RUNNING') throw error
  }
  return fromFolder(call, dataDir, use)
}

async function throughNode<T>(call: CommandCall, dataDir: string, use: (ask: AskHistory) => Promise<T>): Promise<T> {
  const target = { dataDir, runtimeDir: call.io.env['XDG_RUNTIME_DIR'] }
  const first = await connectControl(target)
  first.close()
  return use(async function* (request, signal) {
    // A connection each: ending one early is how the node hears that its work is not wanted any more.
    const client = await connectControl(target)
    const onAbort = (): void => client.close()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      // The node is trusted with the inside of its items.
      for await (const item of client.stream('history', request)) yield item as HistoryItem
      signal.throwIfAborted()
    } catch (error) {
      signal.throwIfAborted()
      throw error
    } finally {
      signal.removeEventListener('abort', onAbort)
      client.close()
    }
  })
}

async function fromFolder<T>(call: CommandCall, dataDir: string, use: (ask: AskHistory) => Promise<T>): Promise<T> {
  const { acquireLock } = await import('../daemon/lock.js')
  const { openIdentity } = await import('../daemon/identity.js')
  const { seedState } = await import('../daemon/seed-file.js')
  const { hasLedger, openHistory } = await import('../daemon/history/open-history.js')
  if (seedState(dataDir) === 'none') return use(emptyHistory)
  const lock = acquireLock(dataDir, { pid: process.pid, since: Date.now(), version: call.version, apiUrl: null })
  try {
    let opened: Awaited<ReturnType<typeof openHistory>> | null = null
    try {
      return await use(async function* (request, signal) {
        if (!hasLedger(dataDir) && request.op !== 'restore') {
          yield* emptyHistory(request)
          return
        }
        opened ??= await openHistory(dataDir, (await unlocked(call, dataDir)) ?? openIdentity(dataDir))
        yield* opened.history.run(request, signal)
      })
    } finally {
      await close(opened)
    }
  } finally {
    lock.release()
  }
}

function close(opened: { close(): Promise<void> } | null): Promise<void> {
  return opened?.close() ?? Promise.resolve()
}

/** Nothing was ever recorded: nothing is made only to say so. */
async function* emptyHistory(request: HistoryRequest): AsyncGenerator<HistoryItem> {
  if ('id' in request) throw HistoryError.NOT_FOUND('transaction', request.id)
  if (request.op === 'restore') {
    throw HistoryError.NO_COPY('There is no identity here whose log could come back: "swarmd keys restore" first.')
  }
  yield await Promise.resolve({ summary: { count: 0 } })
}
