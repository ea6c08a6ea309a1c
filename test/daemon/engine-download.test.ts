import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, truncate } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { readdirSync, statSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { EngineError } from '../../daemon/engine/errors.js'
import type { ModelProgress } from '../../daemon/engine/model/identity.js'
import { isRemoteModel, resolveModel } from '../../daemon/engine/model/resolve.js'
import { ggufFile, modelEntries } from '../helpers/gguf.js'

const MODEL = Buffer.concat([ggufFile(modelEntries()), randomBytes(48 << 20)])
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

interface Host {
  readonly url: string
  /** Bytes of the body that went out. */
  sent: number
  readonly ranges: string[]
  close(): Promise<void>
}

interface Weather {
  /** Connections break once, after so many bytes in all. */
  breaksAt?: number
  /** Nothing comes from this place of the file on. */
  standsAt?: number
}

/** Serves the model with range requests. */
async function hub(weather: Weather = {}): Promise<Host> {
  const host = { url: '', sent: 0, ranges: [] as string[], close: (): Promise<void> => Promise.resolve() }
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    if (request.url?.includes('missing') === true) return void response.writeHead(404).end()
    if (request.url?.startsWith('/v2/') === true) {
      const manifest = { ggufFile: { rfilename: 'tiny.Q4_K_M.gguf', blobId: 'x', size: MODEL.length } }
      return void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(manifest))
    }
    const range = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? '')
    const start = Number(range?.[1] ?? 0)
    const end =
      range?.[2] === undefined || range[2] === '' ? MODEL.length - 1 : Math.min(Number(range[2]), MODEL.length - 1)
    if (request.headers.range !== undefined) host.ranges.push(request.headers.range)
    const head = {
      'accept-ranges': 'bytes',
      'content-length': end - start + 1,
      etag: '"model-1"',
      'content-type': 'application/octet-stream',
    }
    if (range === null) response.writeHead(200, head)
    else response.writeHead(206, { ...head, 'content-range': `bytes ${start}-${end}/${MODEL.length}` })
    if (request.method === 'HEAD') return void response.end()
    let at = start
    const pour = (): void => {
      while (at <= end) {
        if (at >= (weather.standsAt ?? Infinity)) return
        if (host.sent >= (weather.breaksAt ?? Infinity)) {
          delete weather.breaksAt
          return void response.destroy()
        }
        const piece = MODEL.subarray(at, Math.min(at + 65_536, end + 1))
        at += piece.length
        host.sent += piece.length
        if (!response.write(piece)) return void response.once('drain', pour)
      }
      response.end()
    }
    pour()
  }
  const server = createServer(serve)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  host.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  host.close = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return host
}

