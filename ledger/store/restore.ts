/**
 * Brings a lost record back from a peer that kept a copy: from the seed (which gives the core keys) and a connection.
 *
 * A log that goes on from an old copy forks: two different transactions at one position, both signed. So the copy must
 * reach at least the newest checkpoint known from elsewhere (the chain, a backup), and nothing may be appended before all
 * of it is here.
 */
import { setTimeout } from 'node:timers/promises'
import type Hypercore from 'hypercore'
import { LedgerError } from '../errors.js'
import type { RecordCores } from './cores.js'
import type { Entry } from './entry.js'
import type { Forgotten } from './forgotten.js'

/** Blocks asked for at once. */
const BATCH = 8192
/** A copy that gives nothing for so long has nothing more to give. */
const STALLED_MS = 60_000
/** Transactions whose bodies are asked for at once. */
const BODY_BATCH = 64

export interface Restored {
  readonly transactions: number
  /** Body blocks that came along; pruned ones are nowhere. */
  readonly bodyBlocks: number
}

export interface RestoreOptions {
  readonly forgotten: Forgotten
  /** Reads a transaction of the restored log. */
  readonly read: (position: number) => Promise<Entry>
  /** Blocks of the log that this node is known to have signed: a checkpoint's `length`. */
  readonly atLeast: number
  /** How long a body may take to arrive before it, and all older ones, count as pruned. */
  readonly patienceMs: number
  readonly signal: AbortSignal
  /** Called with how many blocks of the log are here. */
  readonly onProgress?: (done: number, total: number) => void
}

/**
 * The log is empty, or a restore of it was cut short. Throws `STORE_FORKED` when the copy is shorter than `atLeast`,
 * `STORE_INCOMPLETE` when blocks of it do not come, and the signal's reason.
 */
export async function restoreRecord(cores: RecordCores, options: RestoreOptions): Promise<Restored> {
  const { forgotten, atLeast, signal } = options
  const { log } = cores
  await lengthOf(cores.forgotten, signal)
  await lengthOf(cores.checkpoints, signal)
  await fetch(cores.forgotten, range(cores.forgotten.length), signal)
  await fetch(cores.checkpoints, range(cores.checkpoints.length), signal)
  await forgotten.refresh()
  await lengthOf(log, signal)
  if (log.length < atLeast) {
    throw LedgerError.STORE_FORKED(`the copy has ${log.length} blocks, ${atLeast} were signed: find a newer copy`)
  }
  await fetch(
    log,
    range(log.length).filter((block) => block % 2 === 1 || !forgotten.has(block / 2)),
    signal,
    options.onProgress,
  )
  await lengthOf(cores.bodies, signal)
  return { transactions: log.length / 2, bodyBlocks: await fetchBodies(cores, options) }
}

/** Learns the peer's length of a core. */
async function lengthOf(core: Hypercore, signal: AbortSignal): Promise<void> {
  await aborting(core.update({ wait: true, force: true }), signal)
}

async function fetch(
  core: Hypercore,
  blocks: readonly number[],
  signal: AbortSignal,
  onProgress: RestoreOptions['onProgress'] = () => undefined,
): Promise<void> {
  for (let i = 0; i < blocks.length; i += BATCH) {
    onProgress(i, blocks.length)
    const download = core.download({ blocks: blocks.slice(i, i + BATCH) })
    const over = new AbortController()
    try {
      await aborting(Promise.race([download.done(), stalled(core, over.signal)]), signal)
    } finally {
      over.abort()
      download.destroy()
    }
  }
}

/** Rejects when no block has come for a while, or when `over` is aborted. */
async function stalled(core: Hypercore, over: AbortSignal): Promise<never> {
  let came = 0
  const onBlock = (): void => void came++
  core.on('download', onBlock)
  try {
    for (let before = -1; before < came;) {
      before = came
      await setTimeout(STALLED_MS, null, { ref: false, signal: over })
    }
    throw LedgerError.STORE_INCOMPLETE('the copy gives nothing more and has not given all: find a whole one')
  } finally {
    core.off('download', onBlock)
  }
}

/** Pruned bodies are cleared from the front: the newest are asked for first, until some do not come in time. */
async function fetchBodies(
  cores: RecordCores,
  { forgotten, read, patienceMs, signal }: RestoreOptions,
): Promise<number> {
  const transactions = cores.log.length / 2
  let fetched = 0
  for (let end = transactions; end > 0; end -= BODY_BATCH) {
    const positions = range(Math.min(BODY_BATCH, end)).map((i) => end - 1 - i)
    const wanted = positions.filter((position) => !forgotten.has(position))
    const came = await Promise.all(
      wanted.map(async (position) => {
        const { body } = await read(position)
        const blocks = body ? range(body.blocks).map((i) => body.first + i) : []
        signal.throwIfAborted()
        return Promise.all(blocks.map((block) => arrives(cores.bodies, block, patienceMs)))
      }),
    )
    const blocks = came.flat()
    fetched += blocks.filter(Boolean).length
    if (blocks.includes(false)) break
  }
  return fetched
}

async function arrives(core: Hypercore, block: number, timeout: number): Promise<boolean> {
  try {
    return (await core.get(block, { timeout })) !== null
  } catch {
    return false
  }
}

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i)
}

async function aborting<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  let stop = (): void => undefined
  const aborted = new Promise<never>((_, reject) => {
    stop = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error('the restore was aborted'))
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
