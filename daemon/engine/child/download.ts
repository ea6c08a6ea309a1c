/** Entry of the download process: one model, with the library's own downloader. */
import { createModelDownloader } from 'node-llama-cpp'
import type { DownloadReply, DownloadRequest } from '../model/resolve.js'

function send(reply: DownloadReply): void {
  if (process.connected) process.send?.(reply)
}

async function download({ uri, directory, token, hub }: DownloadRequest): Promise<void> {
  try {
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
