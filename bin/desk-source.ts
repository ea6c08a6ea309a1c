/**
 * Where the commands about money are carried out: in the running node, through its control socket, or, when none runs, here,
 * under the data folder's lock. The answers are the same.
 */
import type { Command } from 'commander'
import { connectControl } from '../daemon/control/client.js'
import { chainSettings } from '../daemon/config-options.js'
import { DeskError, withoutChain } from '../daemon/chain/desk-errors.js'
import type { DeskItem } from '../daemon/chain/desk-items.js'
import type { DeskRequest } from '../daemon/chain/desk-request.js'
import { codeOf, DaemonError } from '../daemon/errors.js'
import type { CommandCall } from './command.js'
import { addSettings } from './flags.js'
import { unlocked } from './passphrase.js'
import { loadSettings } from './running.js'

/** Carries out one request after the other, in order. */
export type AskDesk = (request: DeskRequest) => AsyncIterable<DeskItem>

/** The settings that matter when no node runs; a running one has its own. */
export function payingSettings(command: Command): Command {
  addSettings(command, ['chainUrl', 'credit'])
  return command
}

/** Was the answer lost, so that what was asked for may have been done or not? */
export function isOpenEnded(error: unknown): boolean {
  return ['RPC_UNREACHABLE', 'RPC_TIMEOUT', 'CONTROL_FAILED', 'INTERRUPTED'].includes(codeOf(error) ?? '')
}

/** Ctrl-C aborts `signal`, and the work behind it ends. Throws `DATA_LOCKED`, `STORE_*`, and what the desk throws. */
export async function withDesk<T>(call: CommandCall, use: (ask: AskDesk) => Promise<T>): Promise<T> {
  const { dataDir } = await loadSettings(call)
  const cancel = new AbortController()
  const onInterrupt = (): void => cancel.abort(DeskError.INTERRUPTED())
  process.once('SIGINT', onInterrupt)
  try {
    return await throughNode(call, dataDir, cancel.signal, use)
  } catch (error) {
    if (codeOf(error) !== 'NOT_RUNNING') throw error
    return await fromFolder(call, dataDir, cancel.signal, use)
  } finally {
    process.off('SIGINT', onInterrupt)
  }
}

async function throughNode<T>(
  call: CommandCall,
  dataDir: string,
  signal: AbortSignal,
  use: (ask: AskDesk) => Promise<T>,
): Promise<T> {
  const { wireOf } = await import('../daemon/chain/desk-request.js')
  const client = await connectControl({ dataDir, runtimeDir: call.io.env['XDG_RUNTIME_DIR'] })
  const onAbort = (): void => client.close()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await use(async function* (request) {
      try {
        // The node is trusted with the inside of its items.
        for await (const item of client.stream('desk', wireOf(request))) yield item as DeskItem
      } catch (error) {
        signal.throwIfAborted()
        throw error
      }
    })
  } finally {
    signal.removeEventListener('abort', onAbort)
    client.close()
  }
}

async function fromFolder<T>(
  call: CommandCall,
  dataDir: string,
  signal: AbortSignal,
  use: (ask: AskDesk) => Promise<T>,
): Promise<T> {
  const loaded = await loadSettings(call)
  const terms = { dataDir, credit: loaded.config.credit, chain: chainSettings(loaded) }
  const { seedState } = await import('../daemon/seed-file.js')
  const { openDesk } = await import('../daemon/chain/desk-open.js')
  const fresh = seedState(dataDir) === 'none'
  let opened: Awaited<ReturnType<typeof openDesk>> | null = null
  const { acquireLock } = await import('../daemon/lock.js')
  const { openIdentity } = await import('../daemon/identity.js')
  let lock: ReturnType<typeof acquireLock> | null = null
  try {
    return await use(async function* (request) {
      if (fresh && !terms.chain) throw nothingYet(request, terms.credit === null, withoutChain(terms))
      // Only who wants to put coins into a wallet has one made; all else has nothing to look at.
      if (fresh && request.op !== 'deposit') throw DaemonError.IDENTITY_MISSING(dataDir)
      lock ??= acquireLock(dataDir, { pid: process.pid, since: Date.now(), version: call.version, apiUrl: null })
      opened ??= await openDesk(terms, (await unlocked(call, dataDir)) ?? openIdentity(dataDir))
      yield* opened.desk.run((await wire())(request), signal)
    })
  } finally {
    await close(opened)
    release(lock)
  }
}

async function wire(): Promise<(request: DeskRequest) => unknown> {
  return (await import('../daemon/chain/desk-request.js')).wireOf
}

function nothingYet({ op }: DeskRequest, free: boolean, words: string): DeskError {
  return op === 'earnings' && free ? DeskError.NOTHING_PAID() : DeskError.NO_CHAIN(words)
}

function close(opened: { close(): Promise<void> } | null): Promise<void> {
  return opened?.close() ?? Promise.resolve()
}

function release(lock: { release(): void } | null): void {
  lock?.release()
}
