/**
 * The daemon's end of the control socket. Whoever holds the data folder's lock may open it, so a socket file that lies there
 * already is a dead daemon's and is removed.
 */
import { once } from 'node:events'
import { chmodSync, lstatSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import ReadyResource from 'ready-resource'
import safetyCatch from 'safety-catch'
import { codeOf, DaemonError } from '../errors.js'
import { controlAddress, makeFolder } from '../paths.js'
import { LineCutter } from './lines.js'
import { COALESCE_MS, CONTROL_PROTOCOL, MAX_CLIENTS, MAX_REQUEST_BYTES, METHODS, parseRequest } from './protocol.js'
import type { ControlMessage, ControlRequest } from './protocol.js'
import { parseQuestion } from './route.js'
import type { RouteQuestion, RouteView } from './route.js'
import type { NodeSnapshot } from './snapshot.js'

/** What the socket shows and what it may do: implemented by the composition root. */
export interface ControlSource {
  snapshot(): NodeSnapshot
  /** Calls back whenever a new snapshot would differ. Returns the way to stop that. */
  onChange(listener: () => void): () => void
  /** Throws an error with a code and a sentence, e.g. for a model that is not there. */
  explain(question: RouteQuestion): RouteView
  /** Begins a graceful end and returns at once. */
  stop(): void
  /** Further methods by name: each answers its parameters with JSON values, and ends when `signal` is aborted. */
  readonly streams?: Readonly<Record<string, Stream>>
}

export interface ControlServerOptions {
  readonly dataDir: string
  /** XDG_RUNTIME_DIR, for data folders whose path is too long for a socket. */
  readonly runtimeDir: string | undefined
  readonly source: ControlSource
}

export class ControlServer extends ReadyResource {
  readonly #options: ControlServerOptions
  readonly #path: string
  readonly #folder: string | null
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  constructor(options: ControlServerOptions) {
    super()
    const { path, folder } = controlAddress(options.dataDir, options.runtimeDir)
    this.#options = options
    this.#path = path
    this.#folder = folder
    this.#server = createServer((socket) => {
      this.#serve(socket)
    })
    this.#server.maxConnections = MAX_CLIENTS
  }

  /** Throws `DATA_UNUSABLE` when the socket cannot be made. */
  override async _open(): Promise<void> {
    try {
      if (this.#folder !== null) ownFolder(this.#folder)
      if (process.platform !== 'win32') rmSync(this.#path, { force: true })
      await listen(this.#server, this.#path)
      if (process.platform !== 'win32') chmodSync(this.#path, 0o600)
    } catch (error) {
      if (error instanceof DaemonError) throw error
      throw DaemonError.DATA_UNUSABLE(
        `The control socket ${this.#path} cannot be made (${codeOf(error) ?? 'unknown reason'}).`,
        error,
      )
    }
  }

  override async _close(): Promise<void> {
    for (const socket of this.#sockets) {
      // A client that does not read what it was sent must not hold the shutdown.
      if (socket.writableLength === 0) socket.destroySoon()
      else socket.destroy()
    }
    if (!this.#server.listening) return
    // Node removes the socket file by itself.
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  #serve(socket: Socket): void {
    const { source } = this.#options
    const cutter = new LineCutter(MAX_REQUEST_BYTES)
    const subscription = new Subscription(socket, source)
    this.#sockets.add(socket)
    socket.on('close', () => {
      subscription.end()
      this.#sockets.delete(socket)
    })
    // A client that goes away mid-write is its own business.
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk: Buffer) => {
      const lines = cutter.push(chunk)
      if (lines === null) return socket.destroy()
      for (const line of lines) {
        const request = parseRequest(line)
        if (request === null) return socket.destroy()
        this.#answer(socket, request, subscription)
      }
      return undefined
    })
    send(socket, { hello: { protocol: CONTROL_PROTOCOL, version: source.snapshot().version, pid: process.pid } })
  }

  #answer(socket: Socket, request: ControlRequest, subscription: Subscription): void {
    const { source } = this.#options
    const { id } = request
    const method = METHODS.find((known) => known === request.method)
    switch (method) {
      case 'snapshot':
        return send(socket, { id, result: source.snapshot() })
      case 'subscribe':
        send(socket, { id, result: source.snapshot() })
        return subscription.begin()
      case 'explain':
        return send(socket, explained(source, request))
      case 'stop':
        send(socket, { id, result: { stopping: true } })
        return source.stop()
      case undefined:
        if (Object.hasOwn(source.streams ?? {}, request.method)) return this.#stream(socket, request)
        return send(socket, {
          id,
          error: { code: 'UNKNOWN_METHOD', message: `There is no method "${request.method}".` },
        })
    }
  }

  /** The client's pace is the work's pace; what it fails with is the client's to show. */
  #stream(socket: Socket, { id, method, params }: ControlRequest): void {
    const stream = this.#options.source.streams?.[method]
    const gone = new AbortController()
    const onClose = (): void => gone.abort(DaemonError.CONTROL_FAILED('The client went away.'))
    const work = async (): Promise<void> => {
      socket.once('close', onClose)
      try {
        for await (const item of stream?.(params, gone.signal) ?? [])
          await sendWhenFree(socket, { id, item }, gone.signal)
        send(socket, { id, result: {} })
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error)
        send(socket, { id, error: { code: codeOf(error) ?? 'FAILED', message } })
      } finally {
        socket.off('close', onClose)
      }
    }
    work().catch(safetyCatch)
  }
}

export type Stream = (params: unknown, signal: AbortSignal) => AsyncIterable<unknown>

function explained(source: ControlSource, { id, params }: ControlRequest): ControlMessage {
  const question = parseQuestion(params)
  if (question === null) return { id, error: { code: 'BAD_PARAMS', message: 'This is no question about a route.' } }
  try {
    return { id, result: source.explain(question) }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { id, error: { code: codeOf(error) ?? 'FAILED', message } }
  }
}

/** Snapshots for one client: changes coalesced, and none while the client has not read the last one. */
class Subscription {
  readonly #socket: Socket
  readonly #source: ControlSource
  #stopListening: (() => void) | null = null
  #timer: NodeJS.Timeout | null = null

  constructor(socket: Socket, source: ControlSource) {
    this.#socket = socket
    this.#source = source
  }

  begin(): void {
    this.#stopListening ??= this.#source.onChange(() => this.#changed())
  }

  end(): void {
    this.#stopListening?.()
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#stopListening = null
    this.#timer = null
  }

  #changed(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      if (this.#socket.writableLength > 0) this.#changed()
      else send(this.#socket, { event: 'snapshot', snapshot: this.#source.snapshot() })
    }, COALESCE_MS)
  }
}

/** Resolves when the client has taken what was sent before. Throws the signal's reason. */
async function sendWhenFree(socket: Socket, message: ControlMessage, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  send(socket, message)
  if (socket.writableNeedDrain) await once(socket, 'drain', { signal })
}

function send(socket: Socket, message: ControlMessage): void {
  if (!socket.destroyed && socket.writable) socket.write(`${JSON.stringify(message)}\n`)
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** A folder in a place that others can write to has to be ours alone: somebody could have made it before us. */
function ownFolder(folder: string): void {
  makeFolder(folder)
  const stat = lstatSync(folder)
  if (stat.isDirectory() && stat.uid === process.getuid?.() && (stat.mode & 0o077) === 0) return
  throw DaemonError.DATA_UNUSABLE(
    `The folder ${folder} is not this user's alone, so the control socket cannot lie in it. Choose a shorter --data path.`,
  )
}
