/**
 * From a model argument to a file: a path, an http(s) URL, or `hf:user/repo:quant`. Downloads run in a child process of
 * their own with the library's downloader: several connections, resumed where they stopped, also after a crash.
 */
import { createHash } from 'node:crypto'
import { fork } from 'node:child_process'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { EngineError } from '../errors.js'
import type { ModelProgress } from './identity.js'

export interface ResolveOptions {
  /** Downloads go into a folder of their own in here. */
  readonly directory: string
  readonly onProgress?: ((progress: ModelProgress) => void) | undefined
  readonly signal?: AbortSignal | undefined
  /** For private repositories; handed to the child over IPC, never in arguments or environment. */
  readonly token?: string | null | undefined
  /** Another hub, for mirrors and tests. */
  readonly hub?: string | null | undefined
  /** Without a new byte for so long the download is given up, milliseconds. */
  readonly stallMs?: number | undefined
}

export type DownloadRequest = {
  readonly uri: string
  readonly directory: string
  readonly token: string | null
  readonly hub: string | null
}

export type DownloadReply =
  | { readonly type: 'progress'; readonly done: number; readonly total: number }
  | { readonly type: 'path'; readonly path: string }
  | { readonly type: 'failed'; readonly message: string }

const REMOTE = /^(https?:\/\/|hf:|huggingface:)/i
/** Written beside the files when all of them have arrived: `{"file", "bytes"}` of the first. */
const FINISHED = 'finished.json'
const ENTRY = fileURLToPath(new URL('../child/download.js', import.meta.url))

export function isRemoteModel(argument: string): boolean {
  return REMOTE.test(argument)
}

/** Absolute path of the model's (first) file. Throws `DOWNLOAD_FAILED` or `CANCELLED`; a path is not checked here. */
export async function resolveModel(argument: string, options: ResolveOptions): Promise<string> {
  if (!isRemoteModel(argument)) return resolve(argument.replace(/^~(?=\/)/, homedir()))
  if (options.signal?.aborted === true) throw EngineError.CANCELLED()
  // Different sources use the same file names: each gets its own folder.
  const folder = createHash('sha256').update(argument).digest('hex').slice(0, 16)
  const directory = join(options.directory, folder)
  const finished = await finishedIn(directory)
  if (finished !== null) return finished
  const { token = null, hub = null } = options
  const path = await download({ uri: argument, directory, token, hub }, options)
  // Only spares the next start a network, so a full disk is no reason to fail.
  const record = JSON.stringify({ file: basename(path), bytes: (await stat(path)).size })
  await writeFile(join(directory, FINISHED), record).catch(() => undefined)
  return path
}

/** A model that is here whole needs no hub: the first file of a finished download, null when there is none. */
async function finishedIn(directory: string): Promise<string | null> {
  try {
    const record: unknown = JSON.parse(await readFile(join(directory, FINISHED), 'utf8'))
    if (typeof record !== 'object' || record === null || !('file' in record) || !('bytes' in record)) return null
    const path = join(directory, basename(String(record.file)))
    return (await stat(path)).size === record.bytes ? path : null
  } catch {
    return null
  }
}

function download(request: DownloadRequest, { onProgress, signal, stallMs = 60_000 }: ResolveOptions): Promise<string> {
  const child = fork(ENTRY, [], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    execArgv: [],
  })
  const cancel = (): boolean => child.kill('SIGKILL')
  signal?.addEventListener('abort', cancel, { once: true })
  let most = -1
  const stall = setTimeout(cancel, stallMs)
  return new Promise<string>((accept, reject) => {
    child.on('message', (reply: DownloadReply) => {
      if (reply.type === 'progress' && reply.done > most) {
        most = reply.done
        stall.refresh()
        onProgress?.({ phase: 'download', done: reply.done, total: reply.total })
      }
      if (reply.type === 'path') accept(reply.path)
      if (reply.type === 'failed')
        reject(EngineError.DOWNLOAD_FAILED(`${request.uri} could not be downloaded: ${reply.message}`))
    })
    child.once('error', (error) =>
      reject(EngineError.DOWNLOAD_FAILED(`the downloader could not be run: ${error.message}`)),
    )
    child.once('exit', () =>
      reject(
        signal?.aborted === true
          ? EngineError.CANCELLED('the download was cancelled; what has arrived is kept and resumed next time')
          : EngineError.DOWNLOAD_FAILED(
              `the download of ${request.uri} broke off or stood still; start it again to resume it`,
            ),
      ),
    )
    child.send(request)
  }).finally(() => {
    signal?.removeEventListener('abort', cancel)
    clearTimeout(stall)
    child.removeAllListeners('exit')
    child.kill('SIGKILL')
  })
}
