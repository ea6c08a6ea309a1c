/** Entry of the download process: one model, with the library's own downloader. */
import { createModelDownloader } from 'node-llama-cpp'
import type { DownloadReply, DownloadRequest } from '../model/resolve.js'

function send(reply: DownloadReply): void {
  if (process.connected) process.send?.(reply)
}

/** A server that answers nothing at all for so long is not asked again and again. */
const REACH_MS = 20_000

/** The library tries for minutes and says nothing: whether there is a server, and that file on it, is asked before. */
async function reach(uri: string): Promise<void> {
  if (!/^https?:/i.test(uri)) return
  const { status } = await fetch(uri, { method: 'HEAD', signal: AbortSignal.timeout(REACH_MS) }).catch(
    (error: unknown) => {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
      throw new Error(cause instanceof Error ? cause.message : String(cause))
    },
  )
  if (status === 404 || status === 410) throw new Error(`the server has no such file (status ${status})`)
}

async function download({ uri, directory, token, hub }: DownloadRequest): Promise<void> {
  try {
    await reach(uri)
    const downloader = await createModelDownloader({
      modelUri: uri,
      dirPath: directory,
      showCliProgress: false,
      deleteTempFileOnCancel: false,
      skipExisting: true,
      ...(token === null ? {} : { tokens: { huggingFace: token } }),
      ...(hub === null ? {} : { endpoints: { huggingFace: hub } }),
      onProgress: ({ downloadedSize, totalSize }) => send({ type: 'progress', done: downloadedSize, total: totalSize }),
    })
    send({ type: 'path', path: await downloader.download() })
  } catch (error) {
    send({ type: 'failed', message: (error instanceof Error ? error.message : String(error)).slice(0, 500) })
  }
}

process.once('message', (request: DownloadRequest) => void download(request))
process.on('disconnect', () => process.exit(0))