void describe('a model argument', () => {
  const folders: string[] = []
  after(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))))
  const folder = async (): Promise<string> => {
    const path = await mkdtemp(join(tmpdir(), 'swarmd-download-'))
    folders.push(path)
    return path
  }

  void test('that is a path stays a path, made absolute', async () => {
    const directory = await folder()
    assert.equal(await resolveModel('/models/x.gguf', { directory }), '/models/x.gguf')
    assert.equal(await resolveModel('~/x.gguf', { directory }), join(homedir(), 'x.gguf'))
    assert.deepEqual(['x.gguf', 'hf:a/b:q4_0', 'https://x/y.gguf', './http'].map(isRemoteModel), [
      false,
      true,
      true,
      false,
    ])
  })

  void test('that is a URL is downloaded with progress, once', async (t) => {
    const host = await hub()
    t.after(() => host.close())
    const directory = await folder()
    const progress: ModelProgress[] = []
    const url = `${host.url}/tiny.gguf`
    const path = await resolveModel(url, { directory, onProgress: (step) => progress.push(step) })
    assert.equal(sha256(await readFile(path)), sha256(MODEL))
    assert.ok(progress.every(({ phase, done }, i) => phase === 'download' && done >= (progress[i - 1]?.done ?? 0)))
    assert.deepEqual([progress.at(-1)?.done, progress.at(-1)?.total], [MODEL.length, MODEL.length])
    const { sent } = host
    assert.equal(await resolveModel(url, { directory }), path)
    assert.ok(host.sent - sent < MODEL.length / 2, 'the second time nothing is downloaded')
  })

  void test('that is in a repository of a hub is found by its quantisation', async (t) => {
    const host = await hub()
    t.after(() => host.close())
    const path = await resolveModel('hf:someone/tiny-GGUF:Q4_K_M', { directory: await folder(), hub: host.url })
    assert.equal(sha256(await readFile(path)), sha256(MODEL))
  })

  void test('whose download is cut in the middle comes whole all the same', async (t) => {
    const host = await hub({ breaksAt: 8 << 20 })
    t.after(() => host.close())
    const path = await resolveModel(`${host.url}/tiny.gguf`, { directory: await folder() })
    assert.equal(sha256(await readFile(path)), sha256(MODEL))
  })

  void test('whose download is cancelled goes on later where it stopped', async (t) => {
    const weather: Weather = { standsAt: 28 << 20 }
    const host = await hub(weather)
    t.after(() => host.close())
    const directory = await folder()
    const abort = new AbortController()
    const url = `${host.url}/tiny.gguf`
    // The downloader keeps whole pieces of 5 MiB, and notes behind the file which ones it has.
    const onProgress = (): void => {
      const partial = readdirSync(directory, { recursive: true }).find((name) => String(name).endsWith('.ipull'))
      if (partial !== undefined && statSync(join(directory, String(partial))).size > MODEL.length) abort.abort()
    }
    const cancelled = resolveModel(url, { directory, signal: abort.signal, onProgress })
    await assert.rejects(cancelled, (error) => error instanceof EngineError && error.code === 'CANCELLED')
    delete weather.standsAt
    host.ranges.length = 0
    const path = await resolveModel(url, { directory })
    assert.equal(sha256(await readFile(path)), sha256(MODEL))
    const asked = new Set(host.ranges.flatMap(mebibytes))
    assert.ok(asked.size > 0 && asked.size < MODEL.length / (1 << 20), `${asked.size} MiB were asked for again`)
  })

  void test('whose download stands still is given up with the way to go on', async (t) => {
    const host = await hub({ standsAt: 1 << 20 })
    t.after(() => host.close())
    const attempt = resolveModel(`${host.url}/tiny.gguf`, { directory: await folder(), stallMs: 3000 })
    await assert.rejects(
      attempt,
      (error) => error instanceof EngineError && error.code === 'DOWNLOAD_FAILED' && error.message.includes('resume'),
    )
  })

  void test('that was downloaded once needs no network the next time', async () => {
    const directory = await folder()
    const host = await hub()
    const argument = `${host.url}/models/tiny.gguf`
    const path = await resolveModel(argument, { directory })
    await host.close()
    assert.equal(await resolveModel(argument, { directory }), path)
    await truncate(path, 1000)
    await assert.rejects(resolveModel(argument, { directory }), { code: 'DOWNLOAD_FAILED' })
  })

  void test('on a server that is not there is a clear error at once', async () => {
    const host = await hub()
    await host.close()
    await assert.rejects(resolveModel(`${host.url}/tiny.gguf`, { directory: await folder() }), {
      code: 'DOWNLOAD_FAILED',
      message: /could not be downloaded: connect ECONNREFUSED/,
    })
  })

  void test('that nobody has is a clear error', async (t) => {
    const host = await hub()
    t.after(() => host.close())
    const attempt = resolveModel(`${host.url}/missing.gguf`, { directory: await folder() })
    await assert.rejects(
      attempt,
      (error) =>
        error instanceof EngineError && error.code === 'DOWNLOAD_FAILED' && error.message.includes('missing.gguf'),
    )
  })
})

/** The mebibytes that a range header asks for, by number. */
function mebibytes(range: string): number[] {
  const [start = 0, end = 0] = range.replace('bytes=', '').split('-').map(Number)
  return Array.from({ length: Math.ceil((end - start) / (1 << 20)) }, (_, i) => Math.floor(start / (1 << 20)) + i)
}
